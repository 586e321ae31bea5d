// SPDX-License-Identifier: Apache-2.0
// The two messages that matter most, with nothing but register words.
#include "ipc/fastpath.h"

#include "arch/arch.h"
#include "arch_inline.h"
#include "core/entry.h"
#include "core/hart.h"
#include "core/lock_inline.h"
#include "ipc/endpoint.h"
#include "ipc/notification.h"
#include "nexus/syscall.h"
#include "object/process.h"
#include "object/reclaim.h"
#include "sched/scheduler.h"
#include "sched/thread.h"
#include "syscall/syscall.h"

// Gives the receiver of a message its result registers.
static inline void deliver_words(struct thread *receiver, uint64_t word0, uint64_t word1,
                                 uint64_t word2, uint64_t word3, uint64_t word4, uint64_t word5)
{
    arch_set_status(receiver, NX_OK);
    arch_set_result(receiver, 0, word0);
    arch_set_result(receiver, 1, word1);
    arch_set_result(receiver, 2, word2);
    arch_set_result(receiver, 3, word3);
    arch_set_result(receiver, 4, word4);
    arch_set_result(receiver, 5, word5);
    arch_set_info(receiver, 0);
}

// Whether this hart may switch straight to `thread`: its affinity allows it and no deadline has to
// be taken back.
static inline bool can_switch_to(const struct hart *hart, struct thread *thread)
{
    return (atomic_load_explicit(&thread->affinity, memory_order_relaxed) & hart_bit(hart)) != 0 &&
           atomic_load_explicit(&thread->timer.hart, memory_order_relaxed) == NULL;
}

// Switches from `current`, which waits, to `next`, which this hart owns, and leaves the kernel.
static inline struct thread *switch_and_leave(struct hart *hart, struct thread *current,
                                              struct thread *next)
{
    scheduler_dispatch(hart, current, next);
    if (hart->reschedule || atomic_load_explicit(&next->pending, memory_order_relaxed) != 0)
        return kernel_leave(hart);
    reclaim_pass(hart);
    lock_check_none_held();
    return next;
}

struct thread *fastpath_call(uint64_t handle, uint64_t word0, uint64_t word1, uint64_t word2,
                             uint64_t word3, uint64_t word4, uint64_t word5)
{
    struct hart *hart = hart_self();
    struct thread *current = hart->current;
    // An endpoint that may be called.
    struct handle_value value;
    if (!handle_lookup_fast(&current->process->handles, handle, NX_OBJECT_ENDPOINT, NX_RIGHT_CALL,
                            &value))
        goto slow;
    struct endpoint *endpoint = CONTAINER_OF(value.object, struct endpoint, object);
    // A receiver waits that this hart can run at once, and the right to receive still exists.
    if (!lock_try_acquire_fast(&endpoint->lock, hart))
        goto slow;
    struct thread *receiver = endpoint->receivers.first;
    if (receiver == NULL || endpoint->receive_handles == 0 || !can_switch_to(hart, receiver) ||
        scheduler_has_more_urgent(hart, receiver)) {
        lock_release_fast(&endpoint->lock);
        goto slow;
    }

    // Committed.
    thread_queue_remove(&endpoint->receivers, receiver);
    uint64_t receiver_wait = atomic_load_explicit(&receiver->wait, memory_order_relaxed);
    atomic_store_explicit(&receiver->wait,
                          (receiver_wait & ~THREAD_STATE_MASK) | (uint64_t)THREAD_RUNNING,
                          memory_order_relaxed);
    lock_release_fast(&endpoint->lock);
    deliver_words(receiver, word0, word1, word2, word3, word4, word5);
    arch_set_badge(receiver, value.badge);
    object_acquire_fast(&current->object);
    receiver->caller = current;
    current->send_info = 0;
    // Published: from here on others may end the wait. Its sequence names the reply right.
    receiver->caller_sequence = thread_begin_wait_fast(current, THREAD_AWAITING_REPLY, NULL);
    if (__builtin_expect(atomic_load_explicit(&current->pending, memory_order_seq_cst) != 0, 0))
        thread_recheck_kill(current);
    return switch_and_leave(hart, current, receiver);

slow:
    return syscall_slow(handle, word0, word1, word2, word3, word4, word5, NX_SYS_CALL);
}

struct thread *fastpath_reply_receive(uint64_t handle, uint64_t word0, uint64_t word1,
                                      uint64_t word2, uint64_t word3, uint64_t word4,
                                      uint64_t word5)
{
    struct hart *hart = hart_self();
    struct thread *current = hart->current;
    // A caller to answer, by words, whom this hart can run at once and should.
    struct thread *caller = current->caller;
    if (caller == NULL || thread_is_faulted(caller) || !can_switch_to(hart, caller) ||
        scheduler_has_more_urgent(hart, caller))
        goto slow;
    // An endpoint to receive from, where nobody waits, and no signal to report.
    struct handle_value value;
    if (!handle_lookup_fast(&current->process->handles, handle, NX_OBJECT_ENDPOINT,
                            NX_RIGHT_RECEIVE, &value))
        goto slow;
    struct endpoint *endpoint = CONTAINER_OF(value.object, struct endpoint, object);
    struct notification *bound = current->bound;
    if (bound != NULL && atomic_load_explicit(&bound->bits, memory_order_relaxed) != 0)
        goto slow;
    if (!lock_try_acquire_fast(&endpoint->lock, hart))
        goto slow;
    // The caller still waits for this answer: from here on this hart owns it.
    if (!thread_queue_is_empty(&endpoint->callers) ||
        !thread_claim_as(caller, THREAD_AWAITING_REPLY, current->caller_sequence, THREAD_RUNNING)) {
        lock_release_fast(&endpoint->lock);
        goto slow;
    }

    // Committed.
    deliver_words(caller, word0, word1, word2, word3, word4, word5);
    current->caller = NULL;
    object_release_fast(&caller->object);
    (void)thread_begin_wait_fast(current, THREAD_RECEIVING, &endpoint->object);
    thread_queue_push_back(&endpoint->receivers, current);
    lock_release_fast(&endpoint->lock);
    // A signal or a kill that came before the wait was published is still to be acted on.
    if (bound != NULL &&
        __builtin_expect(atomic_load_explicit(&bound->bits, memory_order_seq_cst) != 0, 0))
        notification_wake_bound(bound);
    if (__builtin_expect(atomic_load_explicit(&current->pending, memory_order_seq_cst) != 0, 0))
        thread_recheck_kill(current);
    return switch_and_leave(hart, current, caller);

slow:
    return syscall_slow(handle, word0, word1, word2, word3, word4, word5, NX_SYS_REPLY_RECEIVE);
}
