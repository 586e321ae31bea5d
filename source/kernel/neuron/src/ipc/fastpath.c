// SPDX-License-Identifier: Apache-2.0
// The two messages that matter most: see fastpath.h.
#include "ipc/fastpath.h"

#include "arch/arch.h"
#include "arch_inline.h"
#include "core/entry.h"
#include "core/hart.h"
#include "core/lock_inline.h"
#include "ipc/endpoint.h"
#include "ipc/notification.h"
#include "nexus/message.h"
#include "object/process.h"
#include "sched/scheduler.h"
#include "sched/thread.h"

// Whether this hart could and should run the waiting `thread` at once, by nothing but its
// registers. If not, the message goes the same way, and fastpath_end chooses who runs where.
static inline bool is_next(const struct hart *hart, const struct thread *thread)
{
    return scheduler_may_switch_directly(hart, thread) && !scheduler_has_more_urgent(hart, thread);
}

// Whether an info word asks for nothing but bytes and up to `handles_max` handles.
static inline bool is_plain(uint64_t info, uint32_t handles_max)
{
    return info >> NX_INFO_BYTES_SHIFT <= NX_MESSAGE_BYTES_MAX &&
           NX_INFO_HANDLES(info) <= handles_max;
}

// Copies the bytes that an info word tells of from page to page. Whoever runs in the sender's
// process may be changing them.
static inline void copy_bytes(const struct thread *sender, struct thread *receiver, uint64_t info)
{
    const uint64_t *from = (const uint64_t *)(const void *)sender->page->data;
    uint64_t *to = (uint64_t *)(void *)receiver->page->data;
    uint64_t length = NX_INFO_BYTES(info);
    const uint64_t *end = from + length / sizeof(uint64_t);
    while (from < end)
        *to++ = *from++;
    for (uint64_t i = 0; i < length % sizeof(uint64_t); i++)
        ((uint8_t *)to)[i] = ((const uint8_t *)from)[i];
}

// What a fast path has looked up and decided. Constants and registers, not memory: all of it is
// inlined.
struct message {
    struct thread *sender; // the current thread
    uint64_t info;
    bool with_page; // it has bytes or handles as well, as its info word says
    bool direct;    // the switch
};

#define INLINED static inline __attribute__((always_inline))

// The current thread's call is `receiver`'s, the first in the endpoint's queue. The lock is held.
// Committed.
INLINED void commit_call(struct hart *hart, struct endpoint *endpoint, struct thread *receiver,
                         uint64_t badge, struct message message)
{
    struct thread *current = message.sender;
    (void)thread_queue_pop_front(&endpoint->receivers);
    uint64_t received = thread_change_state(receiver, THREAD_RECEIVING,
                                            message.direct ? THREAD_RUNNING : THREAD_RUNNABLE);
    lock_release_fast(&endpoint->lock);
    if (message.with_page) {
        if (NX_INFO_HANDLES(message.info) != 0) {
            // The words wait in the sender's own frame: the receiver may come to see none of it.
            arch_keep_message(current, 0, 0);
            struct fastpath_handles handles = {current, receiver, NX_INFO_HANDLES(message.info),
                                               NX_OK};
            if (fastpath_transfer(&handles) != NX_OK) {
                arch_leave(fastpath_abort(&handles));
                return;
            }
            arch_reload_message(current);
        }
        copy_bytes(current, receiver, message.info);
    }
    object_acquire_fast(&current->object);
    receiver->caller = current;
    current->send_info = 0;
    // Published: from here on others may end the wait. Its word names the reply right.
    uint64_t wait = thread_begin_wait(current, THREAD_AWAITING_REPLY, NULL);
    receiver->caller_wait = wait; // without THREAD_KILLED, or fastpath_end takes it out
    if (!message.direct || __builtin_expect(((wait | received) & THREAD_KILLED) != 0, 0)) {
        arch_keep_message(receiver, badge, message.info);
        arch_leave(
            fastpath_end(&(struct fastpath_switch){current, wait, NULL, receiver, message.direct}));
        return;
    }
    scheduler_dispatch_directly(hart, receiver);
    lock_check_none_held();
    arch_leave_with_message(receiver, badge, message.info);
}

