// SPDX-License-Identifier: Apache-2.0
// The two messages that matter most, with nothing but register words: see fastpath.h.
#include "ipc/fastpath.h"

#include "arch/arch.h"
#include "arch_inline.h"
#include "core/entry.h"
#include "core/hart.h"
#include "core/lock_inline.h"
#include "ipc/endpoint.h"
#include "ipc/notification.h"
#include "object/process.h"
#include "sched/scheduler.h"
#include "sched/thread.h"

// Whether `thread` waits and this hart could and should run it at once.
static inline bool is_next(const struct hart *hart, const struct thread *thread)
{
    return thread != NULL && scheduler_may_switch_directly(hart, thread) &&
           !scheduler_has_more_urgent(hart, thread);
}

uint64_t fastpath_call(uint64_t handle)
{
    struct hart *hart = hart_self();
    struct thread *current = hart->current;
    struct handle_value value;
    if (!handle_lookup_fast(&current->process->handles, handle, NX_OBJECT_ENDPOINT, NX_RIGHT_CALL,
                            &value))
        return handle;
    struct endpoint *endpoint = CONTAINER_OF(value.object, struct endpoint, object);
    if (!lock_try_acquire_fast(&endpoint->lock, hart))
        return handle;
    // A receiver that this hart can run at once.
    struct thread *receiver = endpoint->receivers.first;
    if (!is_next(hart, receiver)) {
        lock_release_fast(&endpoint->lock);
        return handle;
    }

    // Committed.
    (void)thread_queue_pop_front(&endpoint->receivers);
    uint64_t received = thread_change_state(receiver, THREAD_RECEIVING, THREAD_RUNNING);
    lock_release_fast(&endpoint->lock);
    object_acquire_fast(&current->object);
    receiver->caller = current;
    current->send_info = 0;
    // Published: from here on others may end the wait. Its word names the reply right.
    uint64_t wait = thread_begin_wait(current, THREAD_AWAITING_REPLY, NULL);
    receiver->caller_wait = wait; // without THREAD_KILLED, or fastpath_end takes it out
    if (__builtin_expect(((wait | received) & THREAD_KILLED) != 0, 0)) {
        arch_keep_message(receiver, value.badge);
        arch_leave(fastpath_end(&(struct fastpath_switch){current, wait, NULL, receiver}));
        return handle;
    }
    scheduler_dispatch_directly(hart, receiver);
    lock_check_none_held();
    arch_leave_with_message(receiver, value.badge);
    return handle;
}

uint64_t fastpath_reply_receive(uint64_t handle)
{
    struct hart *hart = hart_self();
    struct thread *current = hart->current;
    // A caller to answer whom this hart can run at once.
    struct thread *caller = current->caller;
    if (!is_next(hart, caller))
        return handle;
    // An endpoint to receive from, where nobody waits, and no signal to report.
    struct handle_value value;
    if (!handle_lookup_fast(&current->process->handles, handle, NX_OBJECT_ENDPOINT,
                            NX_RIGHT_RECEIVE, &value))
        return handle;
    struct endpoint *endpoint = CONTAINER_OF(value.object, struct endpoint, object);
    struct notification *bound = current->bound;
    if (bound != NULL && atomic_load_explicit(&bound->bits, memory_order_relaxed) != 0)
        return handle;
    if (!lock_try_acquire_fast(&endpoint->lock, hart))
        return handle;
    // The caller still waits for this answer: from here on this hart owns it.
    if (!thread_queue_is_empty(&endpoint->callers) ||
        !thread_claim(caller, current->caller_wait, THREAD_RUNNING)) {
        lock_release_fast(&endpoint->lock);
        return handle;
    }

    // Committed.
    current->caller = NULL;
    object_release_shared(&caller->object); // its process lists it: it runs
    thread_queue_push_back(&endpoint->receivers, current);
    uint64_t wait = thread_begin_wait(current, THREAD_RECEIVING, &endpoint->object);
    lock_release_fast(&endpoint->lock);
    // A signal or a kill that came before the wait was published is still to be acted on.
    bool signalled = bound != NULL && atomic_load_explicit(&bound->bits, memory_order_seq_cst) != 0;
    if (__builtin_expect(signalled || (wait & THREAD_KILLED) != 0, 0)) {
        arch_keep_message(caller, 0);
        arch_leave(fastpath_end(
            &(struct fastpath_switch){current, wait, signalled ? bound : NULL, caller}));
        return handle;
    }
    scheduler_dispatch_directly(hart, caller);
    lock_check_none_held();
    arch_leave_with_message(caller, 0);
    return handle;
}
