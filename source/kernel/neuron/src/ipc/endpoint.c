// SPDX-License-Identifier: Apache-2.0
// Endpoints: synchronous call, receive and reply between threads.
#include "ipc/endpoint.h"

#include "arch/arch.h"
#include "arch_inline.h"
#include "core/hart.h"
#include "core/panic.h"
#include "ipc/notification.h"
#include "ipc/transfer.h"
#include "nexus/message.h"
#include "object/process.h"
#include "object/reclaim.h"
#include "sched/scheduler.h"
#include "sched/thread.h"
#include <string.h>

// Threads that are failed in one go.
#define FAIL_STEP 16u

enum nx_status endpoint_create(struct process *process, struct endpoint **endpoint)
{
    struct object *object;
    TRY(object_create(process, NX_OBJECT_ENDPOINT, sizeof(struct endpoint),
                      offsetof(struct endpoint, object), &object));
    *endpoint = CONTAINER_OF(object, struct endpoint, object);
    lock_init(&(*endpoint)->lock, LOCK_RANK_OBJECT);
    return NX_OK;
}

// Where a receiver waits. It has a caller only if it keeps that.
static struct thread_queue *receivers_of(struct endpoint *endpoint, const struct thread *receiver)
{
    return receiver->caller != NULL ? &endpoint->keepers : &endpoint->receivers;
}

void endpoint_remove_waiter(struct endpoint *endpoint, struct thread *thread)
{
    uint64_t wait = atomic_load_explicit(&thread->wait, memory_order_relaxed);
    if (thread_state_of(wait) == THREAD_CALLING)
        thread_queue_remove(&endpoint->callers, thread);
    else
        thread_queue_remove(receivers_of(endpoint, thread), thread);
}

// --- Callers
// --------------------------------------------------------------------------------------

// The words of a queued or awaiting caller's message.
static void sent_words(const struct thread *caller, uint64_t words[6])
{
    if (thread_is_faulted(caller)) {
        memcpy(words, caller->fault_words, sizeof(caller->fault_words));
        return;
    }
    for (unsigned i = 0; i < NX_MESSAGE_WORDS; i++)
        words[i] = arch_get_argument(caller, 1 + i);
}

// Hands the caller's message to the receiver, and the right to answer with it. Both are owned.
static enum nx_status deliver_call(struct thread *caller, struct thread *receiver)
{
    uint64_t words[NX_MESSAGE_WORDS];
    sent_words(caller, words);
    TRY(transfer_message(caller, receiver, caller->send_info, words));
    if (thread_is_faulted(caller))
        arch_set_info(receiver, NX_INFO_FAULT);
    arch_set_badge(receiver, caller->send_badge);
    object_acquire(&caller->object);
    receiver->caller = caller;
    return NX_OK;
}

// Publishes a queued caller as AWAITING_REPLY, still in the same wait, and then looks for what
// could not reach it while it was carried.
static void settle_caller(struct thread *caller)
{
    bool has_deadline = (caller->send_info & NX_INFO_DEADLINE) != 0;
    // Sequentially consistent: published before the deadline is looked at.
    uint64_t wait = atomic_fetch_add_explicit(
        &caller->wait, (uint64_t)THREAD_AWAITING_REPLY - (uint64_t)THREAD_RUNNABLE,
        memory_order_seq_cst);
    uint64_t sequence = thread_sequence_of(wait);
    bool expired =
        has_deadline && atomic_load_explicit(&caller->timer.hart, memory_order_seq_cst) == NULL;
    if (expired)
        (void)thread_cancel(caller, sequence, NX_ERR_TIMED_OUT);
    thread_recheck_kill(caller, wait);
}

// The current thread, with its message in its frame, calls: STATUS_SWITCHED, or an error.
static enum nx_status send_current(struct endpoint *endpoint, uint64_t deadline)
{
    struct hart *hart = hart_self();
    struct thread *current = hart->current;
    lock_acquire(&endpoint->lock);
    if (endpoint->receive_handles == 0) {
        lock_release(&endpoint->lock);
        return NX_ERR_PEER_CLOSED;
    }
    struct thread *receiver = thread_queue_pop_front(&endpoint->receivers);
    if (receiver == NULL) {
        if (deadline != ARCH_TIMER_NEVER)
            timer_start(current, deadline);
        uint64_t wait = thread_begin_wait(current, THREAD_CALLING, &endpoint->object);
        thread_queue_push_back(&endpoint->callers, current);
        struct thread *keeper = thread_queue_pop_front(&endpoint->keepers);
        if (keeper != NULL)
            thread_set_state(keeper, THREAD_RUNNABLE);
        lock_release(&endpoint->lock);
        thread_recheck_kill(current, wait);
        if (keeper != NULL) {
            arch_set_status(keeper, NX_ERR_BUSY);
            arch_set_info(keeper, 0);
            scheduler_make_ready(keeper);
        }
        scheduler_run_next();
        return STATUS_SWITCHED;
    }
    thread_set_state(receiver, THREAD_RUNNABLE);
    lock_release(&endpoint->lock);

