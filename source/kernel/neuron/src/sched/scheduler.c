// SPDX-License-Identifier: Apache-2.0
// The scheduler: which thread a hart runs next, and where a ready thread goes.
#include "sched/scheduler.h"

#include "arch/arch.h"
#include "arch_inline.h"
#include "core/hart.h"
#include "core/interrupts.h"
#include "core/log.h"
#include "core/panic.h"
#include "fault_injection.h"
#include "object/process.h"
#include "object/reclaim.h"
#include "sched/thread.h"

// Destruction steps that a tick may run while threads wait for the hart, and that idling may.
#define RECLAIM_STEPS_TICK 64u
#define RECLAIM_STEPS_IDLE 8u

// Deadlines that one timer interrupt expires; those left make the timer interrupt again at once.
#define EXPIRY_STEP 16u

#define CLASS_IDLE (-1)

bool scheduler_may_run(const struct thread *thread, uint32_t hart_bit)
{
    uint32_t affinity = thread_affinity(thread);
    return (affinity & hart_bit) != 0 || (affinity & hart_online_mask()) == 0;
}

static int32_t running_class(const struct hart *hart)
{
    return atomic_load_explicit(&hart->running_class, memory_order_relaxed);
}

static bool is_online(const struct hart *hart)
{
    return atomic_load_explicit(&hart->state, memory_order_relaxed) == NX_HART_ONLINE;
}

static uint32_t queued_count(const struct hart *hart)
{
    return atomic_load_explicit(&hart->run_queue.length, memory_order_relaxed);
}

// Idles, and nothing waits there that will keep it from doing so.
static bool is_free(const struct hart *hart)
{
    return running_class(hart) == CLASS_IDLE && queued_count(hart) == 0 &&
           atomic_load_explicit(&hart->arrival, memory_order_relaxed) == NULL;
}

_Atomic uint32_t scheduler_idle_harts;

// A free hart, the thread's home first, else its home, else any that is allowed and online.
static __attribute__((noinline)) struct hart *choose_free_hart(const struct thread *thread,
                                                               struct hart *home)
{
    struct hart *fallback = hart_self();
    uint32_t online = hart_online_mask();
    bool home_allowed = (online & hart_bit(home)) != 0 && scheduler_may_run(thread, hart_bit(home));
    if (home_allowed) {
        fallback = home;
        if (is_free(home))
            return home;
    }
    for (uint32_t i = 0; i < hart_count(); i++) {
        struct hart *hart = &harts[i];
        if ((online & hart_bit(hart)) == 0 || !scheduler_may_run(thread, hart_bit(hart)))
            continue;
        if (is_free(hart))
            return hart;
        if (!home_allowed)
            fallback = hart;
    }
    return fallback;
}

// The hart whose queue a ready thread joins: the last one it ran on, if that may be and no other
// one idles.
static inline struct hart *choose_hart(const struct thread *thread)
{
    struct hart *home = atomic_load_explicit(&thread->home, memory_order_relaxed);
    uint32_t affinity = thread_affinity(thread);
    uint32_t idle = atomic_load_explicit(&scheduler_idle_harts, memory_order_relaxed) & ~home->bit;
    if ((affinity & home->bit) != 0 && (affinity & idle) == 0 && is_online(home))
        return home;
    return choose_free_hart(thread, home);
}

// Tells `hart` that its queue has a thread of `class`, if it should look before its next tick.
static void notify_hart(struct hart *hart, int32_t class)
{
    if (hart == hart_self()) {
        if (class > running_class(hart))
            hart->reschedule = true;
        // Somebody to share with; scheduler_run_next looks when this hart has no thread yet.
        if (hart->current != NULL)
            timer_start_tick(hart);
        return;
    }
    // Full fence: the push comes before the look at what that hart runs, whether it ticks and
    // whether it stays. Pairs with the fences in idle_until_work, stop_tick and hart_leave_now.
    atomic_thread_fence(memory_order_seq_cst);
    bool looks_late =
        class <= running_class(hart) && counter_read(&hart->tick_deadline) != ARCH_TIMER_NEVER;
    if (!is_online(hart) ||
        (!looks_late && hart_interrupt(hart, IPI_RESCHEDULE) == NX_ERR_BAD_STATE))
        scheduler_evacuate(hart); // it went offline after it was chosen
}

