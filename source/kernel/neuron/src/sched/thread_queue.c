// SPDX-License-Identifier: Apache-2.0
// An intrusive doubly linked queue of threads.
#include "sched/thread_queue.h"

#include "sched/thread.h"

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
