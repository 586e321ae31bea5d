// SPDX-License-Identifier: Apache-2.0
// A mutex for threads of one process. Waiters sleep in the kernel; an uncontended lock costs one
// atomic instruction and no system call.
#ifndef NEXUS_LOCK_H
#define NEXUS_LOCK_H

#include "nexus/handle.h"
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

// All zero is an unlocked mutex. Life cycle: zeroed, locked and unlocked any number of times,
// nx_mutex_destroy while unlocked and unused.
struct nx_mutex {
    _Atomic uint32_t state;   // 0 free, 1 held, 2 held and somebody may wait
    _Atomic nx_handle wakeup; // notification of the waiters, made at the first contention
    _Atomic uintptr_t owner;  // thread pointer of the holder: recursive mutexes only
    uint32_t depth;           // further locks by the owner: recursive mutexes only
};

void nx_mutex_lock(struct nx_mutex *mutex);
bool nx_mutex_try_lock(struct nx_mutex *mutex);
void nx_mutex_unlock(struct nx_mutex *mutex);
void nx_mutex_lock_recursive(struct nx_mutex *mutex);
bool nx_mutex_try_lock_recursive(struct nx_mutex *mutex);
void nx_mutex_unlock_recursive(struct nx_mutex *mutex);
void nx_mutex_destroy(struct nx_mutex *mutex);

// How many mutexes of this program have been contended so far and so have a notification, which is
// a handle of its and an object: not counted as lost by who compares what it holds.
uint32_t nx_mutex_wakeup_count(void);

#endif
