// SPDX-License-Identifier: Apache-2.0
// Per-hart state, hart bring-up, hart_stop and the inter-processor interrupt ledger.
#include "core/hart.h"

#include "arch_inline.h"
#include "core/log.h"
#include "core/machine.h"
#include "core/panic.h"
#include "fault_injection.h"
#include "ipc/interrupt.h"
#include "mm/address_space.h"
#include "object/reclaim.h"
#include "sched/scheduler.h"
#include "sched/thread.h"

// How long bring-up waits for a started hart.
#define BRING_UP_NANOSECONDS 2000000000ull

// How long a panic waits for the other harts to stop before it prints.
#define PANIC_WAIT_NANOSECONDS 50000000ull

#define IPI_REASONS (IPI_RESCHEDULE | IPI_STOP | IPI_LEAVE | IPI_QUIESCE)

#define HART(number)                                                                               \
    {                                                                                              \
        .bit = 1u << (number), .index = {(number)},                                                \
        .direct_mask = 1ull << (number) | 1ull << ((number) + THREAD_DIRECT_SHIFT),                \
    }
// The numbers are there before the first lock is taken.
struct hart harts[NX_HARTS_MAX] = {HART(0), HART(1), HART(2), HART(3)};

static uint32_t state_of(const struct hart *hart)
{
    // Acquire: a hart that is seen online has set up everything that it shares.
    return atomic_load_explicit(&hart->state, memory_order_acquire);
}

_Atomic uint32_t hart_online_bits;
_Atomic uint32_t hart_kernel_bits;

static void set_bit(_Atomic uint32_t *bits, const struct hart *hart, bool value)
{
    if (value)
        atomic_fetch_or_explicit(bits, hart_bit(hart), memory_order_seq_cst);
    else
        atomic_fetch_and_explicit(bits, ~hart_bit(hart), memory_order_seq_cst);
}

void hart_set_state(struct hart *hart, enum nx_hart_state state)
{
    set_bit(&hart_online_bits, hart, state == NX_HART_ONLINE);
    set_bit(&hart_kernel_bits, hart, state == NX_HART_ONLINE || state == NX_HART_STOPPING);
    atomic_store_explicit(&hart->state, (uint32_t)state, memory_order_seq_cst);
}

void hart_init_all(void)
{
    for (uint32_t i = 0; i < hart_count(); i++) {
        struct hart *hart = &harts[i];
        hart->id = machine.harts[i].id;
        counter_set(&hart->tick_deadline, ARCH_TIMER_NEVER);
        run_queue_init(&hart->run_queue);
        timer_heap_init(&hart->timers);
        atomic_init(&hart->running_class, -1);
        arch_hart_prepare(hart);
    }
    hart_set_state(&harts[0], NX_HART_ONLINE);
}

void hart_enter_online(struct hart *hart)
{
    const bool again = counter_read(&hart->online_since) != 0;
    hart->dispatched_at = arch_time();
    counter_set(&hart->online_since, hart->dispatched_at);
    counter_set(&hart->tick_deadline, ARCH_TIMER_NEVER);
    hart->armed_deadline = 0;
    // What was sent to it while it left: a bit that stays set would swallow every later IPI of its
    // kind, because only the first one raises the interrupt.
    atomic_store_explicit(&hart->ipi_pending, 0, memory_order_seq_cst);
    hart_set_state(hart, NX_HART_ONLINE);
    // Only from here on do remote fences include this hart: drop what it may hold from before.
    arch_space_activate(NULL);
    arch_tlb_flush_all_local();
    arch_hart_online();
    if (fault_injection_masks_timer(hart->index))
        arch_timer_mask(true);
    timer_start_tick(hart);
    // Threads that may run on no other hart, and had to meanwhile, come back.
    if (again)
        scheduler_recheck_others();
    // The first time is the marker of bring-up, which appears once.
    log_line("neuron: hart%u online%s", hart->index.value, again ? " again" : "");
}

// Asks the firmware to start one hart; false when it refused.
static bool request_start(struct hart *hart)
{
    hart_set_state(hart, NX_HART_STARTING);
    if (arch_hart_start(hart) == NX_OK)
        return true;
    hart_set_state(hart, NX_HART_FAILED);
    return false;
}

// Waits until no hart of `mask` is STARTING, or the deadline. This hart has nothing else to do yet
// and its timer wakes it, so that it does not starve the others of the host's processor.
static void wait_for_starting(uint32_t mask, uint64_t deadline)
{
    for (;;) {
        uint32_t starting = 0;
        for (uint32_t i = 0; i < hart_count(); i++)
            if ((mask & (1u << i)) != 0 && state_of(&harts[i]) == NX_HART_STARTING)
                starting |= 1u << i;
        uint64_t now = arch_time();
        if (starting == 0 || now >= deadline)
            return;
        hart_pause();
    }
}