static void push_to(struct hart *hart, struct thread *thread)
{
    int32_t class = thread_class(thread);
    run_queue_push(&hart->run_queue, thread, false);
    // The queue owns the thread from here on.
    notify_hart(hart, class);
}

// Puts the thread into the slot of its idle home; false if another one is there.
static inline bool send_home(struct hart *home, struct thread *thread)
{
    struct thread *expected = NULL;
    // Release: the hart sees all of the thread.
    if (!atomic_compare_exchange_strong_explicit(&home->arrival, &expected, thread,
                                                 memory_order_release, memory_order_relaxed))
        return false;
    // Full fence: there before the look at whether that hart stays. Pairs with hart_leave_now.
    atomic_thread_fence(memory_order_seq_cst);
    if (hart_interrupt(home, IPI_RESCHEDULE) == NX_ERR_BAD_STATE)
        scheduler_evacuate(home);
    return true;
}

// Takes what was sent while this hart idled, or NULL.
static inline struct thread *take_arrival(struct hart *hart)
{
    if (atomic_load_explicit(&hart->arrival, memory_order_relaxed) == NULL)
        return NULL;
    // Acquire: pairs with send_home.
    return atomic_exchange_explicit(&hart->arrival, NULL, memory_order_acquire);
}

void scheduler_make_ready(struct thread *thread)
{
    struct hart *self = hart_self();
    // Acquire: as in timer_cancel, which most threads do not need.
    if (atomic_load_explicit(&thread->timer.hart, memory_order_acquire) != NULL)
        timer_cancel(thread);
    thread_set_state(thread, THREAD_RUNNABLE);
    // Urgent, at home and no allowed hart idles: handed over.
    struct hart *home = atomic_load_explicit(&thread->home, memory_order_relaxed);
    uint32_t affinity = thread_affinity(thread);
    uint32_t idle = atomic_load_explicit(&scheduler_idle_harts, memory_order_relaxed) & ~self->bit;
    if ((affinity & idle & home->bit) != 0 && send_home(home, thread))
        return;
    if (thread_class(thread) > running_class(self) && home == self && (affinity & self->bit) != 0 &&
        (affinity & idle) == 0 && self->handoff == NULL && is_online(self)) {
        self->handoff = thread;
        self->reschedule = true;
        return;
    }
    push_to(choose_hart(thread), thread);
}

// Takes the thread that this hart has been handed, if it may run here and is more urgent than
// `class` and than all that are queued; else it joins a queue.
static inline __attribute__((always_inline)) struct thread *take_handoff(struct hart *hart,
                                                                         int32_t class)
{
    struct thread *thread = hart->handoff;
    if (thread == NULL)
        return NULL;
    hart->handoff = NULL;
    if (thread_class(thread) > class && !scheduler_has_more_urgent(hart, thread) &&
        scheduler_may_run(thread, hart->bit))
        return thread;
    push_to(choose_hart(thread), thread);
    return NULL;
}

void scheduler_switch_to(struct thread *next)
{
    thread_set_state(next, THREAD_RUNNING);
    scheduler_dispatch(hart_self(), NULL, next);
}

static inline struct thread *steal(struct hart *hart)
{
    // An idle hart takes by itself what it has just been sent.
    uint32_t idle = atomic_load_explicit(&scheduler_idle_harts, memory_order_relaxed) | hart->bit;
    if (idle == atomic_load_explicit(&hart_online_bits, memory_order_relaxed))
        return NULL;
    // The queue of a hart that is not there is empty.
    for (uint32_t step = 1; step < NX_HARTS_MAX; step++) {
        struct hart *victim = &harts[(hart->index.value + step) % NX_HARTS_MAX];
        if (queued_count(victim) == 0 || (idle & victim->bit) != 0)
            continue;
        // Failing to find a thread that may move here is the usual answer, not an error.
        if (scheduler_steal(hart, victim, RUN_QUEUE_STEAL_MAX, NX_CLASS_COUNT - 1) == NX_OK)
            return run_queue_pop(&hart->run_queue);
    }
    return NULL;
}

