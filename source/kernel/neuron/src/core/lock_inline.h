// SPDX-License-Identifier: Apache-2.0
// The lock operations of the fast paths, inlined. Same rules as core/lock.h.
#ifndef NEURON_LOCK_INLINE_H
#define NEURON_LOCK_INLINE_H

#include "core/hart.h"
#include "core/lock.h"
#include "lock_check.h"

// Acquires the lock if it is free; false: somebody holds it, or the check by rank is the slow
// path's business.
static inline bool lock_try_acquire_fast(struct lock *lock, const struct hart *hart)
{
    uint32_t expected = 0;
    // Acquire: pairs with the release below and in lock_release.
    if (!atomic_compare_exchange_strong_explicit(&lock->word, &expected, hart->index.value + 1,
                                                 memory_order_acquire, memory_order_relaxed))
        return false;
    lock_check_acquire(lock);
    return true;
}

static inline void lock_release_fast(struct lock *lock)
{
    lock_check_release(lock);
    atomic_store_explicit(&lock->word, 0, memory_order_release);
}

#endif
