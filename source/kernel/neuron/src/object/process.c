// SPDX-License-Identifier: Apache-2.0
// Processes: a handle table, an address space, threads and a memory budget.
#include "object/process.h"

#include "core/panic.h"
#include "ipc/endpoint.h"
#include "ipc/notification.h"
#include "object/reclaim.h"
#include "sched/thread.h"
#include <string.h>

// Handles and mappings that one cleanup step may close.

// Threads killed in one go.
#define KILL_STEP 8u
// A process has memory to spare while one part in this many of its budget is left.
#define SPARE_PART 4u

static struct lock registry_lock = LOCK_INITIALIZER(LOCK_RANK_REGISTRY);
static struct process *registry_first;
static _Atomic uint64_t next_process_id = 1;

// The list that a child of `parent` is in; NULL: that of processes without a parent.
static struct process **siblings_under(struct process *parent)
{
    return parent != NULL ? &parent->children : &registry_first;
}

static void registry_add(struct process *process)
{
    lock_acquire(&registry_lock);
    struct process **first = siblings_under(process->object.charged_to);
    process->next_sibling = *first;
    if (*first != NULL)
        (*first)->previous_sibling = process;
    *first = process;
    lock_release(&registry_lock);
}

static void registry_remove(struct process *process)
{
    struct process *parent = process->object.charged_to;
    lock_acquire(&registry_lock);
    if (process->previous_sibling != NULL)
        process->previous_sibling->next_sibling = process->next_sibling;
    else
        *siblings_under(parent) = process->next_sibling;
    if (process->next_sibling != NULL)
        process->next_sibling->previous_sibling = process->previous_sibling;
    if (parent != NULL && parent->doomed == process)
        parent->doomed = process->next_sibling;
    lock_release(&registry_lock);
}

// The next one in the tree: children come after their parent. The registry lock is held.
static struct process *successor(struct process *process)
{
    if (process->children != NULL)
        return process->children;
    while (process != NULL && process->next_sibling == NULL)
        process = process->object.charged_to;
    return process != NULL ? process->next_sibling : NULL;
}

bool process_at(uint64_t index, struct process **process)
{
    lock_acquire(&registry_lock);
    struct process *candidate = registry_first;
    while (candidate != NULL && index-- > 0)
        candidate = successor(candidate);
    lock_release(&registry_lock);
    *process = candidate;
    return candidate != NULL;
}

enum nx_status process_create(struct process *parent, const char *name, uint64_t budget_bytes,
                              enum nx_class highest_class, struct process **process)
{
    if (parent != NULL) {
        enum nx_status status = process_charge(parent, budget_bytes);
        if (status != NX_OK)
            return status;
    }
    struct object *object;
    enum nx_status status = object_create(parent, NX_OBJECT_PROCESS, sizeof(struct process),
                                          offsetof(struct process, object), &object);
    if (status != NX_OK)
        goto uncharge;
    struct process *created = CONTAINER_OF(object, struct process, object);
    atomic_init(&created->budget, budget_bytes);
    created->highest_class = highest_class;
    memcpy(created->name, name, NX_NAME_BYTES - 1);
    lock_init(&created->lock, LOCK_RANK_PROCESS);
    handle_table_init(&created->handles);
    status = address_space_init(&created->space, created);
    if (status != NX_OK)
        goto discard;
    created->id = atomic_fetch_add_explicit(&next_process_id, 1, memory_order_relaxed);
    registry_add(created);
    *process = created;
    return NX_OK;

discard:
    object_discard(object);
uncharge:
    if (parent != NULL)
        process_uncharge(parent, budget_bytes);
    return status;
}

enum nx_status process_charge(struct process *process, uint64_t bytes)
{
    uint64_t used = atomic_load_explicit(&process->used, memory_order_relaxed);
    do {
        uint64_t budget = counter_read(&process->budget);
        if (bytes > budget || used > budget - bytes)
            return NX_ERR_NO_MEMORY;
    } while (!atomic_compare_exchange_weak_explicit(&process->used, &used, used + bytes,
                                                    memory_order_relaxed, memory_order_relaxed));
    return NX_OK;
}

void process_uncharge(struct process *process, uint64_t bytes)
{
    uint64_t before = atomic_fetch_sub_explicit(&process->used, bytes, memory_order_relaxed);
    ASSERT(before >= bytes);
}

bool process_has_spare(const struct process *process)
{
    return process == NULL || counter_read(&process->used) <
                                  counter_read(&process->budget) / SPARE_PART * (SPARE_PART - 1);
}

