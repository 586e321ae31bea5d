// SPDX-License-Identifier: Apache-2.0
// Per-hart state, hart bring-up and the inter-processor interrupt ledger.
//
// Who owns what: fields under "hart-local" are touched by their own hart only, and read by others
// for diagnosis without a lock (core/counter.h; the other fields are not read). `ipi_pending` is
// the mailbox: senders set bits, the owner exchanges it with zero.
//
// Why no IPI is lost: a sender sets its reason bit with a sequentially consistent OR and raises the
// software interrupt only if that bit was clear. The receiver clears SSIP, fences, then exchanges
// the word with zero. A bit set after the exchange was clear before, so its sender raises SSIP
// again; a bit set before it is acted on. An idle hart sleeps with wfi, which returns while a
// software interrupt pends, even one that came between the last look and the wfi.
#ifndef NEURON_HART_H
#define NEURON_HART_H

#include "arch/arch.h"
#include "arch_inline.h"
#include "core/counter.h"
#include "core/lock.h"
#include "core/machine.h"
#include "lock_check.h"
#include "nexus/info.h"
#include "sched/run_queue.h"
#include "sched/timer.h"
#include <stdatomic.h>

struct object;
struct process;
struct thread;

// Reasons of an IPI, in the low half of the pending word; bit 16 + i says that hart i sent one.
#define IPI_RESCHEDULE   (1u << 0) // look at the run queue
#define IPI_STOP         (1u << 1) // panic elsewhere: stop for good
#define IPI_LEAVE        (1u << 2) // hart_stop: drain and leave
#define IPI_QUIESCE      (1u << 3) // pass a quiescent point: a grace period waits for it
#define IPI_SENDER_SHIFT 16

struct hart_ipi_ledger { // requested == sent + coalesced, kept by the sender
    _Atomic uint64_t requested;
    _Atomic uint64_t coalesced;
    _Atomic uint64_t sent;
    _Atomic uint64_t trapped;    // software interrupts taken, kept by the receiver
    _Atomic uint64_t dispatched; // reasons acted on
    _Atomic uint64_t sent_to[NX_HARTS_MAX];
    _Atomic uint64_t received_from[NX_HARTS_MAX];
};

struct object_list {
    struct object *first;
    struct object *last;
};

// What a hart has retired (object/reclaim.h). Hart-local; `snapshot` belongs to `waiting`.
struct reclaim_state {
    struct object_list incoming;
    struct object_list waiting;
    struct object_list ready;
    uint64_t snapshot[NX_HARTS_MAX];
    uint64_t helped;          // `retired` when reclaim_help last ran
    _Atomic uint64_t retired; // read by any hart
    _Atomic uint64_t done;    // read by any hart
};

struct hart {
    struct arch_hart arch;  // first: the trap entry finds its stacks here
    struct thread *current; // hart-local; NULL while idle

    // Constant after boot.
    uint32_t bit;         // 1 << index
    uint64_t direct_mask; // of a thread's placement word, to be switched to directly here
    struct hart_index index;
    struct hart_id id;

    _Atomic uint32_t state; // enum nx_hart_state

    // Hart-local.
    struct thread *handoff; // RUNNABLE and owned: more urgent than `current`, to run at once
    bool reschedule;        // run the scheduler before returning to user mode
    bool slice_over;        // a tick passed: give way to an equal thread too
    bool leaving;           // stop this hart at the next point where it owns no lock
    struct hart_ipi_ledger ipi;
    _Atomic uint64_t ticks;
    _Atomic uint64_t idle_time;
    _Atomic uint64_t online_since;
    _Atomic uint64_t idle_since; // time counter when the present wfi began, 0: awake
    _Atomic uint64_t switches;   // but for the direct ones of messages
    _Atomic uint64_t steals;
    _Atomic uint64_t interrupts;
    _Atomic uint64_t timer_interrupts;
    _Atomic uint64_t lock_contended;
    uint64_t dispatched_at;           // time counter when `current` got the hart
    _Atomic uint64_t set_timer_calls; // into the firmware, which Sstc makes needless
    _Atomic uint64_t tick_deadline;   // ARCH_TIMER_NEVER: no tick; others read it (notify_hart)
    uint64_t armed_deadline; // when the timer will interrupt; 0: not known, it must be armed
    struct lock_check lock_check;
    struct reclaim_state reclaim;

