// SPDX-License-Identifier: Apache-2.0
// The lock operations of the fast paths, inlined. Same rules as core/lock.h.
#ifndef NEURON_LOCK_INLINE_H
#define NEURON_LOCK_INLINE_H

#include "core/hart.h"
#include "core/lock.h"
#include "lock_check.h"

// One attempt. A failed one leaves this hart's bit behind, which the holder's release clears.
static inline bool lock_try(struct lock *lock, const struct hart *hart)
{
    // Acquire: pairs with the release below.
    return atomic_fetch_or_explicit(&lock->word, hart->bit, memory_order_acquire) == 0;
}

// Acquires the lock if it is free, else counts that it was not.
static inline bool lock_try_acquire_fast(struct lock *lock, struct hart *hart)
{
    if (!lock_try(lock, hart)) {
        counter_add(&hart->lock_contended, 1);
        return false;
    }
    lock_check_acquire(lock);
    return true;
}

// What is left of lock_acquire when the lock was not free.
void lock_wait(struct lock *lock);

// lock_acquire without a call where the lock is free.
static inline void lock_acquire_fast(struct lock *lock)
{
    if (!lock_try_acquire_fast(lock, hart_self()))
        lock_wait(lock);
}

static inline void lock_release_fast(struct lock *lock)
{
    lock_check_release(lock);
    arch_store_release(&lock->word, 0);
}

#endif
