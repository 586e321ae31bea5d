// SPDX-License-Identifier: Apache-2.0
// Notifications: a word of sticky bits that threads wait for.
//
// Signalling ORs bits; a wait takes them all and clears the word. A thread may bind one
// notification so that its receives on an endpoint report the bits as well: what a driver needs to
// serve clients and its interrupt from one loop.
//
// The lock (rank OBJECT) guards the queue of waiting threads. The bits are an atomic word of their
// own, because a bound receiver takes them under its endpoint's lock instead. Why no signal is
// lost: a signaller ORs the bits (sequentially consistent) before it looks for a waiter or at the
// bound thread's state; a waiter publishes its state before it looks at the bits again.
#ifndef NEURON_NOTIFICATION_H
#define NEURON_NOTIFICATION_H

#include "core/lock.h"
#include "object/object.h"
#include "sched/thread_queue.h"

struct thread;

struct notification {
    struct object object;
    _Atomic uint64_t bits;
    _Atomic(struct thread *) bound; // its receives report the bits; NULL: none
    struct lock lock;
    struct thread_queue waiters; // guarded by lock
};

NX_MUST_CHECK enum nx_status notification_create(struct process *process,
                                                 struct notification **notification);

// Sets bits and wakes one waiter, or the bound thread if it receives. No lock of rank OBJECT or
// above may be held.
void notification_signal(struct notification *notification, uint64_t bits);

// If the bound thread receives and there are bits, gives them to it. The same locks.
void notification_wake_bound(struct notification *notification);

// The current thread takes the bits or waits until `deadline` (time counter): NX_OK or
// STATUS_SWITCHED. NULL: it only sleeps. Errors: NX_ERR_TIMED_OUT.
NX_MUST_CHECK enum nx_status notification_wait(struct notification *notification,
                                               uint64_t deadline);

// Takes all bits; 0 when there are none.
static inline uint64_t notification_take_bits(struct notification *notification)
{
    return atomic_exchange_explicit(&notification->bits, 0, memory_order_seq_cst);
}
// Sets a receiver's results to "bits of the bound notification".
void notification_report(struct thread *receiver, uint64_t bits);

// Binds to `thread`, which is the current one or about to die; NULL unbinds. Errors: NX_ERR_BUSY
// (bound to another thread), NX_ERR_BAD_HANDLE (already retired).
enum nx_status notification_bind_thread(struct notification *notification, struct thread *thread);

// Takes a waiting thread out. The notification's lock is held.
void notification_remove_waiter(struct notification *notification, struct thread *thread);

enum destroy_result notification_destroy_step(struct object *object);

#endif