    enum nx_status status = deliver_call(current, receiver);
    if (status != NX_OK) {
        // The receiver asks again: what it waits for besides may have come meanwhile.
        arch_set_status(receiver, NX_ERR_CANCELLED);
        arch_set_info(receiver, 0);
        scheduler_make_ready(receiver);
        return status;
    }
    if (deadline != ARCH_TIMER_NEVER)
        timer_start(current, deadline);
    uint64_t wait = thread_begin_wait(current, THREAD_AWAITING_REPLY, NULL);
    receiver->caller_wait = wait & ~THREAD_KILLED;
    thread_recheck_kill(current, wait);
    scheduler_leave_to(hart, receiver);
    return STATUS_SWITCHED;
}

// The deadline that an info word asks for, in nanoseconds. Read once: the page is ordinary memory
// of its process.
static uint64_t requested_deadline(const struct thread *current, uint64_t info)
{
    return (info & NX_INFO_DEADLINE) != 0 ? *(const volatile uint64_t *)&current->page->deadline
                                          : NX_DEADLINE_NEVER;
}

enum nx_status endpoint_call(struct endpoint *endpoint, uint64_t badge, uint64_t info,
                             const uint64_t words[6])
{
    struct thread *current = hart_self()->current;
    if (!transfer_info_is_valid(info))
        return NX_ERR_INVALID_ARGUMENT;
    uint64_t deadline = timer_deadline(requested_deadline(current, info));
    if (deadline <= arch_time())
        return NX_ERR_TIMED_OUT;
    if (deadline == ARCH_TIMER_NEVER)
        info &= ~NX_INFO_DEADLINE;
    for (unsigned i = 0; i < NX_MESSAGE_WORDS; i++)
        arch_set_result(current, i, words[i]);
    current->send_info = info;
    current->send_badge = badge;
    return send_current(endpoint, deadline);
}

void endpoint_send_fault(struct endpoint *endpoint, uint64_t badge)
{
    struct thread *current = hart_self()->current;
    thread_set_faulted(current, true);
    thread_forbid_direct(current);
    current->send_info = 0;
    current->send_badge = badge;
    if (send_current(endpoint, ARCH_TIMER_NEVER) != STATUS_SWITCHED) {
        // No supervisor is left to answer.
        thread_set_faulted(current, false);
        process_kill(current->process, NX_EXIT_FAULTED);
    }
}

// --- Receivers
// ------------------------------------------------------------------------------------

// Takes the bound notification's bits, if any, as the receiver's result.
static bool take_bound_bits(struct thread *receiver)
{
    if (receiver->bound == NULL)
        return false;
    uint64_t bits = notification_take_bits(receiver->bound);
    if (bits == 0)
        return false;
    notification_report(receiver, bits);
    return true;
}

// Takes the next queued caller's message for the current thread. The endpoint's lock is held and is
// released.
static enum nx_status receive_queued(struct endpoint *endpoint, struct thread *caller)
{
    struct thread *current = hart_self()->current;
    thread_set_state(caller, THREAD_RUNNABLE);
    lock_release(&endpoint->lock);
    enum nx_status status = deliver_call(caller, current);
    if (status != NX_OK) {
        arch_set_status(caller, status);
        arch_set_info(caller, 0);
        scheduler_make_ready(caller);
        return NX_ERR_CANCELLED;
    }
    uint64_t wait = atomic_load_explicit(&caller->wait, memory_order_relaxed);
    current->caller_wait = thread_wait_word(THREAD_AWAITING_REPLY, thread_sequence_of(wait));
    settle_caller(caller);
    return NX_OK;
}

