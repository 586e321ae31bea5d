// SPDX-License-Identifier: Apache-2.0
// Moves of the fuzzer that take more than one call to get anywhere, and accesses to memory that may
// be unmapped meanwhile.
#include "fuzz.h"
#include "nexus/clock.h"

// Registers of the goldfish real-time clock, in words.
#define CLOCK_ALARM_LOW   2u
#define CLOCK_ALARM_HIGH  3u
#define CLOCK_IRQ_ENABLED 4u
#define CLOCK_CLEAR       7u

#define EXIT_ONE_IN 1000u // moves that end the worker

static struct nx_registers call(struct fuzzer *fuzzer, uint64_t number, uint64_t x0, uint64_t x1,
                                uint64_t x2, uint64_t x3, uint64_t x4, uint64_t x5)
{
    const uint64_t arguments[7] = {x0, x1, x2, x3, x4, x5};
    return fuzz_call(fuzzer, number, 0, arguments);
}

// Unmap, kill, another mapping: whatever happens to the page meanwhile, the campaign answers the
// fault.
static void touch(struct fuzzer *fuzzer)
{
    _Atomic uint64_t *word =
        (_Atomic uint64_t *)(FUZZ_ARENA_BASE +
                             random_below(&fuzzer->random, FUZZ_ARENA_PAGES) * NX_PAGE_SIZE +
                             random_below(&fuzzer->random, NX_PAGE_SIZE / 8) * 8);
    if (random_one_in(&fuzzer->random, 2)) {
        atomic_store_explicit(word, fuzzer->random.state, memory_order_relaxed);
    } else {
        (void)atomic_load_explicit(word, memory_order_relaxed);
    }
    atomic_fetch_add_explicit(&worker.counts->touches, 1, memory_order_relaxed);
}

// A process that makes calls of its own, with some handles from here.
static void start_process(struct fuzzer *fuzzer)
{
    struct random *random = &fuzzer->random;
    struct nx_registers r = call(fuzzer, NX_SYS_PROCESS_CREATE, 16 + random_below(random, 32),
                                 0x7a7a7566ull, 0, 0, 0, random_below(random, 2));
    uint64_t process = r.a1;
    if (r.a0 != NX_OK) {
        return;
    }
    uint64_t thread = 0;
    (void)call(fuzzer, NX_SYS_MEMORY_MAP, process, worker.code, 0, FUZZ_CODE, NX_PAGE_SIZE,
               NX_PROT_READ | NX_PROT_EXECUTE);
    for (uint64_t count = random_below(random, 4); count > 0; count--) {
        uint64_t type = 1 + random_below(random, NX_OBJECT_TYPES - 1);
        (void)call(fuzzer, NX_SYS_HANDLE_GRANT, process,
                   fuzz_handle(fuzzer, (enum nx_object_type)type), NX_RIGHTS_ALL, 0, 0, 0);
    }
    const uint64_t setup[7] = {process,
                               FUZZ_CODE + (uint64_t)(fuzz_code_calls - fuzz_code_start),
                               FUZZ_ARENA_BASE,
                               random_next(random),
                               0,
                               fuzz_handle(fuzzer, NX_OBJECT_MEMORY),
                               0};
    r = fuzz_call(fuzzer, NX_SYS_THREAD_CREATE, 0, setup);
    if (r.a0 == NX_OK) {
        thread = r.a1;
        fuzz_keep(fuzzer, NX_OBJECT_THREAD, thread);
    }
    fuzz_keep(fuzzer, NX_OBJECT_PROCESS, process);
    if (random_one_in(random, 4)) {
        (void)call(fuzzer, NX_SYS_PROCESS_KILL, process, 1, 0, 0, 0, 0);
    }
    (void)call(fuzzer, NX_SYS_THREAD_START, thread, 0, 0, 0, 0, 0);
    if (random_one_in(random, 4)) {
        (void)call(fuzzer, NX_SYS_PROCESS_KILL, process, 1, 0, 0, 0, 0);
    }
}

// A thread of this process, to be killed, restarted and started by whoever draws its handle.
static void start_thread(struct fuzzer *fuzzer)
{
    const uint8_t *code = random_one_in(&fuzzer->random, 2) ? fuzz_code_leave : fuzz_code_calls;
    const uint64_t setup[7] = {0,
                               FUZZ_CODE + (uint64_t)(code - fuzz_code_start),
                               FUZZ_ARENA_BASE,
                               random_next(&fuzzer->random),
                               0,
                               fuzz_handle(fuzzer, NX_OBJECT_MEMORY),
                               0};
    struct nx_registers r = fuzz_call(fuzzer, NX_SYS_THREAD_CREATE, 0, setup);
    if (r.a0 != NX_OK) {
        return;
    }
    fuzz_keep(fuzzer, NX_OBJECT_THREAD, r.a1);
    (void)call(fuzzer, NX_SYS_THREAD_CONTROL, r.a1, NX_THREAD_SET_EXIT,
               fuzz_handle(fuzzer, NX_OBJECT_NOTIFICATION), 1, 0, 0);
    (void)call(fuzzer, NX_SYS_THREAD_START, r.a1, 0, 0, 0, 0, 0);
}

