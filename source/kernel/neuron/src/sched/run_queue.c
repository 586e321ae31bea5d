// SPDX-License-Identifier: Apache-2.0
// A hart's run queue: RUNNABLE threads by class, first in first out within a class.
#include "sched/run_queue.h"

#include "core/hart.h"
#include "core/lock_inline.h"
#include "sched/thread.h"

void run_queue_init(struct run_queue *queue)
{
    lock_init(&queue->lock, LOCK_RANK_RUN_QUEUE);
}

_Static_assert(NX_CLASS_COUNT == 4, "run_queue_highest has an entry for each bitmap");
// Quicker than to count zeroes without Zbb.
const uint8_t run_queue_highest[] = {0, 0, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 3, 3, 3, 3};

static void set_length(struct run_queue *queue, uint32_t length)
{
    arch_store_relaxed(&queue->length, length);
}

static uint32_t get_bitmap(const struct run_queue *queue)
{
    return atomic_load_explicit(&queue->bitmap, memory_order_relaxed);
}

static void set_bitmap(struct run_queue *queue, uint32_t bitmap)
{
    arch_store_relaxed(&queue->bitmap, bitmap);
}

static uint32_t get_length(const struct run_queue *queue)
{
    return atomic_load_explicit(&queue->length, memory_order_relaxed);
}

void run_queue_push(struct run_queue *queue, struct thread *thread, bool front)
{
    lock_acquire_fast(&queue->lock);
    uint8_t class = atomic_load_explicit(&thread->class, memory_order_relaxed);
    if (front)
        thread_queue_push_front(&queue->ready[class], thread);
    else
        thread_queue_push_back(&queue->ready[class], thread);
    set_bitmap(queue, get_bitmap(queue) | 1u << class);
    set_length(queue, get_length(queue) + 1);
    lock_release(&queue->lock);
}

// Removes `thread`, which sits in ready[class]. Caller holds the lock.
static void take_locked(struct run_queue *queue, struct thread *thread, uint32_t class)
{
    thread_queue_remove(&queue->ready[class], thread);
    if (thread_queue_is_empty(&queue->ready[class]))
        set_bitmap(queue, get_bitmap(queue) & ~(1u << class));
    set_length(queue, get_length(queue) - 1);
}

struct thread *run_queue_pop_at_least(struct run_queue *queue, enum nx_class floor)
{
    struct thread *thread = NULL;
    lock_acquire_fast(&queue->lock);
    uint32_t bitmap = get_bitmap(queue);
    if (bitmap >> floor != 0) {
        uint32_t class = run_queue_highest[bitmap];
        thread = thread_queue_pop_front(&queue->ready[class]);
        if (thread_queue_is_empty(&queue->ready[class]))
            set_bitmap(queue, bitmap & ~(1u << class));
        set_length(queue, get_length(queue) - 1);
    }
    lock_release_fast(&queue->lock);
    return thread;
}

// Takes stealable threads of one class. Caller holds the lock.
static uint32_t steal_class_locked(struct run_queue *victim, uint32_t class, uint32_t thief_bit,
                                   uint32_t maximum, struct thread_queue *taken)
{
    uint32_t count = 0;
    struct thread *thread = victim->ready[class].first;
    while (thread != NULL && count < maximum) {
        struct thread *next = thread->link.next;
        if ((thread_affinity(thread) & thief_bit) != 0) {
            take_locked(victim, thread, class);
            thread_queue_push_back(taken, thread);
            count++;
        }
        thread = next;
    }
    return count;
}

enum nx_status run_queue_steal(struct run_queue *victim, uint32_t thief_bit, uint32_t maximum,
                               enum nx_class ceiling, struct thread_queue *taken)
{
    if (maximum > RUN_QUEUE_STEAL_MAX)
        return NX_ERR_TOO_LARGE;
    uint32_t count = 0;
    lock_acquire(&victim->lock);
    uint32_t bitmap = get_bitmap(victim);
    uint32_t allowed = bitmap & ((2u << ceiling) - 1);
    bool only_above = bitmap != 0 && allowed == 0;
    for (uint32_t class = NX_CLASS_COUNT; class -- > 0 && count < maximum;)
        if ((allowed & (1u << class)) != 0)
            count += steal_class_locked(victim, class, thief_bit, maximum - count, taken);
    lock_release(&victim->lock);
    if (only_above)
        return NX_ERR_ACCESS_DENIED;
    return count > 0 ? NX_OK : NX_ERR_NOT_FOUND;
}
