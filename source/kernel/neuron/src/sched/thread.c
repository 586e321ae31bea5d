// SPDX-License-Identifier: Apache-2.0
// Threads: state, ownership, blocking and the one door out of every wait.
#include "sched/thread.h"

#include "arch_inline.h"
#include "core/hart.h"
#include "core/panic.h"
#include "ipc/endpoint.h"
#include "ipc/notification.h"
#include "mm/memory.h"
#include "object/process.h"
#include "object/reclaim.h"
#include "sched/scheduler.h"

// Destruction steps after a thread's end: most processes are gone after these.
#define RECLAIM_STEPS_END 256u

static _Atomic uint64_t next_thread_id = 1;

// Owner only.
static void set_beginning(struct thread *thread, const struct thread_beginning *beginning)
{
    uint8_t class = beginning->class;
    if (class == NX_CLASS_COUNT)
        class = NX_CLASS_NORMAL;
    if (thread->process->highest_class < class)
        class = (uint8_t)thread->process->highest_class;
    uint32_t affinity = beginning->affinity != 0 ? beginning->affinity : (1u << NX_HARTS_MAX) - 1;
    thread->id = atomic_fetch_add_explicit(&next_thread_id, 1, memory_order_relaxed);
    atomic_store_explicit(&thread->home, hart_self(), memory_order_relaxed);
    atomic_store_explicit(&thread->placement, affinity, memory_order_relaxed);
    thread_set_class(thread, class);
    arch_thread_forget_fpu(thread);
    arch_thread_init(thread, beginning->entry, beginning->stack, beginning->argument,
                     beginning->thread_pointer);
}

enum nx_status thread_create(struct process *process, const struct thread_beginning *beginning,
                             struct memory *page_memory, uint64_t page_offset,
                             struct thread **thread)
{
    void *page;
    enum nx_status status = memory_page_pointer(page_memory, page_offset, &page);
    if (status != NX_OK)
        return status;
    // The thread's reference, before anything is charged: the process may be retired already.
    if (!object_try_acquire(&process->object))
        return NX_ERR_BAD_HANDLE;
    struct object *object;
    status = object_create(process, NX_OBJECT_THREAD, sizeof(struct thread),
                           offsetof(struct thread, object), &object);
    if (status != NX_OK)
        goto release_process;
    struct thread *created = CONTAINER_OF(object, struct thread, object);
    status = NX_ERR_BAD_HANDLE;
    if (!object_try_acquire(&page_memory->object))
        goto discard;
    created->page = page;
    created->page_memory = page_memory;
    created->process = process;
    set_beginning(created, beginning);
    // The process's own reference, for as long as the thread is listed there: once it is listed, a
    // kill of the process may run it and end it.
    object_acquire(&created->object);
    lock_acquire(&process->lock);
    status = process_list_thread(process, created);
    lock_release(&process->lock);
    if (status != NX_OK)
        goto release_page;
    *thread = created;
    return NX_OK;

release_page:
    object_release(&page_memory->object);
discard:
    object_discard(object);
release_process:
    object_release(&process->object);
    return status;
}

enum nx_status thread_restart(struct thread *thread, const struct thread_beginning *beginning)
{
    struct process *process = thread->process;
    // The process's own reference, as in thread_create.
    if (!object_try_acquire(&thread->object))
        return NX_ERR_BAD_HANDLE;
    lock_acquire(&process->lock);
    uint64_t wait = atomic_load_explicit(&thread->wait, memory_order_relaxed);
    enum nx_status status = NX_ERR_BAD_STATE;
    if (thread_state_of(wait) == THREAD_DEAD)
        status = process_list_thread(process, thread);
    if (status == NX_OK) {
        thread_set_faulted(thread, false);
        set_beginning(thread, beginning);
        // A kill meant its former life, or comes after this. The sequence goes on: reply rights of
        // that life may still be about.
        atomic_store_explicit(&thread->wait,
                              thread_wait_word(THREAD_RUNNABLE, thread_sequence_of(wait) + 1),
                              memory_order_relaxed);
    }
    lock_release(&process->lock);
    if (status == NX_OK)
        scheduler_make_ready(thread);
    else
        object_release(&thread->object);
    return status;
}

enum nx_status thread_start(struct thread *thread)
{
    uint64_t wait = atomic_load_explicit(&thread->wait, memory_order_relaxed);
    do {
        if (thread_state_of(wait) != THREAD_NEW)
            return NX_ERR_BAD_STATE;
    } while (!atomic_compare_exchange_weak_explicit(&thread->wait, &wait,
                                                    wait + (uint64_t)THREAD_RUNNABLE,
                                                    memory_order_acquire, memory_order_relaxed));
    scheduler_make_ready(thread);
    return NX_OK;
}

