// SPDX-License-Identifier: Apache-2.0
// Deadlines: a leftist heap per hart, and the one function that arms the hart's timer.
#include "sched/timer.h"

#include "arch/arch.h"
#include "arch_inline.h"
#include "core/hart.h"
#include "core/machine.h"
#include "core/panic.h"
#include "sched/thread.h"

#define NANOSECONDS_PER_SECOND 1000000000ull
// Nodes that are moved to another hart under one taking of the locks.
#define MOVE_STEP 4u

uint64_t timer_ticks_from_nanoseconds(uint64_t nanoseconds)
{
    uint64_t seconds = nanoseconds / NANOSECONDS_PER_SECOND;
    uint64_t rest = nanoseconds % NANOSECONDS_PER_SECOND;
    uint64_t whole;
    uint64_t part;
    if (__builtin_mul_overflow(seconds, machine.timebase_hz, &whole) ||
        __builtin_mul_overflow(rest, machine.timebase_hz, &part))
        return ARCH_TIMER_NEVER;
    part = (part + NANOSECONDS_PER_SECOND - 1) / NANOSECONDS_PER_SECOND;
    uint64_t ticks;
    if (__builtin_add_overflow(whole, part, &ticks))
        return ARCH_TIMER_NEVER;
    return ticks;
}

void timer_heap_init(struct timer_heap *heap)
{
    lock_init(&heap->lock, LOCK_RANK_TIMER);
    heap->root = NULL;
    atomic_store_explicit(&heap->earliest, ARCH_TIMER_NEVER, memory_order_relaxed);
}

static uint32_t rank_of(const struct timer_node *node)
{
    return node != NULL ? node->rank : 0;
}

// Puts the children in order and the rank right, from the node up: to the root, or, unless
// `to_root`, as long as something changes. A rank that changes is one more than the one below, so
// that ends soon, too.
static void repair(struct timer_node *node, bool to_root)
{
    for (; node != NULL; node = node->parent) {
        if (rank_of(node->left) < rank_of(node->right)) {
            struct timer_node *swap = node->left;
            node->left = node->right;
            node->right = swap;
        }
        uint32_t rank = rank_of(node->right) + 1;
        if (rank == node->rank && !to_root)
            return;
        node->rank = rank;
    }
}

// Joins two heaps down their right children; either may be NULL.
static struct timer_node *meld(struct timer_node *one, struct timer_node *other)
{
    struct timer_node *root = NULL;
    struct timer_node *above = NULL;
    while (one != NULL || other != NULL) {
        if (one == NULL || (other != NULL && other->deadline < one->deadline)) {
            struct timer_node *swap = one;
            one = other;
            other = swap;
        }
        one->parent = above;
        if (above != NULL)
            above->right = one;
        else
            root = one;
        if (other == NULL)
            break;
        above = one;
        one = one->right;
    }
    repair(above, true);
    return root;
}

static void publish_earliest(struct timer_heap *heap)
{
    uint64_t earliest = heap->root != NULL ? heap->root->deadline : ARCH_TIMER_NEVER;
    atomic_store_explicit(&heap->earliest, earliest, memory_order_relaxed);
}

// Caller holds the heap's lock; the node is in no heap.
static void insert_locked(struct timer_heap *heap, struct timer_node *node)
{
    node->rank = 1;
    heap->root = meld(heap->root, node);
    publish_earliest(heap);
}

// Takes a node out of its heap. Caller holds the heap's lock.
static void remove_locked(struct timer_heap *heap, struct timer_node *node)
{
    struct timer_node *parent = node->parent;
    struct timer_node *rest = meld(node->left, node->right);
    if (rest != NULL)
        rest->parent = parent;
    if (parent == NULL)
        heap->root = rest;
    else if (parent->left == node)
        parent->left = rest;
    else
        parent->right = rest;
    repair(parent, false);
    node->left = NULL;
    node->right = NULL;
    node->parent = NULL;
    publish_earliest(heap);
}