// Waits for a message or the bound notification. On NX_OK the result is in the current thread's
// frame; on STATUS_SWITCHED the thread waits and must not be touched, and the caller of this
// function chooses who runs next.
static enum nx_status receive_or_wait(struct endpoint *endpoint, uint64_t deadline)
{
    struct thread *current = hart_self()->current;
    lock_acquire(&endpoint->lock);
    if (take_bound_bits(current)) {
        lock_release(&endpoint->lock);
        return NX_OK;
    }
    if (endpoint->receive_handles == 0) {
        lock_release(&endpoint->lock);
        return NX_ERR_PEER_CLOSED;
    }
    if (endpoint->callers.first != NULL && current->caller != NULL) {
        lock_release(&endpoint->lock);
        return NX_ERR_BUSY;
    }
    struct thread *caller = thread_queue_pop_front(&endpoint->callers);
    if (caller != NULL)
        return receive_queued(endpoint, caller);
    uint64_t ticks = timer_deadline(deadline);
    if (ticks != ARCH_TIMER_NEVER) {
        if (ticks <= arch_time()) {
            lock_release(&endpoint->lock);
            return NX_ERR_TIMED_OUT;
        }
        timer_start(current, ticks);
    }
    uint64_t wait = thread_begin_wait(current, THREAD_RECEIVING, &endpoint->object);
    thread_queue_push_back(receivers_of(endpoint, current), current);
    // Looked at again after the wait is published: a signaller sets bits before it looks at us.
    bool signalled = take_bound_bits(current);
    if (signalled) {
        endpoint_remove_waiter(endpoint, current);
        thread_set_state(current, THREAD_RUNNING);
    }
    lock_release(&endpoint->lock);
    if (signalled) {
        timer_cancel(current);
        return NX_OK;
    }
    thread_recheck_kill(current, wait);
    return STATUS_SWITCHED;
}

void reply_abandon_current(struct thread *current)
{
    if (current->caller == NULL)
        return;
    struct thread *caller = current->caller;
    current->caller = NULL;
    reply_abandon(&caller->object, thread_sequence_of(current->caller_wait));
    object_release(&caller->object);
}

enum nx_status endpoint_receive(struct endpoint *endpoint, uint64_t deadline, bool keep)
{
    if (!keep)
        reply_abandon_current(hart_self()->current);
    enum nx_status status = receive_or_wait(endpoint, deadline);
    if (status == STATUS_SWITCHED)
        scheduler_run_next();
    return status;
}

// --- Replies
// --------------------------------------------------------------------------------------

void reply_abandon(struct object *caller, uint64_t sequence)
{
    // A caller that no longer waits lost nothing.
    (void)thread_cancel(CONTAINER_OF(caller, struct thread, object), sequence, NX_ERR_PEER_CLOSED);
}

// A fault's answer: on with the same registers, or the end of the process.
static void answer_fault(struct thread *caller, uint64_t word)
{
    thread_set_faulted(caller, false);
    if (word != NX_FAULT_RESUME)
        process_kill(caller->process, NX_EXIT_FAULTED);
}

// Gives the answer to a caller whose wait word is `wait`. On NX_OK it is owned by this function's
// caller, which must make it ready. Errors: NX_ERR_PEER_CLOSED (it waits no more); those of
// transfer_message, after which it still waits.
static enum nx_status answer(struct thread *caller, uint64_t wait, uint64_t info,
                             const uint64_t words[6])
{
    if (!transfer_info_is_valid(info))
        return NX_ERR_INVALID_ARGUMENT;
    if (!thread_claim(caller, wait, THREAD_RUNNABLE))
        return NX_ERR_PEER_CLOSED;
    if (thread_is_faulted(caller)) {
        answer_fault(caller, words[0]);
        return NX_OK;
    }
    enum nx_status status = transfer_message(hart_self()->current, caller, info, words);
    if (status != NX_OK)
        settle_caller(caller);
    return status;
}

enum nx_status reply_through_handle(struct object *caller, uint64_t sequence, uint64_t info,
                                    const uint64_t words[6])
{
    struct thread *thread = CONTAINER_OF(caller, struct thread, object);
    enum nx_status status =
        answer(thread, thread_wait_word(THREAD_AWAITING_REPLY, sequence), info, words);
    if (status == NX_OK)
        scheduler_make_ready(thread);
    return status;
}

// Answers the current thread's caller. On NX_OK *caller is owned, or NULL when it is gone.
static enum nx_status answer_current(uint64_t info, const uint64_t words[6], struct thread **caller)
{
    struct thread *current = hart_self()->current;
    struct thread *target = current->caller;
    *caller = NULL;
    if (target == NULL)
        return NX_ERR_BAD_STATE;
    enum nx_status status = answer(target, current->caller_wait, info, words);
    if (status != NX_OK && status != NX_ERR_PEER_CLOSED)
        return status;
    current->caller = NULL;
    // Still valid after its last reference may be gone: until this hart leaves the kernel.
    object_release(&target->object);
    if (status == NX_OK)
        *caller = target;
    return status;
}

enum nx_status endpoint_reply(uint64_t info, const uint64_t words[6])
{
    struct thread *caller;
    enum nx_status status = answer_current(info, words, &caller);
    if (caller != NULL)
        scheduler_make_ready(caller);
    return status;
}