static struct nx_registers receive(struct fuzzer *fuzzer, uint64_t endpoint, uint64_t keep)
{
    return call(fuzzer, NX_SYS_RECEIVE, endpoint,
                nx_clock_now() + random_below(&fuzzer->random, NX_MILLISECOND), keep, 0, 0, 0);
}

// Receives and answers, late or twice or through a saved right that others may close or use first;
// now and then it keeps the caller and waits for its notification.
static void serve(struct fuzzer *fuzzer)
{
    uint64_t endpoint = fuzz_handle(fuzzer, NX_OBJECT_ENDPOINT);
    struct nx_registers r = receive(fuzzer, endpoint, 0);
    if (r.a0 != NX_OK) {
        return;
    }
    uint64_t reply = 0;
    if (random_one_in(&fuzzer->random, 3)) {
        (void)call(fuzzer, NX_SYS_NOTIFICATION_BIND, fuzz_handle(fuzzer, NX_OBJECT_NOTIFICATION), 0,
                   0, 0, 0, 0);
    }
    // The same endpoint or another one.
    while (random_one_in(&fuzzer->random, 2)) {
        uint64_t other = fuzz_handle(fuzzer, NX_OBJECT_ENDPOINT);
        (void)receive(fuzzer, random_one_in(&fuzzer->random, 4) ? other : endpoint,
                      NX_RECEIVE_KEEP);
    }
    if (random_one_in(&fuzzer->random, 3)) {
        r = call(fuzzer, NX_SYS_REPLY_SAVE, 0, 0, 0, 0, 0, 0);
        reply = r.a0 == NX_OK ? r.a1 : 0;
        fuzz_keep(fuzzer, NX_OBJECT_REPLY, reply);
    }
    // To a fault, 1 says that the thread goes on.
    for (uint64_t count = random_below(&fuzzer->random, 3); count > 0; count--) {
        (void)call(fuzzer, NX_SYS_REPLY, reply, random_below(&fuzzer->random, 2), 0, 0, 0, 0);
    }
}

// Raises the clock's interrupt, or takes it back.
static void ring_clock(struct fuzzer *fuzzer)
{
    if (worker.clock == NULL) {
        return;
    }
    if (random_one_in(&fuzzer->random, 2)) {
        worker.clock[CLOCK_CLEAR] = 1;
        return;
    }
    worker.clock[CLOCK_IRQ_ENABLED] = 1;
    worker.clock[CLOCK_ALARM_HIGH] = 0;
    worker.clock[CLOCK_ALARM_LOW] = 0; // long past: at once
    struct nx_registers r =
        call(fuzzer, NX_SYS_INTERRUPT_CREATE, worker.machine, FUZZ_CLOCK_SOURCE, 0, 0, 0, 0);
    if (r.a0 == NX_OK) {
        fuzz_keep(fuzzer, NX_OBJECT_INTERRUPT, r.a1);
    }
}

// What no call makes: the machine and the log with some of their rights.
static void refill(struct fuzzer *fuzzer)
{
    uint64_t some = NX_RIGHTS_ALL & ~(1ull << random_below(&fuzzer->random, 24));
    bool machine = random_one_in(&fuzzer->random, 2);
    struct nx_registers r = call(fuzzer, NX_SYS_HANDLE_DUPLICATE,
                                 machine ? worker.machine : worker.log, some, 0, 0, 0, 0);
    if (r.a0 == NX_OK) {
        fuzz_keep(fuzzer, machine ? NX_OBJECT_MACHINE : NX_OBJECT_LOG, r.a1);
    }
}

// Calls from one to the other of two threads that this one knows nothing of.
static void kill_somebody(struct fuzzer *fuzzer)
{
    (void)call(fuzzer, NX_SYS_THREAD_CONTROL, fuzz_handle(fuzzer, NX_OBJECT_THREAD), NX_THREAD_KILL,
               0, 0, 0, 0);
}

void fuzz_move(struct fuzzer *fuzzer)
{
    static void (*const moves[])(struct fuzzer *) = {
        touch,
        touch,
        touch,
        serve,
        serve,
        serve,
        start_thread,
        kill_somebody,
        ring_clock,
        refill,
        start_process,
        fuzz_unknown_call,
        fuzz_unknown_call,
        fuzz_service_message,
        fuzz_service_message,
        fuzz_service_message,
        fuzz_service_message,
        fuzz_service_message,
        fuzz_service_message,
    };
    if (random_one_in(&fuzzer->random, EXIT_ONE_IN)) {
        (void)call(fuzzer, NX_SYS_PROCESS_EXIT, 0, 0, 0, 0, 0, 0);
    }
    moves[random_below(&fuzzer->random, sizeof(moves) / sizeof(moves[0]))](fuzzer);
}
