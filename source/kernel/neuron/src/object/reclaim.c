// SPDX-License-Identifier: Apache-2.0
// Reclamation by quiescence: when may a retired object's memory be reused?
#include "object/reclaim.h"

#include "arch_inline.h"
#include "core/hart.h"
#include "core/panic.h"
#include "object/object.h"

// Objects retired by a hart from which on it helps, and the steps that it takes then.
#define HELP_BACKLOG 8u
#define HELP_STEPS   16u

static void list_append(struct object_list *list, struct object_list *tail)
{
    if (tail->first == NULL)
        return;
    if (list->last != NULL)
        list->last->next = tail->first;
    else
        list->first = tail->first;
    list->last = tail->last;
    *tail = (struct object_list){0};
}

static void list_push(struct object_list *list, struct object *object)
{
    object->next = NULL;
    list_append(list, &(struct object_list){object, object});
}

void reclaim_retire(struct object *object)
{
    struct reclaim_state *state = &hart_self()->reclaim;
    counter_add(&state->retired, 1);
    list_push(&state->incoming, object);
    timer_start_tick(hart_self());
}

void reclaim_add_work(struct object *object)
{
    struct reclaim_state *state = &hart_self()->reclaim;
    counter_add(&state->retired, 1);
    list_push(&state->ready, object);
    timer_start_tick(hart_self());
}

// The harts that have not passed a quiescent point since the snapshot.
static uint32_t lagging_harts(const struct reclaim_state *state)
{
    uint32_t lagging = 0;
    uint32_t others = hart_kernel_mask() & ~hart_bit(hart_self());
    for (uint32_t i = 0; others >> i != 0; i++) {
        if ((others & (1u << i)) == 0)
            continue;
        // Acquire: pairs with the release in reclaim_pass and in reclaim_rest_begin.
        bool resting = atomic_load_explicit(&harts[i].resting, memory_order_acquire);
        uint64_t passes = atomic_load_explicit(&harts[i].quiescent_passes, memory_order_acquire);
        if (!resting && passes == state->snapshot[i])
            lagging |= 1u << i;
    }
    return lagging;
}

// This hart itself is in the kernel: its own pass counts from the snapshot too, so objects that
// this very kernel entry still uses survive until it has been left.
static bool own_pass_done(const struct reclaim_state *state)
{
    const struct hart *hart = hart_self();
    return atomic_load_explicit(&hart->quiescent_passes, memory_order_relaxed) !=
           state->snapshot[hart->index.value];
}

static void begin_grace_period(struct reclaim_state *state)
{
    list_append(&state->waiting, &state->incoming);
    // Full fence: the unlinking of what was retired comes before the reading of the counters.
    atomic_thread_fence(memory_order_seq_cst);
    for (uint32_t i = 0; i < hart_count(); i++)
        state->snapshot[i] = atomic_load_explicit(&harts[i].quiescent_passes, memory_order_relaxed);
}

static void advance(struct reclaim_state *state)
{
    if (state->waiting.first != NULL && own_pass_done(state) && lagging_harts(state) == 0)
        list_append(&state->ready, &state->waiting);
    if (state->waiting.first == NULL && state->incoming.first != NULL)
        begin_grace_period(state);
}

// Takes over the lists of harts that have stopped.
static void adopt_stopped(struct reclaim_state *state)
{
    struct hart *hart = hart_self();
    if (atomic_load_explicit(&hart->adopt, memory_order_relaxed) == 0)
        return;
    // Acquire: pairs with the release in hart_leave_now.
    uint32_t mask = atomic_load_explicit(&hart->adopt, memory_order_acquire);
    for (uint32_t i = 0; i < hart_count(); i++) {
        if ((mask & (1u << i)) == 0)
            continue;
        list_append(&state->incoming, &harts[i].reclaim.incoming);
        list_append(&state->incoming, &harts[i].reclaim.waiting);
        list_append(&state->ready, &harts[i].reclaim.ready);
    }
    // Release: a hart that is started again finds its lists empty.
    atomic_fetch_and_explicit(&hart->adopt, ~mask, memory_order_release);
    timer_rearm();
    timer_start_tick(hart);
}

bool reclaim_run(uint32_t steps)
{
    struct reclaim_state *state = &hart_self()->reclaim;
    adopt_stopped(state);
    advance(state);
    bool interrupted = false;
    while (steps-- > 0 && state->ready.first != NULL && !interrupted) {
        struct object *object = state->ready.first;
        state->ready.first = object->next;
        if (state->ready.first == NULL)
            state->ready.last = NULL;
        if (object_destroy_step(object))
            counter_add(&state->done, 1);
        else
            list_push(&state->ready, object);
        interrupted = arch_interrupts_pending() != 0;
    }
    // With nobody lagging, this hart's next pass ends the grace period.
    return state->ready.first != NULL ||
           (state->waiting.first != NULL && lagging_harts(state) == 0);
}

void reclaim_help(void)
{
    struct reclaim_state *state = &hart_self()->reclaim;
    uint64_t retired = counter_read(&state->retired);
    if (retired - state->helped < HELP_BACKLOG)
        return;
    state->helped = retired;
    (void)reclaim_run(HELP_STEPS);
}

void reclaim_nudge(void)
{
    const struct reclaim_state *state = &hart_self()->reclaim;
    if (state->waiting.first == NULL)
        return;
    uint32_t lagging = lagging_harts(state);
    for (uint32_t i = 0; i < hart_count(); i++) {
        // A hart that went offline meanwhile is no longer waited for: its refusal is the answer.
        if ((lagging & (1u << i)) != 0 && hart_interrupt(&harts[i], IPI_QUIESCE) != NX_OK)
            continue;
    }
}

uint64_t reclaim_retired_count(void)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < NX_HARTS_MAX; i++)
        sum += counter_read(&harts[i].reclaim.retired);
    return sum;
}

uint64_t reclaim_done_count(void)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < NX_HARTS_MAX; i++)
        sum += counter_read(&harts[i].reclaim.done);
    return sum;
}
