// SPDX-License-Identifier: Apache-2.0
// Spinlocks with ranks.
#include "core/lock.h"

#include "arch/arch.h"
#include "arch_inline.h"
#include "core/hart.h"
#include "core/panic.h"

#define LOCK_FREE 0u

void lock_init(struct lock *lock, enum lock_rank rank)
{
    atomic_init(&lock->word, LOCK_FREE);
    lock->rank = rank;
}

static uint32_t holder_word(void)
{
    return hart_self()->index.value + 1;
}

void lock_acquire(struct lock *lock)
{
    uint32_t expected = LOCK_FREE;
    lock_check_acquire(lock);
    // Acquire: pairs with the release in lock_release.
    if (atomic_compare_exchange_strong_explicit(&lock->word, &expected, holder_word(),
                                                memory_order_acquire, memory_order_relaxed))
        return;
    counter_add(&hart_self()->lock_contended, 1);
    do {
        // Read until it looks free: a failed exchange would take the line from the holder.
        while (atomic_load_explicit(&lock->word, memory_order_relaxed) != LOCK_FREE)
            arch_relax();
        expected = LOCK_FREE;
    } while (!atomic_compare_exchange_weak_explicit(&lock->word, &expected, holder_word(),
                                                    memory_order_acquire, memory_order_relaxed));
}

void lock_release(struct lock *lock)
{
    ASSERT(lock_is_held(lock));
    lock_check_release(lock);
    atomic_store_explicit(&lock->word, LOCK_FREE, memory_order_release);
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
    return atomic_load_explicit(&lock->word, memory_order_relaxed) == holder_word();
}