// What a process did not use by its end goes back to its creator; the rest follows with the objects
// that others hold on to. Claimed first: nothing else can be charged to it then.
static void return_unused_budget(struct process *process)
{
    uint64_t unused;
    do {
        unused = counter_read(&process->budget) - counter_read(&process->used);
    } while (process_charge(process, unused) != NX_OK);
    counter_add(&process->budget, -unused);
    process_uncharge(process, unused);
    if (process->object.charged_to != NULL)
        process_uncharge(process->object.charged_to, unused);
}

static uint32_t state_of(const struct process *process)
{
    return atomic_load_explicit(&process->state, memory_order_relaxed);
}

// Its creator is at its end, or it has none: nobody is left who would let it go.
static bool is_orphan(const struct process *process)
{
    const struct process *creator = process->object.charged_to;
    return creator == NULL || state_of(creator) >= NX_PROCESS_DYING;
}

// Marks the process dying; false if it was already. Caller holds the lock.
static bool begin_dying_locked(struct process *process, int64_t exit_status)
{
    uint32_t state = state_of(process);
    bool let_go = state == NX_PROCESS_HELD && (exit_status == NX_EXIT_LET_GO || is_orphan(process));
    if (state >= NX_PROCESS_DYING && !let_go)
        return false;
    atomic_store_explicit(&process->state, NX_PROCESS_DYING, memory_order_relaxed);
    process->exit_status = let_go ? process->exit_status : exit_status;
    return true;
}

// Queues the cleanup, which holds a reference until it is done. No thread is left that could make
// another child.
static void queue_cleanup(struct process *process)
{
    lock_acquire(&registry_lock);
    process->doomed = process->children;
    lock_release(&registry_lock);
    object_acquire(&process->object);
    reclaim_add_work(&process->object);
}

// Kills up to KILL_STEP threads of a dying process. The others follow as those end and leave: each
// that leaves kills more, so while one is left that was not killed, one that was is on its way.
static void kill_some(struct process *process)
{
    for (uint32_t i = 0; i < KILL_STEP; i++) {
        lock_acquire(&process->lock);
        struct thread *thread = process->threads;
        while (thread != NULL && thread_is_killed(thread))
            thread = thread->next_in_process;
        // A listed thread has a reference; this one lets it leave the list.
        if (thread != NULL)
            object_acquire(&thread->object);
        lock_release(&process->lock);
        if (thread == NULL)
            return;
        thread_kill(thread);
        object_release(&thread->object);
    }
}

void process_kill(struct process *process, int64_t exit_status)
{
    // From a look-up it may be retired already: its destruction then does all there is to do.
    if (!object_try_acquire(&process->object))
        return;
    lock_acquire(&process->lock);
    bool held = state_of(process) == NX_PROCESS_HELD;
    bool first = begin_dying_locked(process, exit_status);
    bool empty = process->thread_count == 0;
    lock_release(&process->lock);
    // A process that ends itself, maybe while another kills it: this thread must not return to user
    // mode.
    struct thread *current = hart_self()->current;
    if (current != NULL && current->process == process)
        thread_kill(current);
    if (first && empty)
        queue_cleanup(process);
    else if (first)
        kill_some(process);
    if (first && held)
        object_release(&process->object); // of the cleanup that came as far as hold()
    object_release(&process->object);
}

// Kills one child of a process that has ended; false: none is left. Its own children follow when it
// has ended itself.
static bool kill_child(struct process *process)
{
    lock_acquire(&registry_lock);
    struct process *child = process->doomed;
    if (child != NULL)
        process->doomed = child->next_sibling;
    lock_release(&registry_lock);
    // Without a reference: in the registry until its destruction, it outlives this pass.
    if (child != NULL)
        process_kill(child, NX_EXIT_KILLED);
    return child != NULL;
}

enum nx_status process_list_thread(struct process *process, struct thread *thread)
{
    if (state_of(process) >= NX_PROCESS_DYING)
        return NX_ERR_BAD_STATE;
    if (process->thread_count == NX_THREADS_MAX)
        return NX_ERR_NO_MEMORY;
    atomic_store_explicit(&process->state, NX_PROCESS_ALIVE, memory_order_relaxed);
    thread->next_in_process = process->threads;
    process->threads = thread;
    process->thread_count++;
    return NX_OK;
}