// Takes the thread out of the queue it waits in, under the lock of the object it waits on. False if
// the wait `wait` is over by then.
static bool take_from_object(struct thread *thread, uint64_t wait)
{
    struct object *object = atomic_load_explicit(&thread->waiting_on, memory_order_relaxed);
    if (object == NULL)
        return false;
    struct lock *lock = object->type == NX_OBJECT_ENDPOINT
                            ? &CONTAINER_OF(object, struct endpoint, object)->lock
                            : &CONTAINER_OF(object, struct notification, object)->lock;
    lock_acquire(lock);
    // The wait word cannot change to or from a queued state without this lock, if it is the lock of
    // the object that the thread waits on now.
    bool same = atomic_load_explicit(&thread->wait, memory_order_acquire) == wait &&
                atomic_load_explicit(&thread->waiting_on, memory_order_relaxed) == object;
    if (same) {
        if (object->type == NX_OBJECT_ENDPOINT)
            endpoint_remove_waiter(CONTAINER_OF(object, struct endpoint, object), thread);
        else
            notification_remove_waiter(CONTAINER_OF(object, struct notification, object), thread);
        thread_set_state(thread, THREAD_RUNNABLE);
    }
    lock_release(lock);
    return same;
}

bool thread_cancel(struct thread *thread, uint64_t sequence, enum nx_status status)
{
    for (;;) {
        uint64_t wait = atomic_load_explicit(&thread->wait, memory_order_seq_cst);
        if (thread_sequence_of(wait) != sequence)
            return false;
        bool taken;
        switch (thread_state_of(wait)) {
        case THREAD_CALLING:
        case THREAD_RECEIVING:
        case THREAD_WAITING:
            taken = take_from_object(thread, wait);
            break;
        case THREAD_AWAITING_REPLY:
        case THREAD_SLEEPING:
            taken = thread_claim(thread, wait, THREAD_RUNNABLE);
            break;
        default:
            return false;
        }
        if (taken)
            break;
    }
    if (thread_is_faulted(thread)) {
        thread_set_faulted(thread, false);
        // A fault that nobody will answer any more, unless the process is being killed already.
        if (!thread_is_killed(thread))
            process_kill(thread->process, NX_EXIT_FAULTED);
    } else {
        arch_set_status(thread, status);
        arch_set_info(thread, 0);
    }
    scheduler_make_ready(thread);
    return true;
}

void thread_kill(struct thread *thread)
{
    // A thread of a low class must not keep its process from dying: it ends at the process's
    // highest.
    thread_set_class(thread, (uint8_t)thread->process->highest_class);
    // Sequentially consistent: in one order with thread_begin_wait, on the same word.
    uint64_t wait = atomic_fetch_or_explicit(&thread->wait, THREAD_KILLED, memory_order_seq_cst);
    if (thread_state_of(wait) == THREAD_NEW) {
        // Nobody else may ever start it: run it once, so that it ends in its own context.
        if (thread_start(thread) == NX_OK)
            return;
    }
    if (thread_cancel(thread, thread_sequence_of(wait), NX_ERR_CANCELLED))
        return;
    // Running or runnable: if it runs elsewhere, that hart must enter the kernel.
    if (thread != hart_self()->current)
        scheduler_recheck(thread);
}

void thread_end_current(void)
{
    struct hart *hart = hart_self();
    struct thread *thread = hart->current;
    reply_abandon_current(thread);
    if (thread->bound != NULL)
        notification_bind_thread(NULL, thread);
    hart->current = NULL;
    // The hart gives the dead thread's address space up now: cleanup may begin on another hart.
    address_space_activate(NULL, hart);
    uint64_t bits;
    // Without a reference: the notification outlives this pass through the kernel.
    struct notification *notification = process_remove_thread(thread->process, thread, &bits);
    if (notification != NULL)
        notification_signal(notification, bits);
    object_release(&thread->object);
    // Who waits for the process's end should not wait for a tick, too.
    (void)reclaim_run(RECLAIM_STEPS_END);
}

enum nx_status thread_bind_exit(struct thread *thread, struct notification *notification,
                                uint64_t bits)
{
    if (notification != NULL && !object_try_acquire(&notification->object))
        return NX_ERR_BAD_HANDLE;
    lock_acquire(&thread->process->lock);
    struct notification *old = thread->exit_notification;
    bool dead =
        thread_state_of(atomic_load_explicit(&thread->wait, memory_order_relaxed)) == THREAD_DEAD;
    thread->exit_notification = notification;
    thread->exit_bits = bits;
    lock_release(&thread->process->lock);
    if (old != NULL)
        object_release(&old->object);
    if (dead && notification != NULL)
        notification_signal(notification, bits);
    return NX_OK;
}

enum destroy_result thread_destroy_step(struct object *object)
{
    struct thread *thread = CONTAINER_OF(object, struct thread, object);
    arch_thread_forget_fpu(thread);
    if (thread->exit_notification != NULL)
        object_release(&thread->exit_notification->object);
    object_release(&thread->page_memory->object);
    object_release(&thread->process->object);
    return DESTROY_FREE;
}