enum nx_status scheduler_steal(struct hart *thief, struct hart *victim, uint32_t maximum,
                               uint32_t ceiling)
{
    struct thread_queue taken = {0};
    enum nx_status status = run_queue_steal(&victim->run_queue, hart_bit(thief), maximum,
                                            (enum nx_class)ceiling, &taken);
    if (status != NX_OK)
        return status;
    struct thread *thread;
    while ((thread = thread_queue_pop_front(&taken)) != NULL) {
        counter_add(&thief->steals, 1);
        run_queue_push(&thief->run_queue, thread, false);
    }
    return NX_OK;
}

// A popped thread that may not run here any more (its affinity changed) moves on.
static __attribute__((noinline)) struct thread *next_of_many(struct hart *hart,
                                                             struct thread *arrived)
{
    if (arrived != NULL)
        run_queue_push(&hart->run_queue, arrived, false);
    struct thread *thread = take_handoff(hart, CLASS_IDLE);
    if (thread != NULL)
        return thread;
    while ((thread = run_queue_pop(&hart->run_queue)) != NULL) {
        if (scheduler_may_run(thread, hart_bit(hart)))
            return thread;
        push_to(choose_hart(thread), thread);
    }
    return steal(hart);
}

// What was sent here is looked at in any case: the interrupt that came with it may be over.
static inline struct thread *next_thread(struct hart *hart)
{
    struct thread *thread = take_arrival(hart);
    if (hart->handoff != NULL || queued_count(hart) != 0 ||
        (thread != NULL && !scheduler_may_run(thread, hart->bit)))
        return next_of_many(hart, thread);
    return thread != NULL ? thread : steal(hart);
}

void scheduler_recheck_others(void)
{
    uint32_t others = hart_online_mask() & ~hart_bit(hart_self());
    for (uint32_t i = 0; i < hart_count(); i++)
        // A hart that has gone offline meanwhile runs nothing.
        if ((others & (1u << i)) != 0 && hart_interrupt(&harts[i], IPI_RESCHEDULE) != NX_OK)
            continue;
}

void scheduler_recheck(const struct thread *thread)
{
    // Full fence: what has changed can be seen before the look at whether the thread runs.
    atomic_thread_fence(memory_order_seq_cst);
    enum thread_state state =
        thread_state_of(atomic_load_explicit(&thread->wait, memory_order_relaxed));
    if (state == THREAD_RUNNING || state == THREAD_RUNNABLE)
        scheduler_recheck_others();
}

static inline bool tick_wanted(const struct hart *hart)
{
    return counter_read(&hart->ticks) < TIMER_PROOF_TICKS || queued_count(hart) != 0 ||
           reclaim_is_pending(hart);
}

static void stop_tick(struct hart *hart)
{
    counter_set(&hart->tick_deadline, ARCH_TIMER_NEVER);
    // Full fence: whoever pushes a thread here sees that no tick will come, or this hart sees the
    // thread. Pairs with notify_hart.
    atomic_thread_fence(memory_order_seq_cst);
    if (tick_wanted(hart))
        timer_start_tick(hart);
}

// Before the hart sleeps. Without Sstc a tick that is armed comes once more instead of being taken
// back at each sleep.
static void prepare_idle_timer(struct hart *hart)
{
    if (tick_wanted(hart))
        timer_start_tick(hart);
    else if (arch_has_sstc())
        counter_set(&hart->tick_deadline, ARCH_TIMER_NEVER);
    timer_rearm();
}