enum nx_status endpoint_reply_receive(struct endpoint *endpoint, uint64_t info,
                                      const uint64_t words[6])
{
    struct hart *hart = hart_self();
    struct thread *caller;
    uint64_t deadline = requested_deadline(hart->current, info);
    enum nx_status status = answer_current(info, words, &caller);
    // Nobody to answer is no reason not to receive: the caller may have died.
    if (status != NX_OK && status != NX_ERR_PEER_CLOSED && status != NX_ERR_BAD_STATE)
        return status;
    status = receive_or_wait(endpoint, deadline);
    if (status != STATUS_SWITCHED) {
        if (caller != NULL)
            scheduler_make_ready(caller);
        return status;
    }
    if (caller != NULL)
        scheduler_leave_to(hart, caller);
    else
        scheduler_run_next();
    return STATUS_SWITCHED;
}

enum nx_status reply_save(nx_handle *handle)
{
    struct thread *current = hart_self()->current;
    if (current->caller == NULL)
        return NX_ERR_BAD_STATE;
    struct handle_value value = {
        .object = &current->caller->object,
        .badge = thread_sequence_of(current->caller_wait),
        .rights = NX_RIGHT_CALL,
        .type = NX_OBJECT_REPLY,
    };
    TRY(handle_install(current->process, &value, handle));
    object_release(&current->caller->object);
    current->caller = NULL;
    return NX_OK;
}

// --- Life cycle
// -----------------------------------------------------------------------------------

void endpoint_receiver_added(struct object *object)
{
    struct endpoint *endpoint = CONTAINER_OF(object, struct endpoint, object);
    lock_acquire(&endpoint->lock);
    endpoint->receive_handles++;
    lock_release(&endpoint->lock);
}

// Fails up to FAIL_STEP threads in one queue; true when none is left. No lock is held; each thread
// leaves under the lock.
static bool fail_some(struct endpoint *endpoint, struct thread_queue *queue)
{
    for (uint32_t i = 0; i < FAIL_STEP; i++) {
        lock_acquire(&endpoint->lock);
        struct thread *thread = queue->first;
        uint64_t wait = 0;
        if (thread != NULL)
            wait = atomic_load_explicit(&thread->wait, memory_order_relaxed);
        lock_release(&endpoint->lock);
        if (thread == NULL)
            return true;
        (void)thread_cancel(thread, thread_sequence_of(wait), NX_ERR_PEER_CLOSED);
    }
    return false;
}

static bool fail_some_of_all(struct endpoint *endpoint)
{
    return fail_some(endpoint, &endpoint->callers) && fail_some(endpoint, &endpoint->receivers) &&
           fail_some(endpoint, &endpoint->keepers);
}

// Whether threads wait that nobody has the right to serve any more. The lock is held.
static bool is_deserted_locked(const struct endpoint *endpoint)
{
    return endpoint->receive_handles == 0 &&
           (endpoint->callers.first != NULL || endpoint->receivers.first != NULL ||
            endpoint->keepers.first != NULL);
}

void endpoint_receiver_removed(struct object *object)
{
    struct endpoint *endpoint = CONTAINER_OF(object, struct endpoint, object);
    lock_acquire(&endpoint->lock);
    ASSERT(endpoint->receive_handles > 0);
    bool last = --endpoint->receive_handles == 0;
    lock_release(&endpoint->lock);
    if (!last || fail_some_of_all(endpoint))
        return;
    lock_acquire(&endpoint->lock);
    bool begin = is_deserted_locked(endpoint) && !endpoint->draining;
    if (begin)
        endpoint->draining = true;
    lock_release(&endpoint->lock);
    if (begin) {
        object_acquire(object);
        reclaim_add_work(object);
    }
}

// A step for an endpoint that still has references.
static enum destroy_result drain_step(struct endpoint *endpoint)
{
    lock_acquire(&endpoint->lock);
    bool more = is_deserted_locked(endpoint);
    endpoint->draining = more;
    lock_release(&endpoint->lock);
    if (more) {
        (void)fail_some_of_all(endpoint);
        return DESTROY_MORE;
    }
    object_release(&endpoint->object);
    return DESTROY_KEEP;
}

enum destroy_result endpoint_destroy_step(struct object *object)
{
    struct endpoint *endpoint = CONTAINER_OF(object, struct endpoint, object);
    if (endpoint->draining)
        return drain_step(endpoint);
    // Threads whose process closed the handle while they waited.
    if (!fail_some_of_all(endpoint))
        return DESTROY_MORE;
    // Whoever meant to end such a wait may still be looking for the lock.
    return DESTROY_UNLINKED;
}
