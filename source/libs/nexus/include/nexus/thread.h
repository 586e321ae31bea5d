// SPDX-License-Identifier: Apache-2.0
// Threads of this process: each with a stack above an unmapped guard, thread-local storage and a
// message page of its own.
//
// Life cycle: nx_thread_spawn, the entry runs and returns, nx_thread_join. A thread that nobody
// joins keeps its memory until the process ends.
#ifndef NEXUS_THREAD_H
#define NEXUS_THREAD_H

#include "nexus/system.h"

struct nx_thread {
    nx_handle handle;
    nx_handle exited; // notification, bit 0 at the thread's end; nobody else signals it after that
    uint64_t base;    // mapping that holds stack, TLS and message page
    uint32_t slot;    // place in the thread area of the address space
};

struct nx_thread_options {
    uint64_t stack_bytes; // 0: 64 KiB
    uint64_t affinity;    // mask of hart indices; 0: the process's default
    int32_t class;        // enum nx_class, or -1: NORMAL, or the process's highest if that is lower
};

// Starts `entry(argument)`. `options` may be NULL. *thread belongs to the caller and stays valid
// until it is joined. NX_ERR_NO_MEMORY when the budget or the NX_THREADS_MAX places are used up.
NX_MUST_CHECK enum nx_status nx_thread_spawn(const struct nx_thread_options *options,
                                             void (*entry)(void *), void *argument,
                                             struct nx_thread *thread);

// Waits for the thread's end and frees what it had; a few stacks are kept for the next threads.
NX_MUST_CHECK enum nx_status nx_thread_join(struct nx_thread *thread);

#endif
