// SPDX-License-Identifier: Apache-2.0
// An intrusive doubly linked queue of threads.
#include "sched/thread_queue.h"

#include "sched/thread.h"

void thread_queue_push_front(struct thread_queue *queue, struct thread *thread)
{
    thread->link.previous = NULL;
    thread->link.next = queue->first;
    if (queue->first != NULL)
        queue->first->link.previous = thread;
    else
        queue->last = thread;
    queue->first = thread;
}

void thread_queue_remove(struct thread_queue *queue, struct thread *thread)
{
    if (thread->link.previous != NULL)
        thread->link.previous->link.next = thread->link.next;
    else
        queue->first = thread->link.next;
    if (thread->link.next != NULL)
        thread->link.next->link.previous = thread->link.previous;
    else
        queue->last = thread->link.previous;
}
