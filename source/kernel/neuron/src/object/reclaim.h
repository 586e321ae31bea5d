// SPDX-License-Identifier: Apache-2.0
// Reclamation by quiescence: when may a retired object's memory be reused?
//
// A hart holds kernel pointers only between entering and leaving the kernel. It counts each time
// it leaves (quiescent_passes) and says when it rests in the idle loop (resting). An object is
// retired after the last way to find it is gone (no handle names it); once every online hart has
// left the kernel or rested since then, no hart can still hold a pointer to it: a grace period.
//
// Each hart has, hart-local: `incoming` (retired here, no grace period begun), `waiting` (a grace
// period runs: a snapshot of all harts' counters was taken after the last of them was retired) and
// `ready` (safe to destroy, in bounded steps). reclaim_run moves them on; it is called from the
// tick and from the idle loop. A stopping hart leaves its lists to its heir (hart->adopt). A hart
// that stays in user mode holds a grace period up only until an IPI makes it pass.
//
// Ordering: retirement follows the unlinking of the object, and a full fence separates it from the
// reading of the counters. A hart that leaves the idle loop clears `resting`, then fences, then
// looks anything up. A pass is counted with release order after the hart's last use. So a hart that
// is seen resting or past its snapshot cannot have found the object before, nor find it later
// (tests/model/reclamation.pml).
#ifndef NEURON_RECLAIM_H
#define NEURON_RECLAIM_H

#include "core/hart.h"
#include "core/types.h"

struct object;

// Hands over an object that can no longer be found. Takes no lock; callable under any.
void reclaim_retire(struct object *object);
// The same for an object that needs no grace period but has bounded steps of work to do: a process
// whose last thread is gone.
void reclaim_add_work(struct object *object);
// Runs up to `steps` destruction steps of this hart, fewer if an interrupt comes; true if there may
// be more to do now. No lock may be held.
bool reclaim_run(uint32_t steps);
// For whoever frees: now and then a few steps, so that a busy hart does not run out of what it has
// freed. No lock may be held.
void reclaim_help(void);
// Whether this hart has anything retired: its timer must not sleep for ever.
static inline bool reclaim_is_pending(const struct hart *hart)
{
    const struct reclaim_state *state = &hart->reclaim;
    return state->incoming.first != NULL || state->waiting.first != NULL ||
           state->ready.first != NULL ||
           atomic_load_explicit(&hart->adopt, memory_order_relaxed) != 0;
}
// Asks lagging harts to pass; called from the tick when a grace period drags on.
void reclaim_nudge(void);

// Around the idle loop's wfi.
static inline void reclaim_rest_begin(struct hart *hart)
{
    // Release: pairs with lagging_harts.
    atomic_store_explicit(&hart->resting, true, memory_order_release);
}

static inline void reclaim_rest_end(struct hart *hart)
{
    atomic_store_explicit(&hart->resting, false, memory_order_relaxed);
    // Full fence: `resting` is down before this hart looks anything up. Pairs with the fence in
    // begin_grace_period.
    atomic_thread_fence(memory_order_seq_cst);
}

// Where the kernel is left for user mode, but for the direct switches of ipc/fastpath.c: a pass
// that is not counted only delays, and whoever waits for one interrupts this hart.
static inline void reclaim_pass(struct hart *hart)
{
    // Full order: the hart's uses of what it found come before, its next look-ups after. Pairs with
    // lagging_harts.
    (void)arch_fetch_add_ordered(&hart->quiescent_passes, 1);
}

uint64_t reclaim_retired_count(void);
uint64_t reclaim_done_count(void);

#endif
