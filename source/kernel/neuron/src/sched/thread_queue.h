// SPDX-License-Identifier: Apache-2.0
// An intrusive doubly linked queue of threads. Whoever owns the queue's lock owns the links.
#ifndef NEURON_THREAD_QUEUE_H
#define NEURON_THREAD_QUEUE_H

#include "core/types.h"

struct thread;

// Links inside struct thread: a thread sits in at most one queue.
struct thread_link {
    struct thread *next;
    struct thread *previous;
};

struct thread_queue {
    struct thread *first;
    struct thread *last;
};

static inline bool thread_queue_is_empty(const struct thread_queue *queue)
{
    return queue->first == NULL;
}

void thread_queue_remove(struct thread_queue *queue, struct thread *thread);

#endif
