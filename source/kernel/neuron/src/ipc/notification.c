// SPDX-License-Identifier: Apache-2.0
// Notifications: a word of sticky bits that threads wait for.
#include "ipc/notification.h"

#include "arch/arch.h"
#include "arch_inline.h"
#include "core/hart.h"
#include "core/lock_inline.h"
#include "core/panic.h"
#include "ipc/endpoint.h"
#include "nexus/message.h"
#include "sched/scheduler.h"
#include "sched/thread.h"

// Threads that are failed in one go.
#define FAIL_STEP 16u

enum nx_status notification_create(struct process *process, struct notification **notification)
{
    struct object *object;
    enum nx_status status =
        object_create(process, NX_OBJECT_NOTIFICATION, sizeof(struct notification),
                      offsetof(struct notification, object), &object);
    if (status != NX_OK)
        return status;
    *notification = CONTAINER_OF(object, struct notification, object);
    lock_init(&(*notification)->lock, LOCK_RANK_OBJECT);
    return NX_OK;
}

void notification_report(struct thread *receiver, uint64_t bits)
{
    arch_set_status(receiver, NX_OK);
    arch_set_result(receiver, 0, bits);
    arch_set_info(receiver, NX_INFO_NOTIFICATION);
    arch_set_badge(receiver, 0);
}

void notification_remove_waiter(struct notification *notification, struct thread *thread)
{
    thread_queue_remove(&notification->waiters, thread);
}

// Takes one waiter out with the bits as its result; NULL when none waits or none is left to give.
static struct thread *take_waiter(struct notification *notification)
{
    lock_acquire_fast(&notification->lock);
    struct thread *thread = notification->waiters.first;
    uint64_t bits = thread != NULL ? notification_take_bits(notification) : 0;
    if (bits != 0) {
        thread_queue_remove(&notification->waiters, thread);
        thread_set_state(thread, THREAD_RUNNABLE);
        arch_set_status(thread, NX_OK);
        arch_set_result(thread, 0, bits);
    } else {
        thread = NULL;
    }
    lock_release_fast(&notification->lock);
    return thread;
}

// Takes the bound thread out of its receive with the bits as its result, if it is receiving.
static bool take_receiver(struct notification *notification, struct thread *thread)
{
    uint64_t wait = atomic_load_explicit(&thread->wait, memory_order_seq_cst);
    if (thread_state_of(wait) != THREAD_RECEIVING)
        return false;
    struct object *object = atomic_load_explicit(&thread->waiting_on, memory_order_relaxed);
    struct endpoint *endpoint = CONTAINER_OF(object, struct endpoint, object);
    if (object == NULL || object->type != NX_OBJECT_ENDPOINT)
        return false;
    bool taken = false;
    lock_acquire(&endpoint->lock);
    if (atomic_load_explicit(&thread->wait, memory_order_relaxed) == wait &&
        atomic_load_explicit(&thread->waiting_on, memory_order_relaxed) == object &&
        thread->bound == notification) {
        uint64_t bits = notification_take_bits(notification);
        if (bits != 0) {
            endpoint_remove_waiter(endpoint, thread);
            thread_set_state(thread, THREAD_RUNNABLE);
            notification_report(thread, bits);
            taken = true;
        }
    }
    lock_release(&endpoint->lock);
    return taken;
}

void notification_wake_bound(struct notification *notification)
{
    struct thread *thread = atomic_load_explicit(&notification->bound, memory_order_acquire);
    if (thread != NULL && take_receiver(notification, thread))
        scheduler_make_ready(thread);
}

void notification_signal(struct notification *notification, uint64_t bits)
{
    atomic_fetch_or_explicit(&notification->bits, bits, memory_order_seq_cst);
    struct thread *thread = take_waiter(notification);
    if (thread != NULL)
        scheduler_make_ready(thread);
    else
        notification_wake_bound(notification);
}

static enum nx_status sleep_until(uint64_t deadline)
{
    struct thread *current = hart_self()->current;
    if (deadline <= arch_time())
        return NX_ERR_TIMED_OUT;
    if (deadline != ARCH_TIMER_NEVER)
        timer_start(current, deadline);
    uint64_t wait = thread_begin_wait(current, THREAD_SLEEPING, NULL);
    thread_recheck_kill(current, wait);
    scheduler_run_next();
    return STATUS_SWITCHED;
}

enum nx_status notification_wait(struct notification *notification, uint64_t deadline)
{
    if (notification == NULL)
        return sleep_until(deadline);
    struct thread *current = hart_self()->current;
    uint64_t bits = notification_take_bits(notification);
    if (bits == 0 && deadline <= arch_time())
        return NX_ERR_TIMED_OUT;
    if (bits == 0) {
        lock_acquire(&notification->lock);
        if (deadline != ARCH_TIMER_NEVER)
            timer_start(current, deadline);
        uint64_t wait = thread_begin_wait(current, THREAD_WAITING, &notification->object);
        thread_queue_push_back(&notification->waiters, current);
        // Looked at again after the wait is published.
        bits = notification_take_bits(notification);
        if (bits != 0) {
            thread_queue_remove(&notification->waiters, current);
            thread_set_state(current, THREAD_RUNNING);
        }
        lock_release(&notification->lock);
        if (bits == 0) {
            thread_recheck_kill(current, wait);
            scheduler_run_next();
            return STATUS_SWITCHED;
        }
        timer_cancel(current);
    }
    arch_set_result(current, 0, bits);
    return NX_OK;
}

enum nx_status notification_bind_thread(struct notification *notification, struct thread *thread)
{
    if (notification != NULL) {
        if (!object_try_acquire(&notification->object))
            return NX_ERR_BAD_HANDLE;
        struct thread *expected = NULL;
        if (notification != thread->bound &&
            !atomic_compare_exchange_strong_explicit(&notification->bound, &expected, thread,
                                                     memory_order_acq_rel, memory_order_relaxed)) {
            object_release(&notification->object);
            return NX_ERR_BUSY;
        }
    }
    struct notification *old = thread->bound;
    thread->bound = notification;
    if (old != NULL) {
        if (old != notification)
            atomic_store_explicit(&old->bound, NULL, memory_order_release);
        object_release(&old->object);
    }
    return NX_OK;
}

enum destroy_result notification_destroy_step(struct object *object)
{
    struct notification *notification = CONTAINER_OF(object, struct notification, object);
    for (uint32_t i = 0; i < FAIL_STEP; i++) {
        // Threads whose process closed the handle while they waited.
        lock_acquire(&notification->lock);
        struct thread *thread = notification->waiters.first;
        uint64_t wait = 0;
        if (thread != NULL)
            wait = atomic_load_explicit(&thread->wait, memory_order_relaxed);
        lock_release(&notification->lock);
        if (thread == NULL)
            return DESTROY_UNLINKED; // whoever meant to end such a wait may still be here
        (void)thread_cancel(thread, thread_sequence_of(wait), NX_ERR_PEER_CLOSED);
    }
    return DESTROY_MORE;
}
