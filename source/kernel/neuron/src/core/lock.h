// SPDX-License-Identifier: Apache-2.0
// Spinlocks with ranks.
//
// A lock is a test-and-test-and-set word: critical sections are short and rarely contended, and a
// FIFO lock collapses when the host preempts the hart at the head of its queue. Interrupts are off
// in the kernel, so a holder is never interrupted on its own hart.
//
// Ranks state the one order in which locks nest: a hart acquires only ranks above those it holds;
// two locks of one rank are taken in address order, through lock_acquire_pair. The checked kernel
// keeps each hart's held locks and panics on an inversion, on a release by another hart, and on a
// lock held at kernel exit (variants/checked/lock_check.h); the release kernel compiles that away.
#ifndef NEURON_LOCK_H
#define NEURON_LOCK_H

#include "core/types.h"
#include <stdatomic.h>

enum lock_rank {
    LOCK_RANK_PROCESS = 1,      // struct process: thread list, life cycle
    LOCK_RANK_HANDLE_TABLE = 2, // struct handle_table
    LOCK_RANK_SPACE = 3,        // struct address_space
    LOCK_RANK_OBJECT = 4,       // endpoint, notification, interrupt, memory object
    LOCK_RANK_REGISTRY = 5,     // list of all processes, for diagnosis
    LOCK_RANK_TIMER = 6,        // a hart's deadline heap
    LOCK_RANK_RUN_QUEUE = 7,
    LOCK_RANK_ASID = 8,
    LOCK_RANK_POOL = 9,         // kernel object pools
    LOCK_RANK_FRAME_CACHE = 10, // a hart's single frames
    LOCK_RANK_FRAME = 11,       // frame allocator
    LOCK_RANK_LOG = 12,
};

struct lock {
    // 0: free. Else somebody holds it, and the bits are those of the holder and of harts that have
    // tried since.
    _Atomic uint64_t word;
    enum lock_rank rank; // constant after initialisation
};

#define LOCK_INITIALIZER(lock_rank_value)                                                          \
    {                                                                                              \
        .word = 0, .rank = (lock_rank_value)                                                       \
    }

void lock_init(struct lock *lock, enum lock_rank rank);
void lock_acquire(struct lock *lock);
void lock_release(struct lock *lock);
// Acquires two locks of one rank in address order; they may be the same lock.
void lock_acquire_pair(struct lock *one, struct lock *other);
void lock_release_pair(struct lock *one, struct lock *other);
// Whether this hart holds the lock.
bool lock_is_held(struct lock *lock);

#endif
