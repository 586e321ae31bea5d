// SPDX-License-Identifier: Apache-2.0
// User programs of the fake machine: host functions that make system calls and touch their memory.
//
// A program is a function; a thread whose entry is its address runs it on a stack of its own, on
// whichever hart the kernel resumes the thread. What it returns to ends its thread. A thread that
// is killed simply never resumes. Calls below are for programs only.
#ifndef USER_H
#define USER_H

#include "nexus/handle.h"
#include "nexus/limits.h"
#include "nexus/message.h"
#include "nexus/status.h"
#include "nexus/syscall.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef void (*user_program)(void *argument);

// What a system call leaves in a0, a1..a6, a7 and t0.
struct user_result {
    enum nx_status status;
    uint64_t value[NX_MESSAGE_WORDS];
    uint64_t info;
    uint64_t badge;
};

// `number` is all of a7: the system call's number and, for messages, the info word.
struct user_result user_syscall(uint64_t number, const uint64_t arguments[7]);
#define USER_SYSCALL(number, ...) user_syscall((number), (const uint64_t[7]){__VA_ARGS__})

// A moment in user mode, in which interrupts are taken.
void user_pause(void);

// One aligned 64-bit word of the program's memory; faults until the kernel resolves it.
uint64_t user_load(uint64_t address);
void user_store(uint64_t address, uint64_t value);

// Raises an exception that the kernel cannot resolve (an illegal instruction).
void user_trap(void);

// The thread's message page.
struct nx_message_page *user_page(void);
// The index of the hart that runs the thread at this moment.
uint32_t user_hart(void);

#endif
