// SPDX-License-Identifier: Apache-2.0
// A second thread that makes one system call at the same moment as the test: see duel.h.
#include "duel.h"

#define STRIKE_PATIENCE (5 * NX_SECOND)
#define SPIN_TIME       (100 * NX_MICROSECOND)
#define PAUSE           (50 * NX_MICROSECOND)
#define DELAY_MASK      0xfffu

uint32_t duel_delay(void)
{
    static uint32_t state = 0x9e3779b9u; // xorshift32; the test's thread is the only one that draws
    state ^= state << 13;
    state ^= state >> 17;
    state ^= state << 5;
    // Mostly short: the calls themselves take some hundred turns.
    return (state & DELAY_MASK) >> ((state >> 16) & 7);
}

void duel_spin(uint32_t turns)
{
    for (volatile uint32_t turn = 0; turn < turns; turn++) {
    }
}

bool spin_until(bool (*done)(void *), void *context, uint64_t nanoseconds)
{
    uint64_t start = nx_clock_now();
    uint64_t now = start;
    while (!done(context)) {
        if (now - start > nanoseconds) {
            return false;
        }
        if (now - start > SPIN_TIME) {
            nx_sleep(PAUSE);
        }
        now = nx_clock_now();
    }
    return true;
}

// Acquire: what the rival has written before.
static bool is_ready(void *context)
{
    struct duel *duel = context;
    return atomic_load_explicit(&duel->ready, memory_order_acquire) ==
           atomic_load_explicit(&duel->begun, memory_order_relaxed);
}

static bool has_ended(void *context)
{
    struct duel *duel = context;
    return atomic_load_explicit(&duel->ended, memory_order_acquire) ==
           atomic_load_explicit(&duel->begun, memory_order_relaxed);
}

enum wake_bits { WAKE_ROUND = 1, WAKE_STOP = 2 };

static void rival_thread(void *argument)
{
    struct duel *duel = argument;
    uint64_t bits = 0;

    while (nx_notification_wait(duel->wake, NX_DEADLINE_NEVER, &bits) == NX_OK &&
           (bits & WAKE_STOP) == 0) {
        atomic_fetch_add_explicit(&duel->ready, 1, memory_order_release);
        duel_spin(duel->delay);
        duel->status = duel->strike(duel->context);
        atomic_fetch_add_explicit(&duel->ended, 1, memory_order_release);
    }
}

enum nx_status duel_open(struct duel *duel, uint64_t hart)
{
    struct nx_info_hart record;
    bool online = machine_hart(hart, &record) == NX_OK && record.state == NX_HART_ONLINE;
    struct nx_thread_options options = {.affinity = online ? 1ull << hart : 0, .class = -1};
    enum nx_status status = nx_notification_create(&duel->wake);
    if (status == NX_OK) {
        status = nx_thread_spawn(&options, rival_thread, duel, &duel->thread);
    }
    if (status != NX_OK) {
        nx_handle_drop(duel->wake);
    }
    return status;
}

enum nx_status duel_begin(struct duel *duel, enum nx_status (*strike)(void *), void *context)
{
    duel->strike = strike;
    duel->context = context;
    duel->delay = duel_delay();
    uint32_t delay = duel_delay();
    atomic_fetch_add_explicit(&duel->begun, 1, memory_order_relaxed);
    // The system call publishes the round: the rival reads it after its own has returned.
    enum nx_status status = nx_notification_signal(duel->wake, WAKE_ROUND);
    if (status == NX_OK && !spin_until(is_ready, duel, STRIKE_PATIENCE)) {
        status = NX_ERR_TIMED_OUT;
    }
    duel_spin(delay);
    return status;
}

enum nx_status duel_end(struct duel *duel)
{
    return spin_until(has_ended, duel, STRIKE_PATIENCE) ? duel->status : NX_ERR_TIMED_OUT;
}

bool duel_close(struct duel *duel)
{
    bool ended =
        nx_notification_signal(duel->wake, WAKE_STOP) == NX_OK && thread_ends(&duel->thread);
    nx_handle_drop(duel->wake);
    return ended;
}
