// SPDX-License-Identifier: Apache-2.0
// The fuzzer of system calls: what its parts share.
//
// fuzz.c (the campaign) starts one worker process after the other, each with a new part of the
// series of random numbers and a limited budget, answers its faults, kills it, and looks whether
// all memory has come back. fuzz_worker.c is that process: FUZZ_THREADS threads that do nothing but
// make system calls, and a first thread that kills and restarts those that are stuck.
// fuzz_grammar.c says what each call's arguments look like, fuzz_moves.c has moves of several
// calls, fuzz_unknown.c calls that no kernel should know, fuzz_services.c messages to the services.
//
// Threads of a worker may be killed between any two instructions. So everything they share is an
// atomic word that makes sense alone, and nothing of it is locked.
#ifndef ATTACK_FUZZ_H
#define ATTACK_FUZZ_H

#include "attack.h"
#include "random.h"
#include <stdatomic.h>

#define FUZZ_THREADS 8u
#define FUZZ_POOL    8u // handles of each type that calls choose from

// The part of the address space that calls map and threads touch; its faults are answered.
#define FUZZ_ARENA_BASE  0x2000000000ul
#define FUZZ_ARENA_PAGES 64u
#define FUZZ_ARENA_END   (FUZZ_ARENA_BASE + FUZZ_ARENA_PAGES * NX_PAGE_SIZE)
// Where code lies in processes that workers make.
#define FUZZ_CODE 0x2100000000ul

// The real-time clock of QEMU's machine: the one interrupt that a worker can raise by itself.
#define FUZZ_CLOCK_BASE   0x101000ul
#define FUZZ_CLOCK_SOURCE 11u

// Services that a worker can call. The first ones speak Cap'n Proto.
enum fuzz_service {
    FUZZ_PACKAGES,
    FUZZ_BLOCK,
    FUZZ_CONSOLE,
    FUZZ_REGISTRY,
    FUZZ_SERVICES,
};

// What became of messages to a service. Those that are in none of the last four were refused by the
// kernel, or their sender lost patience or its life.
struct fuzz_answers {
    _Atomic uint64_t sent;
    _Atomic uint64_t done;    // answered with NX_OK
    _Atomic uint64_t refused; // with another status
    _Atomic uint64_t unclear; // with something that is no answer
    _Atomic uint64_t dropped; // the service let go of its caller, or died
};

// In memory that worker and campaign share, so that what a worker has counted outlives it.
struct fuzz_counts {
    _Atomic uint64_t entered[NX_SYSCALL_COUNT]; // calls begun
    _Atomic uint64_t ended[NX_SYSCALL_COUNT][NX_STATUS_COUNT];
    _Atomic uint64_t strange;  // results that are no status
    _Atomic uint64_t calls;    // all of them
    _Atomic uint64_t restarts; // of fuzzing threads
    _Atomic uint64_t touches;  // accesses to the arena that came through
    // Calls with numbers that no call has: answered as they must be; with another status; with
    // something changed that they must leave alone.
    _Atomic uint64_t unknown;
    _Atomic uint64_t unknown_taken;
    _Atomic uint64_t unknown_changed;
    struct fuzz_answers answers[FUZZ_SERVICES];
};

struct fuzz_form; // of a system call: fuzz_grammar.c

// One fuzzing thread.
struct fuzzer {
    uint32_t number;
    struct random random; // the thread alone
    struct nx_message_page *page;
    nx_handle thread;
    uint64_t stack_top;
    _Atomic uint64_t progress; // calls that have returned
};

// One worker: a singleton, constant after its start but for the atomic words.
struct worker {
    struct fuzz_counts *counts;
    uint64_t seed;
    uint64_t life;
    uint64_t limit; // counts->calls at which the worker is done
    nx_handle machine;
    nx_handle log;
    nx_handle code; // memory object with the code of fuzz_code.S
    volatile uint32_t *clock;
    nx_handle services[FUZZ_SERVICES]; // endpoints
    _Atomic uint64_t nodes[FUZZ_POOL]; // of files that were opened
    _Atomic nx_handle pool[NX_OBJECT_TYPES][FUZZ_POOL];
    _Atomic uint64_t mappings[FUZZ_POOL]; // addresses that the kernel chose
    struct fuzzer fuzzers[FUZZ_THREADS];
};
extern struct worker worker;

// Makes one call and counts it. `info` is what the call's number is joined with.
struct nx_registers fuzz_call(struct fuzzer *fuzzer, uint64_t number, uint64_t info,
                              const uint64_t arguments[7]);

// A handle of a type: usually one from the pool, sometimes a wrong one.
uint64_t fuzz_handle(struct fuzzer *fuzzer, enum nx_object_type type);
// Puts a handle into the pool in place of another, which is closed or forgotten.
void fuzz_keep(struct fuzzer *fuzzer, enum nx_object_type type, uint64_t handle);

// Keeps the handles that came with a message, whose info word this is.
void fuzz_keep_received(struct fuzzer *fuzzer, uint64_t info);

// One call with arguments as its form says, and what follows from its results.
void fuzz_random_call(struct fuzzer *fuzzer);
// One move of several calls, or an access to memory.
void fuzz_move(struct fuzzer *fuzzer);
// One call with a number that no call has.
void fuzz_unknown_call(struct fuzzer *fuzzer);
// One message to a service: a request of its schema, as it should be or damaged, or anything.
void fuzz_service_message(struct fuzzer *fuzzer);

const char *fuzz_service_name(enum fuzz_service service);
// Makes services do what messages of workers may make them do and they keep something of, so that
// they have it from then on.
NX_MUST_CHECK enum nx_status fuzz_services_warm_up(void);
// Makes the console forget who of a dead worker watches for Ctrl-C and who waits for input: it
// keeps both until somebody else asks.
NX_MUST_CHECK enum nx_status fuzz_services_forget(void);

const char *fuzz_call_name(uint64_t number);

// fuzz_code.S: a call, made with registers full of numbers that follow `pattern`. Its status, or
// FUZZ_REGISTER_CHANGED: one is another that calls keep.
#define FUZZ_REGISTER_CHANGED UINT64_MAX
uint64_t fuzz_kept_call(uint64_t number, const uint64_t arguments[7], uint64_t pattern);

// fuzz_code.S: position independent, without a stack. a0 = seed.
extern const uint8_t fuzz_code_start[];
extern const uint8_t fuzz_code_calls[]; // some calls with random registers, then the thread's end
extern const uint8_t fuzz_code_leave[]; // the thread's end at once
extern const uint8_t fuzz_code_end[];
void fuzz_thread_entry(void); // sets gp and goes on with fuzz_thread_run
void fuzz_thread_run(struct fuzzer *fuzzer) __attribute__((noreturn));

#endif