    // Mailbox: any hart ORs, the owner exchanges.
    _Atomic uint32_t ipi_pending;
    _Atomic(struct thread *) arrival; // RUNNABLE: sent here while this hart idled; NULL: none
    _Atomic uint32_t adopt; // mask of stopped harts whose reclaim lists this hart takes over

    // It idles on the kernel's table, and forgets all translations before it runs a thread again.
    // The owner writes, others read (mm/address_space.h).
    _Atomic bool spaceless;

    // Grace periods (object/reclaim.h). The owner writes, others read.
    _Atomic uint64_t quiescent_passes;
    _Atomic bool resting;
    // Class of `current`, or -1 while idle: a hint for senders of IPI_RESCHEDULE.
    _Atomic int32_t running_class;

    struct run_queue run_queue; // has its own lock
    struct timer_heap timers;   // has its own lock
};

extern struct hart harts[NX_HARTS_MAX];

static inline struct hart *hart_self(void)
{
    return arch_hart_self();
}

// Masks of hart indices, as the harts' states say.
extern _Atomic uint32_t hart_online_bits;
extern _Atomic uint32_t hart_kernel_bits;

static inline uint32_t hart_online_mask(void)
{
    // Acquire: a hart that is seen online has set up everything that it shares.
    return atomic_load_explicit(&hart_online_bits, memory_order_acquire);
}
// The same and those that are leaving: a stopping hart still holds kernel pointers.
static inline uint32_t hart_kernel_mask(void)
{
    return atomic_load_explicit(&hart_kernel_bits, memory_order_acquire);
}
static inline uint32_t hart_count(void)
{
    return machine.hart_count;
}
static inline uint32_t hart_bit(const struct hart *hart)
{
    return hart->bit;
}

// Changes a hart's state, and the masks with it: the hart itself, or whoever starts it.
void hart_set_state(struct hart *hart, enum nx_hart_state state);

// Fills harts[] from `machine`; the boot hart becomes index 0 and online.
void hart_init_all(void);

// Starts every other hart at once and waits, bounded in time, until they are online. Prints the
// online markers, or `neuron: smp degraded`. Returns the number online.
uint32_t hart_start_all(void);

// Waits for any interrupt, at most HART_PAUSE_NANOSECONDS: for the boot hart, while it waits for
// others before it has threads to run.
#define HART_PAUSE_NANOSECONDS 200000ull
void hart_pause(void);

// Stops this hart, with `leaving` set and no lock held: its threads, deadlines and interrupts move
// (tests/model/hart_leaving.pml).
_Noreturn void hart_leave_now(void);

// What a secondary does first: marks itself online, then fences (pitfall 11).
void hart_enter_online(struct hart *hart);

// Starts a stopped hart; stops a running one after its threads, deadlines and interrupts have
// moved. Errors: NX_ERR_OUT_OF_RANGE (no such hart), NX_ERR_BAD_STATE (already so, or index
// 0, which stays), NX_ERR_BUSY (it is still stopping: try again), and what the firmware answers.
NX_MUST_CHECK enum nx_status hart_start(struct hart_index index);
NX_MUST_CHECK enum nx_status hart_stop(struct hart_index index);

// Requests `reason` of an online hart other than this one. Errors: NX_ERR_OUT_OF_RANGE (no such
// hart, or itself), NX_ERR_BAD_STATE (not online), NX_ERR_IO (the firmware refused).
NX_MUST_CHECK enum nx_status hart_send_ipi(struct hart_index target, uint32_t reason);
// The same of a hart that is another one.
NX_MUST_CHECK enum nx_status hart_interrupt(struct hart *hart, uint32_t reason);

// Acts on everything in this hart's mailbox; called when a software interrupt pends.
void hart_dispatch_ipi(void);

// Stops this hart for good, because another one panics.
_Noreturn void hart_halt_for_panic(void);

// Best effort, for panic: tells all others to stop and waits, bounded in time, until they have.
void hart_stop_others(void);

#endif
