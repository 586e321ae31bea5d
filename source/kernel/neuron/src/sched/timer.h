// SPDX-License-Identifier: Apache-2.0
// Deadlines: one leftist heap per hart over the timed-out-at nodes inside threads, and the one
// function that arms the hart's timer. With n nodes each operation takes at most some log2(n)
// steps, whatever programs do: a node's `rank` is the way down to its nearest place without a
// child, the right child's is never the larger one, so the way down by right children alone is
// short.
//
// A thread that blocks with a deadline enters the heap of the hart it blocks on. Whoever wakes it
// first (a peer, or the expiry) removes it: expiry pops nodes under the heap's lock, drops the
// lock, and then claims the thread through the object it waits on, like any other waker; so a
// thread is woken once. The heap's lock has rank TIMER.
#ifndef NEURON_TIMER_H
#define NEURON_TIMER_H

#include "arch/arch.h"
#include "core/lock.h"
#include "nexus/limits.h"

struct hart;
struct thread;

struct timer_node {
    uint64_t deadline; // time counter
    struct timer_node *left;
    struct timer_node *right;
    struct timer_node *parent; // NULL: the root
    uint32_t rank;             // 1 + the right child's, 0 for none
    // Whose heap holds the node; NULL: none. Changed under that heap's lock, read without it.
    _Atomic(struct hart *) hart;
};

struct timer_heap {
    struct lock lock;
    struct timer_node *root;
    _Atomic uint64_t earliest; // root's deadline or ARCH_TIMER_NEVER; written under the lock
};

// The tick of a hart that runs threads: round-robin among equals and the hart's heartbeat.
#define TIMER_TICK_NANOSECONDS 10000000ull
// Each hart takes this many ticks after coming online even when idle, and then prints its marker.
#define TIMER_PROOF_TICKS 3u

void timer_heap_init(struct timer_heap *heap);
// Puts the thread's node into this hart's heap, for the wait that the thread begins next, and arms
// the timer if need be: called before thread_begin_wait, because a published wait may end at once
// on another hart.
void timer_start(struct thread *thread, uint64_t deadline);
// Takes the thread's node out of whatever heap holds it; harmless when none does.
void timer_cancel(struct thread *thread);
// Pops one expired node of this hart and the sequence of the wait it belongs to (for
// thread_cancel); NULL when none is due.
struct thread *timer_pop_expired(uint64_t now, uint64_t *sequence);
// Arms this hart's timer for the earlier of its heap and its tick, unless it is armed so already.
// A timer that is armed for earlier stays so while the hart runs a thread, and without Sstc, where
// arming is a call into the firmware, always: one interrupt too many costs less than arming anew
// for each deadline that was taken back.
void timer_rearm(void);
// Starts this hart's tick, a period from now, if it is off.
void timer_start_tick(struct hart *hart);
// Moves all of a stopping hart's nodes to `target`.
void timer_move_all(struct hart *source, struct hart *target);

// Time-counter ticks for a duration, and for a deadline, in nanoseconds; rounds up, saturates.
uint64_t timer_ticks_from_nanoseconds(uint64_t nanoseconds);
// The same for a deadline of a system call; NX_DEADLINE_NEVER is ARCH_TIMER_NEVER.
static inline uint64_t timer_deadline(uint64_t nanoseconds)
{
    return nanoseconds == NX_DEADLINE_NEVER ? ARCH_TIMER_NEVER
                                            : timer_ticks_from_nanoseconds(nanoseconds);
}

#endif