INLINED uint64_t call(uint64_t handle, bool with_page)
{
    struct hart *hart = hart_self();
    struct thread *current = hart->current;
    uint64_t info = with_page ? arch_message_info() & ~NX_INFO_NUMBER_MASK : 0;
    if (!is_plain(info, NX_MESSAGE_HANDLES_MAX))
        return handle;
    struct handle_value value;
    if (!handle_lookup_fast(&current->process->handles, handle, NX_OBJECT_ENDPOINT, NX_RIGHT_CALL,
                            &value))
        return handle;
    struct endpoint *endpoint = CONTAINER_OF(value.object, struct endpoint, object);
    if (!lock_try_acquire_fast(&endpoint->lock, hart))
        return handle;
    // Somebody waits, and the right to receive still exists.
    struct thread *receiver = endpoint->receivers.first;
    if (receiver == NULL || endpoint->receive_handles == 0) {
        lock_release_fast(&endpoint->lock);
        return handle;
    }
    if (__builtin_expect(is_next(hart, receiver), 1))
        commit_call(hart, endpoint, receiver, value.badge,
                    (struct message){current, info, with_page, true});
    else
        commit_call(hart, endpoint, receiver, value.badge,
                    (struct message){current, info, with_page, false});
    return handle; // not reached: a committed call has left
}

uint64_t fastpath_call(uint64_t handle)
{
    return call(handle, false);
}

uint64_t fastpath_call_with_page(uint64_t handle)
{
    return call(handle, true);
}

// The answer is `caller`'s, whom this hart has claimed, and the current thread waits for the next
// call. The endpoint's lock is held. Committed.
INLINED void commit_reply_receive(struct hart *hart, struct endpoint *endpoint,
                                  struct notification *bound, struct thread *caller,
                                  struct message message)
{
    struct thread *current = message.sender;
    if (message.with_page)
        copy_bytes(current, caller, message.info);
    current->caller = NULL;
    object_release_shared(&caller->object); // its process lists it: it is alive
    thread_queue_push_back(&endpoint->receivers, current);
    uint64_t wait = thread_begin_wait(current, THREAD_RECEIVING, &endpoint->object);
    lock_release_fast(&endpoint->lock);
    // A signal or a kill that came before the wait was published is still to be acted on.
    bool signalled = bound != NULL && atomic_load_explicit(&bound->bits, memory_order_seq_cst) != 0;
    if (!message.direct || __builtin_expect(signalled || (wait & THREAD_KILLED) != 0, 0)) {
        arch_keep_message(caller, 0, message.info);
        arch_leave(fastpath_end(&(struct fastpath_switch){current, wait, signalled ? bound : NULL,
                                                          caller, message.direct}));
        return;
    }
    scheduler_dispatch_directly(hart, caller);
    lock_check_none_held();
    arch_leave_with_message(caller, 0, message.info);
}

INLINED uint64_t reply_receive(uint64_t handle, bool with_page)
{
    struct hart *hart = hart_self();
    struct thread *current = hart->current;
    uint64_t info = with_page ? arch_message_info() & ~NX_INFO_NUMBER_MASK : 0;
    // Handles are installed under locks that come before the endpoint's: not here.
    if (!is_plain(info, 0))
        return handle;
    // A caller to answer.
    struct thread *caller = current->caller;
    if (caller == NULL)
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
    if (!thread_queue_is_empty(&endpoint->callers) || endpoint->receive_handles == 0)
        goto declined;
    // The caller still waits for this answer: claimed, it is this hart's.
    if (__builtin_expect(is_next(hart, caller), 1)) {
        if (thread_claim(caller, current->caller_wait, THREAD_RUNNING)) {
            commit_reply_receive(hart, endpoint, bound, caller,
                                 (struct message){current, info, with_page, true});
            return handle;
        }
    } else if (!thread_is_faulted(caller) && // its registers must stay
               thread_claim(caller, current->caller_wait, THREAD_RUNNABLE)) {
        commit_reply_receive(hart, endpoint, bound, caller,
                             (struct message){current, info, with_page, false});
        return handle;
    }
declined:
    lock_release_fast(&endpoint->lock);
    return handle;
}

uint64_t fastpath_reply_receive(uint64_t handle)
{
    return reply_receive(handle, false);
}

uint64_t fastpath_reply_receive_with_page(uint64_t handle)
{
    return reply_receive(handle, true);
}
