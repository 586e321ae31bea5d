// SPDX-License-Identifier: Apache-2.0
// What happens around some of the kernel's functions (-Wl,--wrap): locks change hands at moments
// that a seeded generator disturbs, and freed memory is overwritten. Whoever still reads it meets
// nonsense, and ThreadSanitizer sees a write that nothing orders after that reader's accesses.
#include "fake.h"

#include "arch_inline.h"
#include "core/lock.h"
#include "mm/frame.h"
#include <string.h>

#define POISON 0xa5

void __real_lock_acquire(struct lock *lock);
void __real_lock_release(struct lock *lock);
void __real_frame_free(paddr_t frame);
void __real_frame_free_block(paddr_t first, uint32_t order);
void __real_lock_check_acquire(struct lock *lock);
void __wrap_lock_check_acquire(struct lock *lock);
void __wrap_lock_acquire(struct lock *lock);
void __wrap_lock_release(struct lock *lock);
void __wrap_frame_free(paddr_t frame);
void __wrap_frame_free_block(paddr_t first, uint32_t order);

// One-shot.
struct hook {
    enum lock_rank rank;
    void (*body)(void);
};
static _Thread_local struct hook before_lock;
static _Thread_local struct hook after_unlock;

void fake_before_lock(enum lock_rank rank, void (*hook)(void))
{
    before_lock = (struct hook){rank, hook};
}

void fake_after_unlock(enum lock_rank rank, void (*hook)(void))
{
    after_unlock = (struct hook){rank, hook};
}

static void run_hook(struct hook *hook, enum lock_rank rank)
{
    void (*body)(void) = hook->body;
    if (body == NULL || hook->rank != rank)
        return;
    hook->body = NULL;
    body();
}

// Reached without lock_acquire by the fast paths alone, which hold the lock by then.
void __wrap_lock_check_acquire(struct lock *lock)
{
    run_hook(&before_lock, lock->rank);
    __real_lock_check_acquire(lock);
}

void __wrap_lock_acquire(struct lock *lock)
{
    fake_perturb();
    run_hook(&before_lock, lock->rank);
    __real_lock_acquire(lock);
}

void __wrap_lock_release(struct lock *lock)
{
    enum lock_rank rank = lock->rank;
    __real_lock_release(lock);
    run_hook(&after_unlock, rank);
    fake_perturb();
}

void __wrap_frame_free(paddr_t frame)
{
    memset(arch_direct_map(frame), POISON, NX_PAGE_SIZE);
    __real_frame_free(frame);
}

void __wrap_frame_free_block(paddr_t first, uint32_t order)
{
    memset(arch_direct_map(first), POISON, NX_PAGE_SIZE << order);
    __real_frame_free_block(first, order);
}
