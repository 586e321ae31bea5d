// SPDX-License-Identifier: Apache-2.0
// The two other switches that matter: a signal to a more urgent thread that waits, and a yield to
// an equal one. See fastpath.h; results go through the frames here, so all registers may be used.
#include "arch/arch.h"
#include "arch_inline.h"
#include "core/entry.h"
#include "core/hart.h"
#include "core/lock_inline.h"
#include "ipc/fastpath.h"
#include "ipc/notification.h"
#include "nexus/limits.h"
#include "object/process.h"
#include "sched/scheduler.h"
#include "sched/thread.h"

// Leaves the kernel with `next`, which is RUNNING; `slowly` when it may have to end or move.
static inline __attribute__((always_inline)) void switch_to(struct hart *hart, struct thread *next,
                                                            bool slowly)
{
    scheduler_dispatch(hart, NULL, next);
    lock_check_none_held();
    if (__builtin_expect(slowly, 0)) {
        hart->reschedule = true;
        next = kernel_leave(hart);
    }
    arch_leave(next);
}

void fastpath_signal(uint64_t handle, uint64_t bits)
{
    struct hart *hart = hart_self();
    struct thread *current = hart->current;
    struct handle_value value;
    // An idle hart could run one of the two threads: that is the slow path's choice.
    if (bits == 0 || atomic_load_explicit(&scheduler_idle_harts, memory_order_relaxed) != 0 ||
        !handle_lookup_fast(&current->process->handles, handle, NX_OBJECT_NOTIFICATION,
                            NX_RIGHT_SIGNAL, &value))
        return;
    struct notification *notification = CONTAINER_OF(value.object, struct notification, object);
    if (!lock_try_acquire_fast(&notification->lock, hart))
        return;
    struct thread *waiter = notification->waiters.first;
    if (waiter == NULL || !scheduler_may_switch_directly(hart, waiter) ||
        thread_class(waiter) <= thread_class(current) || scheduler_has_more_urgent(hart, waiter)) {
        lock_release_fast(&notification->lock);
        return;
    }

    // Committed.
    (void)thread_queue_pop_front(&notification->waiters);
    uint64_t waited = thread_change_state(waiter, THREAD_WAITING, THREAD_RUNNING);
    bits |= notification_take_bits(notification);
    lock_release_fast(&notification->lock);
    arch_set_status(waiter, NX_OK);
    arch_set_result(waiter, 0, bits);
    // It has its slice left: it goes on before its equals.
    arch_set_status(current, NX_OK);
    (void)thread_change_state(current, THREAD_RUNNING, THREAD_RUNNABLE);
    scheduler_account(hart, current);
    run_queue_push(&hart->run_queue, current, true);
    timer_start_tick(hart);
    switch_to(hart, waiter, (waited & THREAD_KILLED) != 0);
}

// The RUNNING `thread`, which the caller owns, makes way for one of its class or above, whom the
// caller then owns: it goes to the back of its class. The queue's lock is held.
static inline struct thread *rotate(struct run_queue *queue, uint32_t bitmap, struct thread *thread)
{
    uint8_t class = thread_class(thread);
    uint8_t highest = run_queue_highest[bitmap];
    struct thread *next = thread_queue_pop_front(&queue->ready[highest]);
    if (thread_queue_is_empty(&queue->ready[highest]))
        bitmap &= ~(1u << highest);
    (void)thread_change_state(thread, THREAD_RUNNING, THREAD_RUNNABLE);
    thread_queue_push_back(&queue->ready[class], thread);
    arch_store_relaxed(&queue->bitmap, bitmap | 1u << class);
    return next;
}

void fastpath_yield(uint64_t target)
{
    struct hart *hart = hart_self();
    struct thread *current = hart->current;
    struct run_queue *queue = &hart->run_queue;
    if (target != NX_HART_ANY || (thread_affinity(current) & hart->bit) == 0 ||
        !lock_try_acquire_fast(&queue->lock, hart))
        return;
    uint32_t bitmap = atomic_load_explicit(&queue->bitmap, memory_order_relaxed);
    if (bitmap >> thread_class(current) == 0) {
        lock_release_fast(&queue->lock);
        return;
    }
    // Before the thread is given away, because it may run elsewhere at once.
    arch_set_status(current, NX_OK);
    struct thread *next = rotate(queue, bitmap, current);
    lock_release_fast(&queue->lock);
    scheduler_account(hart, current);
    uint64_t queued = thread_change_state(next, THREAD_RUNNABLE, THREAD_RUNNING);
    switch_to(hart, next,
              (queued & THREAD_KILLED) != 0 || (thread_affinity(next) & hart->bit) == 0);
}
