// SPDX-License-Identifier: Apache-2.0
// An intrusive doubly linked queue of threads.
#include "sched/thread_queue.h"

#include "sched/thread.h"

void thread_queue_push_back(struct thread_queue *queue, struct thread *thread)
{
    thread->link.next = NULL;
    thread->link.previous = queue->last;
    if (queue->last != NULL)
        queue->last->link.next = thread;
    else
        queue->first = thread;
    queue->last = thread;
}

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

struct thread *thread_queue_pop_front(struct thread_queue *queue)
{
    struct thread *thread = queue->first;
    if (thread != NULL)
        thread_queue_remove(queue, thread);
    return thread;
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
    thread->link = (struct thread_link){0};
}