static struct thread *idle_until_work(struct hart *hart)
{
    struct thread *thread = NULL;
    hart->current = NULL;
    // The hart must not keep a dying process's table in use while it sleeps. An only hart may: that
    // process's threads end here first, each of which gives the table up (thread_end_current).
    if (hart_count() > 1) {
        address_space_activate(NULL, hart);
        // Release: what this hart did in the space comes before.
        atomic_store_explicit(&hart->spaceless, true, memory_order_release);
    }
    arch_thread_switch(NULL, NULL);
    atomic_fetch_or_explicit(&scheduler_idle_harts, hart->bit, memory_order_relaxed);
    while (thread == NULL) {
        reclaim_pass(hart);
        bool more = reclaim_is_pending(hart) && reclaim_run(RECLAIM_STEPS_IDLE);
        // Whatever asked this hart to look, and whoever's slice is over: it looks.
        hart->reschedule = false;
        hart->slice_over = false;
        atomic_store_explicit(&hart->running_class, CLASS_IDLE, memory_order_relaxed);
        // Full fence: `idle` is announced before the queue is looked at. Pairs with notify_hart.
        atomic_thread_fence(memory_order_seq_cst);
        thread = next_thread(hart);
        if (thread != NULL)
            break;
        if (!more) {
            prepare_idle_timer(hart);
            uint64_t start = arch_time();
            counter_set(&hart->idle_since, start);
            reclaim_rest_begin(hart);
            arch_wait_for_interrupt();
            reclaim_rest_end(hart);
            hart->dispatched_at = arch_time();
            counter_add(&hart->idle_time, hart->dispatched_at - start);
            counter_set(&hart->idle_since, 0);
        }
        interrupts_handle_pending();
        log_signal_reader();
        if (hart->leaving) {
            atomic_fetch_and_explicit(&scheduler_idle_harts, ~hart->bit, memory_order_relaxed);
            hart_leave_now();
        }
    }
    atomic_fetch_and_explicit(&scheduler_idle_harts, ~hart->bit, memory_order_relaxed);
    return thread;
}

void scheduler_run_next(void)
{
    struct hart *hart = hart_self();
    scheduler_account(hart, hart->current);
    if (hart->reschedule)
        log_signal_reader();
    hart->reschedule = false;
    struct thread *next = next_thread(hart);
    if (next == NULL)
        next = idle_until_work(hart);
    scheduler_switch_to(next);
    if (queued_count(hart) != 0)
        timer_start_tick(hart);
}

void scheduler_leave_to(struct hart *hart, struct thread *next)
{
    if (((thread_affinity(next) & hart->bit) != 0 || scheduler_may_run(next, hart->bit)) &&
        !scheduler_has_more_urgent(hart, next)) {
        timer_cancel(next);
        scheduler_switch_to(next);
        return;
    }
    scheduler_make_ready(next);
    scheduler_run_next();
}

void scheduler_yield(struct hart *target)
{
    struct hart *hart = hart_self();
    struct thread *current = hart->current;
    if (!is_online(target) || !scheduler_may_run(current, hart_bit(target)))
        target = hart;
    scheduler_account(hart, current);
    hart->current = NULL;
    thread_set_state(current, THREAD_RUNNABLE);
    push_to(target, current);
    scheduler_run_next();
}

// This hart has queued a thread of this affinity: an idle hart, if there is one, comes and steals.
static void wake_thief(struct hart *hart, uint32_t affinity)
{
    // Full fence: queued before the look at who idles. Pairs with the one in idle_until_work.
    atomic_thread_fence(memory_order_seq_cst);
    uint32_t idle = atomic_load_explicit(&scheduler_idle_harts, memory_order_relaxed);
    idle &= affinity & ~hart->bit;
    // One that has gone offline meanwhile steals nothing; the tick tries again.
    if (idle != 0 && hart_interrupt(&harts[__builtin_ctz(idle)], IPI_RESCHEDULE) != NX_OK)
        return;
}

void scheduler_preempt(void)
{
    struct hart *hart = hart_self();
    struct thread *current = hart->current;
    hart->reschedule = false;
    log_signal_reader();
    if (hart->leaving)
        hart_leave_now();
    // Its class may have changed; announced before the queue is looked at, as in idle_until_work.
    atomic_store_explicit(&hart->running_class, thread_class(current), memory_order_relaxed);
    atomic_thread_fence(memory_order_seq_cst);
    bool slice_over = hart->slice_over;
    enum nx_class floor = (enum nx_class)(thread_class(current) + (slice_over ? 0 : 1));
    hart->slice_over = false;
    struct thread *next = take_arrival(hart);
    if (next != NULL) // this hart had left the idle loop by itself
        run_queue_push(&hart->run_queue, next, false);
    next = take_handoff(hart, thread_class(current));
    if (queued_count(hart) != 0)
        timer_start_tick(hart);
    if (next == NULL) {
        if (floor >= NX_CLASS_COUNT && scheduler_may_run(current, hart_bit(hart)))
            return;
        if (!scheduler_may_run(current, hart_bit(hart))) {
            scheduler_yield(hart);
            return;
        }
        while ((next = run_queue_pop_at_least(&hart->run_queue, floor)) != NULL &&
               !scheduler_may_run(next, hart_bit(hart)))
            push_to(choose_hart(next), next);
        if (next == NULL)
            return;
    }
    scheduler_account(hart, current);
    // One that has its slice left goes on before its equals.
    thread_set_state(current, THREAD_RUNNABLE);
    run_queue_push(&hart->run_queue, current, !slice_over);
    timer_start_tick(hart);
    wake_thief(hart, thread_affinity(current));
    scheduler_switch_to(next);
    hart->reschedule = false;
}

