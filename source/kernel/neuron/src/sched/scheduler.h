// SPDX-License-Identifier: Apache-2.0
// The scheduler: which thread a hart runs next, and where a ready thread goes.
//
// Each hart schedules itself from its own run queue; an idle hart steals a bounded number from
// others, and sleeps in wfi when there is nothing. A thread made ready goes back to the hart it ran
// on if that one is idle or nothing else is, so that caches stay warm; an idle hart within its
// affinity otherwise. Only a hart that is idle or runs something less urgent gets an IPI.
//
// A thread made ready on its own hart that is more urgent than the current one does not go through
// the queue: the hart is handed it (hart->handoff) and switches to it before it leaves the kernel.
// Thieves do not see it, but it never waits for longer than that.
//
// A thread whose home idles goes into that hart's slot (hart->arrival), which takes no lock; the
// hart is woken in any case, and looks there before it sleeps, when it is told to reschedule, and
// when it leaves.
//
// Why an idle hart misses nothing: it announces that it is idle (running_class = -1), fences, looks
// at its queue and mailbox once more, then sleeps; wfi returns at once if an interrupt already
// pends. Whoever pushes a thread fences after the push and then reads running_class, so at least
// one of the two sees the other (tests/model/idle_wakeup.pml, busy_hart.pml).
#ifndef NEURON_SCHEDULER_H
#define NEURON_SCHEDULER_H

#include "arch_inline.h"
#include "core/hart.h"
#include "core/types.h"
#include "mm/address_space.h"
#include "object/process.h"
#include "sched/thread.h"

struct hart;
struct thread;

// Mask of harts in the idle loop: a hint, like their running_class, in one word.
extern _Atomic uint32_t scheduler_idle_harts;

// The caller owns `thread`; afterwards a run queue does, and its hart is told. `status` style
// results are already in the frame.
void scheduler_make_ready(struct thread *thread);

// Runs `next`, which the caller owns, on this hart in place of the current thread, which the caller
// has already given away (it waits, is queued or dead).
void scheduler_switch_to(struct thread *next);

// Whether this hart may switch to the waiting `thread` by nothing but its registers
// (sched/thread.h).
static inline bool scheduler_may_switch_directly(const struct hart *hart,
                                                 const struct thread *thread)
{
    uint64_t placement = atomic_load_explicit(&thread->placement, memory_order_relaxed);
    return (placement & hart->direct_mask) == hart->direct_mask;
}

// From now on `thread`, which was dispatched here, can be switched to directly.
static inline void scheduler_make_direct(struct hart *hart, struct thread *thread)
{
    uint64_t placement = atomic_load_explicit(&thread->placement, memory_order_relaxed);
    uint64_t direct = (uint32_t)placement | (uint64_t)hart->bit << THREAD_DIRECT_SHIFT;
    if (placement == direct || !arch_thread_make_direct(thread, &thread->process->space.arch))
        return;
    // Fails when the affinity is changed just now: then the next dispatch does it.
    (void)atomic_compare_exchange_strong_explicit(&thread->placement, &placement, direct,
                                                  memory_order_relaxed, memory_order_relaxed);
}

// What a direct switch leaves of a dispatch.
static inline void scheduler_dispatch_directly(struct hart *hart, struct thread *next)
{
    hart->current = next;
    arch_store_relaxed(&hart->running_class,
                       atomic_load_explicit(&next->class, memory_order_relaxed));
}

// Books the time since the last dispatch on the thread that had the hart, or on nobody.
static inline void scheduler_account(struct hart *hart, struct thread *thread)
{
    uint64_t now = arch_time();
    if (thread != NULL)
        atomic_fetch_add_explicit(&thread->process->run_time, now - hart->dispatched_at,
                                  memory_order_relaxed);
    hart->dispatched_at = now;
}

// The switch itself: `next` is RUNNING and owned by this hart; `previous` ran last, or NULL for
// "any".
static inline void scheduler_dispatch(struct hart *hart, struct thread *previous,
                                      struct thread *next)
{
    arch_store_relaxed(&next->home, hart);
    counter_add(&hart->switches, 1);
    scheduler_dispatch_directly(hart, next);
    address_space_activate(&next->process->space, hart);
    arch_thread_switch(previous, next);
    scheduler_make_direct(hart, next);
}

// Chooses and switches to the next thread after the current one was given away; idles until there
// is one.
void scheduler_run_next(void);

// The current thread waits: `next`, which is owned, runs instead, or is made ready if something is
// more urgent here or it may not run here.
void scheduler_leave_to(struct hart *hart, struct thread *next);

// Puts the current thread at the back of its queue and runs the next one. `target` names a hart to
// which the current thread moves when its affinity allows, or is this hart.
void scheduler_yield(struct hart *target);

// Before the kernel is left: gives way to a more urgent thread, or to an equal one after a tick.
void scheduler_preempt(void);

// This hart's tick: counts it, expires deadlines, rotates the queue, reclaims.
void scheduler_timer_interrupt(void);

// Makes every other hart look again at the thread that it runs, because that thread may have been
// killed, or moved to another class or hart. (To know which hart runs a thread would cost a fence
// at each switch.)
void scheduler_recheck_others(void);
// The same if `thread`, whose life has just ended, runs or may soon.
void scheduler_recheck(const struct thread *thread);

// Whether `thread` may run on the hart with this bit: its affinity, or anywhere when no hart of its
// affinity is online.
bool scheduler_may_run(const struct thread *thread, uint32_t hart_bit);

// Whether this hart's queue holds a thread of a higher class than `thread`; a hint, without a lock.
static inline bool scheduler_has_more_urgent(const struct hart *hart, const struct thread *thread)
{
    uint32_t bitmap = atomic_load_explicit(&hart->run_queue.bitmap, memory_order_relaxed);
    return bitmap >= atomic_load_explicit(&thread->outranked, memory_order_relaxed);
}

// Moves all threads of a queue whose hart is no longer online to other harts.
void scheduler_evacuate(struct hart *hart);

// Takes up to `maximum` threads from `victim` for `thief`. Errors as run_queue_steal. On success
// the threads are in the thief's queue.
NX_MUST_CHECK enum nx_status scheduler_steal(struct hart *thief, struct hart *victim,
                                             uint32_t maximum, uint32_t ceiling);

#endif