static struct hart *node_hart(struct timer_node *node)
{
    return atomic_load_explicit(&node->hart, memory_order_acquire);
}

static void set_node_hart(struct timer_node *node, struct hart *hart)
{
    // Release: whoever sees the node out of a heap sees what the remover read before.
    atomic_store_explicit(&node->hart, hart, memory_order_release);
}

void timer_start(struct thread *thread, uint64_t deadline)
{
    struct hart *hart = hart_self();
    struct timer_node *node = &thread->timer;
    ASSERT(node_hart(node) == NULL);
    thread_forbid_direct(thread);
    node->deadline = deadline;
    thread->timer_sequence =
        thread_sequence_of(atomic_load_explicit(&thread->wait, memory_order_relaxed)) + 1;
    lock_acquire(&hart->timers.lock);
    insert_locked(&hart->timers, node);
    set_node_hart(node, hart);
    lock_release(&hart->timers.lock);
    if (deadline < hart->armed_deadline)
        timer_rearm();
}

void timer_cancel(struct thread *thread)
{
    struct timer_node *node = &thread->timer;
    // A node can move once between heaps (hart_stop), so look again under the lock.
    struct hart *hart;
    while ((hart = node_hart(node)) != NULL) {
        lock_acquire(&hart->timers.lock);
        bool here = node_hart(node) == hart;
        if (here) {
            remove_locked(&hart->timers, node);
            set_node_hart(node, NULL);
        }
        lock_release(&hart->timers.lock);
        if (here)
            return;
    }
}

struct thread *timer_pop_expired(uint64_t now, uint64_t *sequence)
{
    struct timer_heap *heap = &hart_self()->timers;
    struct thread *thread = NULL;
    if (atomic_load_explicit(&heap->earliest, memory_order_relaxed) > now)
        return NULL;
    lock_acquire(&heap->lock);
    struct timer_node *node = heap->root;
    if (node != NULL && node->deadline <= now) {
        thread = CONTAINER_OF(node, struct thread, timer);
        // Read before the node leaves the heap: afterwards the thread may begin another wait.
        *sequence = thread->timer_sequence;
        remove_locked(heap, node);
        set_node_hart(node, NULL);
    }
    lock_release(&heap->lock);
    return thread;
}

void timer_rearm(void)
{
    struct hart *hart = hart_self();
    uint64_t deadline = atomic_load_explicit(&hart->timers.earliest, memory_order_relaxed);
    uint64_t tick = counter_read(&hart->tick_deadline);
    uint64_t armed = hart->armed_deadline;
    if (tick < deadline)
        deadline = tick;
    if (deadline == armed ||
        (armed != 0 && armed < deadline && (hart->current != NULL || !arch_has_sstc())))
        return;
    hart->armed_deadline = deadline;
    if (arch_timer_arm(deadline) != NX_OK)
        panic("hart%u: the firmware refused to arm the timer", hart->index.value);
}

void timer_start_tick(struct hart *hart)
{
    if (counter_read(&hart->tick_deadline) != ARCH_TIMER_NEVER)
        return;
    counter_set(&hart->tick_deadline,
                arch_time() + timer_ticks_from_nanoseconds(TIMER_TICK_NANOSECONDS));
    timer_rearm();
}

void timer_move_all(struct hart *source, struct hart *target)
{
    for (bool more = true; more;) {
        // Both locks, so that a canceller never finds a node that is in neither heap.
        lock_acquire_pair(&source->timers.lock, &target->timers.lock);
        for (uint32_t i = 0; i < MOVE_STEP && source->timers.root != NULL; i++) {
            struct timer_node *node = source->timers.root;
            remove_locked(&source->timers, node);
            insert_locked(&target->timers, node);
            set_node_hart(node, target);
        }
        more = source->timers.root != NULL;
        lock_release_pair(&source->timers.lock, &target->timers.lock);
    }
}