// Queues one thread of each class below the running one anew: it may have been raised meanwhile, by
// thread_kill or by its process, and would wait for ever.
static void requeue_lower(struct hart *hart)
{
    for (int32_t class = running_class(hart); class -- > 0;) {
        struct thread_queue taken = {0};
        if (run_queue_steal(&hart->run_queue, UINT32_MAX, 1, (enum nx_class) class, &taken) ==
            NX_OK)
            run_queue_push(&hart->run_queue, thread_queue_pop_front(&taken), false);
    }
}

// Where no hart idles, nobody steals: a thread moves from the longer queue to the shorter one.
static void even_out(struct hart *hart, struct hart *other)
{
    // That none of them may move is no error.
    if (queued_count(other) > queued_count(hart) + 1 &&
        scheduler_steal(hart, other, 1, NX_CLASS_COUNT - 1) != NX_OK)
        return;
}

static void count_tick(struct hart *hart, uint64_t now)
{
    uint32_t turn = counter_read(&hart->ticks) % NX_HARTS_MAX;
    if (queued_count(hart) != 0) {
        // Another idle hart each time: the first of them may not be allowed to take what is queued.
        wake_thief(hart, UINT32_MAX << turn);
        requeue_lower(hart);
    }
    even_out(hart, &harts[turn]);
    uint64_t period = timer_ticks_from_nanoseconds(TIMER_TICK_NANOSECONDS);
    counter_add(&hart->ticks, 1);
    fault_injection_on_tick(hart->index);
    if (counter_read(&hart->ticks) == TIMER_PROOF_TICKS)
        log_line("neuron: hart%u tick n=%u", hart->index.value, TIMER_PROOF_TICKS);
    counter_set(&hart->tick_deadline, now + period);
    hart->slice_over = true;
    hart->reschedule = true;
    reclaim_nudge();
}

static void expire_deadlines(uint64_t now)
{
    uint64_t sequence;
    struct thread *thread;
    for (uint32_t i = 0; i < EXPIRY_STEP && (thread = timer_pop_expired(now, &sequence)) != NULL;
         i++)
        // A thread that was woken meanwhile is not ours to wake.
        (void)thread_cancel(thread, sequence, NX_ERR_TIMED_OUT);
}

void scheduler_timer_interrupt(void)
{
    struct hart *hart = hart_self();
    uint64_t now = arch_time();
    counter_add(&hart->timer_interrupts, 1);
    hart->armed_deadline = 0; // the hardware must be armed anew: its interrupt is level-triggered
    bool ticked = counter_read(&hart->tick_deadline) <= now;
    if (ticked) {
        count_tick(hart, now);
        if (!tick_wanted(hart))
            stop_tick(hart);
    }
    expire_deadlines(now);
    timer_rearm();
    // Last, with the timer armed anew: an interrupt that pends from here on ends it early.
    if (ticked && hart->current != NULL)
        (void)reclaim_run(RECLAIM_STEPS_TICK);
}

void scheduler_evacuate(struct hart *hart)
{
    struct thread *thread;
    if (hart == hart_self() && (thread = hart->handoff) != NULL) {
        hart->handoff = NULL;
        push_to(choose_hart(thread), thread);
    }
    if ((thread = atomic_exchange_explicit(&hart->arrival, NULL, memory_order_acquire)) != NULL)
        push_to(choose_hart(thread), thread);
    while ((thread = run_queue_pop(&hart->run_queue)) != NULL)
        push_to(choose_hart(thread), thread);
}