struct notification *process_remove_thread(struct process *process, struct thread *thread,
                                           uint64_t *bits)
{
    lock_acquire(&process->lock);
    struct notification *notification = thread->exit_notification;
    *bits = thread->exit_bits;
    thread_set_state(thread, THREAD_DEAD);
    struct thread **link = &process->threads;
    while (*link != thread)
        link = &(*link)->next_in_process;
    *link = thread->next_in_process;
    process->thread_count--;
    bool last = process->thread_count == 0;
    if (last)
        (void)begin_dying_locked(process, 0);
    bool dying = state_of(process) == NX_PROCESS_DYING;
    lock_release(&process->lock);
    if (last)
        queue_cleanup(process);
    else if (dying)
        kill_some(process);
    return notification;
}

static void release_bindings(struct notification *notification, struct endpoint *endpoint)
{
    if (notification != NULL)
        object_release(&notification->object);
    if (endpoint != NULL)
        object_release(&endpoint->object);
}

enum nx_status process_bind(struct process *process, struct notification *notification,
                            uint64_t bits, struct endpoint *fault_endpoint, uint64_t fault_badge)
{
    if (notification != NULL && !object_try_acquire(&notification->object))
        return NX_ERR_BAD_HANDLE;
    if (fault_endpoint != NULL && !object_try_acquire(&fault_endpoint->object)) {
        release_bindings(notification, NULL);
        return NX_ERR_BAD_HANDLE;
    }
    lock_acquire(&process->lock);
    struct notification *old_notification = process->exit_notification;
    struct endpoint *old_endpoint = process->fault_endpoint;
    process->exit_notification = notification;
    process->exit_bits = bits;
    process->fault_endpoint = fault_endpoint;
    process->fault_badge = fault_badge;
    bool ended = state_of(process) >= NX_PROCESS_HELD;
    lock_release(&process->lock);
    release_bindings(old_notification, old_endpoint);
    // Binding to a process that has already ended still reports its end.
    if (ended && notification != NULL)
        notification_signal(notification, bits);
    return NX_OK;
}

// A process that may have told a device where its memory lies keeps it, once. The reference of
// queue_cleanup stays, so that nothing but a kill lets it go.
static bool hold(struct process *process)
{
    lock_acquire(&process->lock);
    bool held = atomic_exchange_explicit(&process->holds, 0, memory_order_relaxed) &&
                process->exit_notification != NULL && !is_orphan(process);
    if (held) {
        atomic_store_explicit(&process->state, NX_PROCESS_HELD, memory_order_relaxed);
        notification_signal(process->exit_notification, process->exit_bits);
    }
    lock_release(&process->lock);
    return held;
}

// Cleanup is complete: the process is DEAD for all to see.
static void announce_death(struct process *process)
{
    lock_acquire(&process->lock);
    atomic_store_explicit(&process->state, NX_PROCESS_DEAD, memory_order_release);
    struct notification *notification = process->exit_notification;
    uint64_t bits = process->exit_bits;
    struct endpoint *endpoint = process->fault_endpoint;
    process->exit_notification = NULL;
    process->fault_endpoint = NULL;
    lock_release(&process->lock);
    if (notification != NULL)
        notification_signal(notification, bits);
    release_bindings(notification, endpoint);
}

enum destroy_result process_destroy_step(struct object *object)
{
    struct process *process = CONTAINER_OF(object, struct process, object);
    if (kill_child(process))
        return DESTROY_MORE;
    bool dying = state_of(process) == NX_PROCESS_DYING;
    bool may_hold = dying && atomic_load_explicit(&process->holds, memory_order_relaxed) != 0;
    // Also without a reference left: a process that never had a thread has handles and mappings.
    if (!handle_table_close_step(process, may_hold ? NX_OBJECT_MEMORY : NX_OBJECT_NONE))
        return DESTROY_MORE;
    if (may_hold)
        return hold(process) ? DESTROY_KEEP : DESTROY_MORE;
    if (!address_space_clear_some(&process->space))
        return DESTROY_MORE;
    if (dying) {
        return_unused_budget(process);
        announce_death(process);
        object_release(object); // the reference of queue_cleanup
        return DESTROY_KEEP;
    }
    if (!address_space_destroy_some(&process->space))
        return DESTROY_MORE;
    release_bindings(process->exit_notification, process->fault_endpoint);
    registry_remove(process);
    ASSERT(atomic_load_explicit(&process->used, memory_order_relaxed) == 0);
    if (object->charged_to != NULL)
        process_uncharge(object->charged_to, counter_read(&process->budget));
    return DESTROY_UNLINKED; // from the registry
}
