// SPDX-License-Identifier: Apache-2.0
// A hart's run queue: RUNNABLE threads by class, first in first out within a class.
//
// The queue owns the threads that sit in it; its lock guards the lists and the threads' links. All
// links are intrusive: queueing never allocates. A ready bitmap makes picking constant-time.
#ifndef NEURON_RUN_QUEUE_H
#define NEURON_RUN_QUEUE_H

#include "core/lock.h"
#include "nexus/syscall.h"
#include "sched/thread_queue.h"

// The most threads that one steal may take.
#define RUN_QUEUE_STEAL_MAX 2u

struct run_queue {
    struct lock lock; // rank RUN_QUEUE; guards the lists
    struct thread_queue ready[NX_CLASS_COUNT];
    // Written under the lock, read without it as hints.
    _Atomic uint32_t bitmap; // bit c: ready[c] is not empty
    _Atomic uint32_t length;
};

void run_queue_init(struct run_queue *queue);
// The caller owns `thread`; afterwards the queue does. `front`: it goes before its equals.
void run_queue_push(struct run_queue *queue, struct thread *thread, bool front);
// The highest class of a bitmap that is not 0.
extern const uint8_t run_queue_highest[];
// The most urgent thread of a class at or above `floor`, now owned by the caller; NULL: none.
struct thread *run_queue_pop_at_least(struct run_queue *queue, enum nx_class floor);
// The most urgent thread, now owned by the caller; NULL when empty.
static inline struct thread *run_queue_pop(struct run_queue *queue)
{
    // An empty queue is the common case of an idle hart: look before taking the lock. A thread
    // pushed just now comes with an IPI or is seen by the re-check before wfi.
    if (atomic_load_explicit(&queue->length, memory_order_relaxed) == 0)
        return NULL;
    return run_queue_pop_at_least(queue, NX_CLASS_BACKGROUND);
}

// Moves up to `maximum` threads that may run on the hart with bit `thief_bit` and whose class is at
// most `ceiling` into `taken`, most urgent first; the caller owns them. Errors, with nothing taken:
// NX_ERR_TOO_LARGE (maximum above RUN_QUEUE_STEAL_MAX), NX_ERR_ACCESS_DENIED (there are threads,
// and each is above the ceiling), NX_ERR_NOT_FOUND.
NX_MUST_CHECK enum nx_status run_queue_steal(struct run_queue *victim, uint32_t thief_bit,
                                             uint32_t maximum, enum nx_class ceiling,
                                             struct thread_queue *taken);

#endif
