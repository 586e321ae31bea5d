// SPDX-License-Identifier: Apache-2.0
// Lock checking of the checked kernel: each hart's stack of held locks, and the rank rule.
#include "lock_check.h"

#include "arch/arch.h"
#include "arch_inline.h"
#include "core/hart.h"
#include "core/panic.h"

void lock_check_acquire(struct lock *lock)
{
    struct lock_check *check = &hart_self()->lock_check;
    if (check->depth > 0) {
        const struct lock *top = check->held[check->depth - 1];
        bool ascends = lock->rank > top->rank || (lock->rank == top->rank && lock > top);
        if (!ascends)
            panic("lock order: rank %u wanted while holding rank %u", (unsigned)lock->rank,
                  (unsigned)top->rank);
    }
    ASSERT(check->depth < LOCK_CHECK_DEPTH);
    check->held[check->depth++] = lock;
}

void lock_check_release(struct lock *lock)
{
    struct lock_check *check = &hart_self()->lock_check;
    for (uint32_t i = check->depth; i-- > 0;) {
        if (check->held[i] != lock)
            continue;
        for (uint32_t j = i; j + 1 < check->depth; j++)
            check->held[j] = check->held[j + 1];
        check->depth--;
        return;
    }
    panic("lock of rank %u released by a hart that does not hold it", (unsigned)lock->rank);
}

void lock_check_none_held(void)
{
    ASSERT_EQUAL(hart_self()->lock_check.depth, 0);
}
