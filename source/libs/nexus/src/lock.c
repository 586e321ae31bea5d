// SPDX-License-Identifier: Apache-2.0
// Mutexes on one atomic word and, under contention, a notification.
//
// The word says 0 free, 1 held, 2 held with possible waiters. A waiter makes the notification
// before it writes 2, and the holder reads the notification after it has seen the 2, so a wake-up
// always has its target. The notification's bit is sticky: a wake-up that comes before the wait is
// not lost, and one that nobody needs costs a waiter one more look at the word.
#include "nexus/lock.h"
#include "nexus/system.h"

enum { MUTEX_FREE = 0, MUTEX_HELD = 1, MUTEX_CONTENDED = 2 };

static uintptr_t thread_identity(void)
{
    uintptr_t identity;
    __asm__("mv %0, tp" : "=r"(identity));
    return identity;
}

// Of all mutexes that exist. Relaxed: a number to look at.
static _Atomic uint32_t wakeup_count;

uint32_t nx_mutex_wakeup_count(void)
{
    return atomic_load_explicit(&wakeup_count, memory_order_relaxed);
}

// The notification of the mutex, made by the first thread that needs it. NX_HANDLE_NONE: there is
// no memory for one.
static nx_handle mutex_wakeup(struct nx_mutex *mutex)
{
    nx_handle wakeup = atomic_load_explicit(&mutex->wakeup, memory_order_acquire);
    if (wakeup != NX_HANDLE_NONE) {
        return wakeup;
    }
    nx_handle created;
    if (nx_notification_create(&created) != NX_OK) {
        return NX_HANDLE_NONE;
    }
    if (!atomic_compare_exchange_strong_explicit(&mutex->wakeup, &wakeup, created,
                                                 memory_order_acq_rel, memory_order_acquire)) {
        nx_handle_drop(created);
        return wakeup;
    }
    (void)atomic_fetch_add_explicit(&wakeup_count, 1, memory_order_relaxed);
    return created;
}

static void mutex_lock_contended(struct nx_mutex *mutex)
{
    nx_handle wakeup = mutex_wakeup(mutex);
    // Pairs with the exchange in nx_mutex_unlock.
    while (atomic_exchange_explicit(&mutex->state, MUTEX_CONTENDED, memory_order_acq_rel) !=
           MUTEX_FREE) {
        uint64_t bits;
        if (wakeup == NX_HANDLE_NONE ||
            nx_notification_wait(wakeup, NX_DEADLINE_NEVER, &bits) != NX_OK) {
            (void)!nx_thread_yield(NX_HART_ANY);
        }
    }
}

void nx_mutex_lock(struct nx_mutex *mutex)
{
    if (!nx_mutex_try_lock(mutex)) {
        mutex_lock_contended(mutex);
    }
}

bool nx_mutex_try_lock(struct nx_mutex *mutex)
{
    uint32_t expected = MUTEX_FREE;
    // Acquire pairs with the release in nx_mutex_unlock.
    return atomic_compare_exchange_strong_explicit(&mutex->state, &expected, MUTEX_HELD,
                                                   memory_order_acquire, memory_order_relaxed);
}

void nx_mutex_unlock(struct nx_mutex *mutex)
{
    // Release pairs with the acquire of the next holder; acquire makes `wakeup` visible.
    if (atomic_exchange_explicit(&mutex->state, MUTEX_FREE, memory_order_acq_rel) !=
        MUTEX_CONTENDED) {
        return;
    }
    nx_handle wakeup = atomic_load_explicit(&mutex->wakeup, memory_order_relaxed);
    if (wakeup != NX_HANDLE_NONE) {
        (void)!nx_notification_signal(wakeup, 1);
    }
}

// The owner word is only ever equal to a thread's own identity when that thread wrote it.
static bool mutex_is_mine(const struct nx_mutex *mutex)
{
    return atomic_load_explicit(&mutex->owner, memory_order_relaxed) == thread_identity();
}

void nx_mutex_lock_recursive(struct nx_mutex *mutex)
{
    if (mutex_is_mine(mutex)) {
        mutex->depth++;
        return;
    }
    nx_mutex_lock(mutex);
    atomic_store_explicit(&mutex->owner, thread_identity(), memory_order_relaxed);
}

bool nx_mutex_try_lock_recursive(struct nx_mutex *mutex)
{
    if (mutex_is_mine(mutex)) {
        mutex->depth++;
        return true;
    }
    if (!nx_mutex_try_lock(mutex)) {
        return false;
    }
    atomic_store_explicit(&mutex->owner, thread_identity(), memory_order_relaxed);
    return true;
}

void nx_mutex_unlock_recursive(struct nx_mutex *mutex)
{
    if (mutex->depth > 0) {
        mutex->depth--;
        return;
    }
    atomic_store_explicit(&mutex->owner, 0, memory_order_relaxed);
    nx_mutex_unlock(mutex);
}

void nx_mutex_destroy(struct nx_mutex *mutex)
{
    nx_handle wakeup =
        atomic_exchange_explicit(&mutex->wakeup, NX_HANDLE_NONE, memory_order_relaxed);
    if (wakeup != NX_HANDLE_NONE) {
        (void)atomic_fetch_sub_explicit(&wakeup_count, 1, memory_order_relaxed);
        nx_handle_drop(wakeup);
    }
}
