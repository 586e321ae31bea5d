// SPDX-License-Identifier: Apache-2.0
// Spinlocks with ranks.
#include "core/lock.h"

#include "arch/arch.h"
#include "arch_inline.h"
#include "core/hart.h"
#include "core/lock_inline.h"
#include "core/panic.h"

#define LOCK_FREE 0u

void lock_init(struct lock *lock, enum lock_rank rank)
{
    atomic_init(&lock->word, LOCK_FREE);
    lock->rank = rank;
}

void lock_wait(struct lock *lock)
{
    lock_check_acquire(lock);
    do {
        // Read until it looks free: a failed try takes the line from the holder.
        while (atomic_load_explicit(&lock->word, memory_order_relaxed) != LOCK_FREE)
            arch_relax();
    } while (!lock_try(lock, hart_self()));
}

void lock_acquire(struct lock *lock)
{
    lock_acquire_fast(lock);
}

void lock_release(struct lock *lock)
{
    ASSERT(lock_is_held(lock));
    lock_release_fast(lock);
}

void lock_acquire_pair(struct lock *one, struct lock *other)
{
    struct lock *first = one < other ? one : other;
    struct lock *second = one < other ? other : one;
    lock_acquire(first);
    if (first != second)
        lock_acquire(second);
}

void lock_release_pair(struct lock *one, struct lock *other)
{
    struct lock *first = one < other ? one : other;
    struct lock *second = one < other ? other : one;
    if (first != second)
        lock_release(second);
    lock_release(first);
}

bool lock_is_held(struct lock *lock)
{
    return (atomic_load_explicit(&lock->word, memory_order_relaxed) & hart_self()->bit) != 0;
}