void hart_pause(void)
{
    if (arch_timer_arm(arch_time() + timer_ticks_from_nanoseconds(HART_PAUSE_NANOSECONDS)) != NX_OK)
        panic("the firmware refused to arm the timer");
    arch_wait_for_interrupt();
    hart_self()->armed_deadline = 0;
    timer_rearm();
    if ((atomic_load_explicit(&hart_self()->ipi_pending, memory_order_relaxed) & IPI_STOP) != 0)
        hart_halt_for_panic();
}

uint32_t hart_start_all(void)
{
    uint32_t requested = 0;
    for (uint32_t i = 1; i < hart_count(); i++)
        if (request_start(&harts[i]))
            requested |= 1u << i;
    wait_for_starting(requested, arch_time() + timer_ticks_from_nanoseconds(BRING_UP_NANOSECONDS));
    uint32_t online = (uint32_t)__builtin_popcount(hart_online_mask());
    if (online != machine.harts_named) {
        bool refused = (uint32_t)__builtin_popcount(requested) + 1 != hart_count();
        const char *reason = refused ? "hart-start-refused" : "hart-never-arrived";
        if (machine.harts_named > hart_count())
            reason = "more-harts-than-supported";
        log_line("neuron: smp degraded online=%u wanted=%u reason=%s", online, machine.harts_named,
                 reason);
    }
    return online;
}

// --- Stopping and starting again
// ------------------------------------------------------------------

enum nx_status hart_start(struct hart_index index)
{
    if (index.value >= hart_count())
        return NX_ERR_OUT_OF_RANGE;
    struct hart *hart = &harts[index.value];
    if (state_of(hart) != NX_HART_STOPPED)
        return NX_ERR_BAD_STATE;
    // It says STOPPED a little before the firmware has it, and before its heir has taken over.
    bool stopped = false;
    TRY(arch_hart_is_stopped(hart, &stopped));
    uint32_t adopting = atomic_load_explicit(&harts[0].adopt, memory_order_acquire);
    if (!stopped || (adopting & hart_bit(hart)) != 0)
        return NX_ERR_BUSY;
    uint32_t expected = NX_HART_STOPPED;
    if (!atomic_compare_exchange_strong(&hart->state, &expected, NX_HART_STARTING))
        return NX_ERR_BAD_STATE;
    enum nx_status status = arch_hart_start(hart);
    if (status != NX_OK)
        hart_set_state(hart, NX_HART_STOPPED);
    return status;
}

enum nx_status hart_stop(struct hart_index index)
{
    if (index.value >= hart_count())
        return NX_ERR_OUT_OF_RANGE;
    struct hart *hart = &harts[index.value];
    if (state_of(hart) != NX_HART_ONLINE)
        return NX_ERR_BAD_STATE;
    // The boot hart stays: early boot state and firmware logs hang on it, and one must.
    if (index.value == 0)
        return NX_ERR_BAD_STATE;
    if (hart == hart_self()) {
        hart->leaving = true;
        hart->reschedule = true;
        return NX_OK;
    }
    return hart_send_ipi(index, IPI_LEAVE);
}

_Noreturn void hart_leave_now(void)
{
    struct hart *hart = hart_self();
    struct hart *heir = &harts[0];
    struct thread *current = hart->current;
    hart->leaving = false;
    // From here on nobody sends threads or IPIs here. Full fence: whoever chose this hart before
    // pushes before scheduler_evacuate looks, or sees the state and evacuates. Pairs with
    // notify_hart.
    hart_set_state(hart, NX_HART_STOPPING);
    atomic_thread_fence(memory_order_seq_cst);
    address_space_activate(NULL, hart);
    hart->current = NULL;
    if (current != NULL)
        scheduler_make_ready(current);
    scheduler_evacuate(hart);
    timer_move_all(hart, heir);
    interrupt_move_all(hart, heir);
    log_line("neuron: hart%u leaves", hart->index.value);
    // The heir looks at what it inherits: it is online as long as the system runs.
    atomic_fetch_or_explicit(&heir->adopt, hart_bit(hart), memory_order_release);
    if (hart_send_ipi(heir->index, IPI_RESCHEDULE) != NX_OK)
        panic("hart0 is not online");
    arch_hart_offline();
    atomic_store_explicit(&hart->running_class, -1, memory_order_relaxed);
    lock_check_none_held();
    hart_set_state(hart, NX_HART_STOPPED);
    enum nx_status status = arch_hart_stop();
    panic("hart%u could not stop: status %d", hart->index.value, (int)status);
}

