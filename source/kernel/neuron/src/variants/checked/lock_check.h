// SPDX-License-Identifier: Apache-2.0
// Lock checking of the checked kernel: each hart's stack of held locks, and the rank rule.
#ifndef NEURON_LOCK_CHECK_H
#define NEURON_LOCK_CHECK_H

#include "core/lock.h"

#define LOCK_CHECK_DEPTH 8

// One per hart, hart-local.
struct lock_check {
    struct lock *held[LOCK_CHECK_DEPTH];
    uint32_t depth;
};

// Panics if acquiring `lock` now breaks the order, else notes it as held.
void lock_check_acquire(struct lock *lock);
void lock_check_release(struct lock *lock);
// Panics if this hart holds any lock: called where the kernel is left.
void lock_check_none_held(void);

#endif