// --- Inter-processor interrupts
// -------------------------------------------------------------------

enum nx_status hart_send_ipi(struct hart_index target, uint32_t reason)
{
    if (target.value >= hart_count() || target.value == hart_self()->index.value)
        return NX_ERR_OUT_OF_RANGE;
    return hart_interrupt(&harts[target.value], reason);
}

enum nx_status hart_interrupt(struct hart *hart, uint32_t reason)
{
    struct hart *self = hart_self();
    if (state_of(hart) != NX_HART_ONLINE)
        return NX_ERR_BAD_STATE;
    counter_add(&self->ipi.requested, 1);
    uint32_t sender = self->bit << IPI_SENDER_SHIFT;
    // Sequentially consistent: what the reason announces is visible before the bit.
    uint32_t before =
        atomic_fetch_or_explicit(&hart->ipi_pending, reason | sender, memory_order_seq_cst);
    if ((before & reason) == reason) {
        counter_add(&self->ipi.coalesced, 1);
        return NX_OK;
    }
    counter_add(&self->ipi.sent, 1);
    counter_add(&self->ipi.sent_to[hart->index.value], 1);
    if (fault_injection_suppresses_ipi())
        return NX_OK;
    enum nx_status status = arch_ipi_send(hart);
    if (status != NX_OK)
        // Otherwise later requests would coalesce with one that never arrives.
        atomic_fetch_and_explicit(&hart->ipi_pending, ~reason, memory_order_relaxed);
    return status;
}

static void note_senders(struct hart *hart, uint32_t pending)
{
    uint32_t senders = pending >> IPI_SENDER_SHIFT;
    for (uint32_t i = 0; senders >> i != 0; i++) {
        if ((senders >> i & 1) == 0)
            continue;
        counter_add(&hart->ipi.received_from[i], 1);
        if (counter_read(&hart->ipi.received_from[i]) == 1)
            log_line("neuron: ipi hart%u->hart%u", i, hart->index.value);
    }
}

void hart_dispatch_ipi(void)
{
    struct hart *hart = hart_self();
    arch_ipi_clear();
    counter_add(&hart->ipi.trapped, 1);
    // Acquire: what each reason announces is visible after it. Pairs with hart_send_ipi.
    uint32_t pending = atomic_exchange_explicit(&hart->ipi_pending, 0, memory_order_acq_rel);
    for (uint32_t reasons = pending & IPI_REASONS; reasons != 0; reasons &= reasons - 1)
        counter_add(&hart->ipi.dispatched, 1);
    if ((pending & IPI_STOP) != 0)
        hart_halt_for_panic();
    note_senders(hart, pending);
    if ((pending & IPI_LEAVE) != 0)
        hart->leaving = true;
    if (atomic_load_explicit(&hart->adopt, memory_order_relaxed) != 0) {
        // A hart that has stopped left its deadlines and its reclamation here.
        timer_rearm();
        timer_start_tick(hart);
    }
    // IPI_QUIESCE needs nothing more: the hart passes a quiescent point when it leaves the kernel.
    if ((pending & (IPI_RESCHEDULE | IPI_LEAVE)) != 0)
        hart->reschedule = true;
}

// Harts that have stopped for another one's panic.
static _Atomic uint32_t halted;

_Noreturn void hart_halt_for_panic(void)
{
    atomic_fetch_or_explicit(&halted, hart_bit(hart_self()), memory_order_release);
    arch_halt();
}

void hart_stop_others(void)
{
    uint32_t others = hart_online_mask() & ~hart_bit(hart_self());
    uint64_t deadline = arch_time() + timer_ticks_from_nanoseconds(PANIC_WAIT_NANOSECONDS);
    for (uint32_t i = 0; i < hart_count(); i++) {
        if ((others & (1u << i)) == 0)
            continue;
        atomic_fetch_or_explicit(&harts[i].ipi_pending, IPI_STOP, memory_order_seq_cst);
        if (arch_ipi_send(&harts[i]) != NX_OK)
            others &= ~(1u << i); // not waited for: the report matters more
    }
    // A hart in the kernel stops when it leaves it or prints; one that does neither is not waited
    // for.
    while ((atomic_load_explicit(&halted, memory_order_acquire) & others) != others &&
           arch_time() < deadline)
        arch_relax();
}
