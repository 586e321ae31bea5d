// SPDX-License-Identifier: Apache-2.0
// Self-tests of the harts: every one of them takes ticks, and every ordered pair exchanges IPIs.
#include "selftest.h"
#include <stdatomic.h>

#define TICK_DEADLINE (5 * NX_SECOND)
#define TICKS_WANTED  2u
#define BUSY_THREADS  2u // two, so that the hart needs its tick to share between them
#define IPI_DEADLINE  (5 * NX_SECOND)
#define IPI_ROUNDS    8u
#define SETTLE_TIME   (1 * NX_MILLISECOND) // lets the other hart fall idle before the next signal
#define LEDGER_TIME   (10 * NX_SECOND)
#define WAKE_DEADLINE (10 * NX_SECOND)

static uint64_t hart_mask(uint64_t index)
{
    return 1ull << index;
}

// ---- Ticks --------------------------------------------------------------------------------------

struct tick_wait {
    uint64_t hart;
    uint64_t wanted;
    uint64_t seen;
    enum nx_status status;
};

static bool ticks_reached(void *context)
{
    struct tick_wait *wait = context;
    struct nx_info_hart record;

    wait->status = machine_hart(wait->hart, &record);
    wait->seen = record.ticks;
    return wait->status != NX_OK || wait->seen >= wait->wanted;
}

// Keeps its hart busy until told to stop; gives up by itself when nobody does.
static void busy_thread(void *argument)
{
    atomic_bool *stop = argument;
    uint64_t deadline = nx_deadline_after(TICK_DEADLINE + NX_SECOND);
    while (!atomic_load_explicit(stop, memory_order_relaxed) && nx_clock_now() < deadline) {
    }
}

static enum test_outcome join_all(struct test_report *report, struct nx_thread *threads,
                                  size_t count)
{
    bool ended = true;
    for (size_t i = 0; i < count; i++) {
        ended = thread_ends(&threads[i]) && ended;
    }
    EXPECT(report, ended, "a pinned thread never ended");
    return TEST_PASS;
}

static enum test_outcome hart_ticks(struct test_report *report, uint64_t index,
                                    const struct nx_info_hart *before)
{
    atomic_bool stop = false;
    struct nx_thread threads[BUSY_THREADS];
    struct nx_thread_options options = {.affinity = hart_mask(index), .class = -1};
    struct tick_wait wait = {.hart = index, .wanted = before->ticks + TICKS_WANTED};

    for (size_t i = 0; i < BUSY_THREADS; i++) {
        enum nx_status status = nx_thread_spawn(&options, busy_thread, &stop, &threads[i]);
        if (status != NX_OK) {
            atomic_store_explicit(&stop, true, memory_order_relaxed);
            (void)join_all(report, threads, i);
            return test_fail(report, "hart %d: spawn: %s", (int)index, nx_status_text(status));
        }
    }
    bool reached = nx_wait_until(ticks_reached, &wait, TICK_DEADLINE);
    atomic_store_explicit(&stop, true, memory_order_relaxed);
    enum test_outcome joined = join_all(report, threads, BUSY_THREADS);
    EXPECT_OK(report, wait.status);
    EXPECT(report, reached, "hart %d: ticks %llu, wanted %llu", (int)index,
           (unsigned long long)wait.seen, (unsigned long long)wait.wanted);
    return joined;
}

enum test_outcome test_hart_ticks(struct test_report *report)
{
    struct nx_info_system system;

    EXPECT_OK(report, machine_system(&system));
    EXPECT(report, system.harts_online == system.harts, "online=%u wanted=%u", system.harts_online,
           system.harts);
    for (uint64_t i = 0; i < system.harts; i++) {
        struct nx_info_hart before;
        EXPECT_OK(report, machine_hart(i, &before));
        EXPECT(report, before.state == NX_HART_ONLINE, "hart %d: state %u", (int)i, before.state);
        enum test_outcome outcome = hart_ticks(report, i, &before);
        if (outcome != TEST_PASS) {
            return outcome;
        }
    }
    return TEST_PASS;
}

// ---- Inter-processor interrupts -----------------------------------------------------------------

// Two pinned threads that do nothing but wait: their harts are idle. The test wakes one of them and
// that one wakes the other, which must take an IPI; the other reports back. Only the test's own
// hart sleeps by its timer.
enum wake_bits { WAKE_PASS_ON = 1, WAKE_REPORT = 2, WAKE_STOP = 4 };

struct ping_pong {
    nx_handle wake[2];
    nx_handle report;
};

struct player {
    const struct ping_pong *game;
    unsigned side;
};

static void player_thread(void *argument)
{
    const struct player *player = argument;
    const struct ping_pong *game = player->game;
    uint64_t bits = 0;
    enum nx_status status = NX_OK;

    while (status == NX_OK && (bits & WAKE_STOP) == 0) {
        status = nx_notification_wait(game->wake[player->side], NX_DEADLINE_NEVER, &bits);
        if (status == NX_OK && (bits & WAKE_PASS_ON) != 0) {
            status = nx_notification_signal(game->wake[1 - player->side], WAKE_REPORT);
        } else if (status == NX_OK && (bits & WAKE_REPORT) != 0) {
            status = nx_notification_signal(game->report, 1);
        }
    }
}

// Sends one wake-up from each side to the other.
static enum nx_status ping_pong_round(const struct ping_pong *game)
{
    for (size_t side = 0; side < 2; side++) {
        uint64_t bits;
        nx_sleep(SETTLE_TIME);
        enum nx_status status = nx_notification_signal(game->wake[side], WAKE_PASS_ON);
        if (status == NX_OK) {
            status = nx_notification_wait(game->report, nx_deadline_after(WAKE_DEADLINE), &bits);
        }
        if (status != NX_OK) {
            return status;
        }
    }
    return NX_OK;
}

static enum nx_status ping_pong_open(struct ping_pong *game)
{
    enum nx_status status = nx_notification_create(&game->report);
    for (size_t side = 0; side < 2 && status == NX_OK; side++) {
        status = nx_notification_create(&game->wake[side]);
    }
    return status;
}

// Ends the players; false: one of them did not.
static bool ping_pong_close(struct ping_pong *game, struct nx_thread *threads, size_t started)
{
    bool ended = true;
    for (size_t side = 0; side < started; side++) {
        ended = nx_notification_signal(game->wake[side], WAKE_STOP) == NX_OK &&
                thread_ends(&threads[side]) && ended;
    }
    nx_handle_drop(game->wake[0]);
    nx_handle_drop(game->wake[1]);
    nx_handle_drop(game->report);
    return ended;
}

static enum test_outcome ping_pong_play(struct test_report *report, const uint64_t harts[2])
{
    struct ping_pong game = {0};
    const struct player players[2] = {{&game, 0}, {&game, 1}};
    struct nx_thread threads[2];
    size_t started = 0;

    enum nx_status status = ping_pong_open(&game);
    while (started < 2 && status == NX_OK) {
        struct nx_thread_options options = {.affinity = hart_mask(harts[started]), .class = -1};
        status = nx_thread_spawn(&options, player_thread, (void *)(uintptr_t)&players[started],
                                 &threads[started]);
        started += status == NX_OK;
    }
    for (size_t round = 0; round < IPI_ROUNDS && status == NX_OK; round++) {
        status = ping_pong_round(&game);
    }
    bool ended = ping_pong_close(&game, threads, started);
    EXPECT(report, status == NX_OK && ended, "harts %d and %d: a wake-up was lost: %s",
           (int)harts[0], (int)harts[1], nx_status_text(status));
    return TEST_PASS;
}

// Whether the ledgers show that `from` has sent IPIs to `to`, and `to` received them, since before.
static enum test_outcome pair_rose(struct test_report *report, uint64_t from, uint64_t to,
                                   const struct nx_info_hart *before, bool *rose)
{
    struct nx_info_hart sender;
    struct nx_info_hart receiver;

    EXPECT_OK(report, machine_hart(from, &sender));
    EXPECT_OK(report, machine_hart(to, &receiver));
    *rose = sender.ipi_sent_to[to] > before[from].ipi_sent_to[to] &&
            receiver.ipi_received_from[from] > before[to].ipi_received_from[from] &&
            receiver.ipi_dispatched > before[to].ipi_dispatched;
    return TEST_PASS;
}

static enum test_outcome pair_exchanges(struct test_report *report, uint64_t first, uint64_t second,
                                        const struct nx_info_hart *before)
{
    const uint64_t harts[2] = {first, second};
    uint64_t deadline = nx_deadline_after(IPI_DEADLINE);

    for (;;) {
        bool there;
        bool back;
        enum test_outcome outcome = ping_pong_play(report, harts);
        if (outcome == TEST_PASS) {
            outcome = pair_rose(report, first, second, before, &there);
        }
        if (outcome == TEST_PASS) {
            outcome = pair_rose(report, second, first, before, &back);
        }
        if (outcome != TEST_PASS || (there && back)) {
            return outcome;
        }
        EXPECT(report, nx_clock_now() < deadline, "no ipi hart%d->hart%d",
               (int)(there ? second : first), (int)(there ? first : second));
    }
}

struct ledger_check {
    uint32_t harts;
    struct nx_info_hart record; // the first that does not add up
};

// A hart may be in the middle of a send while its record is copied: that settles by itself.
static bool ledgers_add_up(void *context)
{
    struct ledger_check *check = context;
    for (uint64_t i = 0; i < check->harts; i++) {
        uint64_t sent = 0;
        if (machine_hart(i, &check->record) != NX_OK) {
            return false;
        }
        for (size_t to = 0; to < NX_HARTS_MAX; to++) {
            sent += check->record.ipi_sent_to[to];
        }
        if (sent != check->record.ipi_sent ||
            check->record.ipi_requested != check->record.ipi_sent + check->record.ipi_coalesced) {
            return false;
        }
    }
    return true;
}

enum test_outcome test_ipi(struct test_report *report)
{
    struct nx_info_system system;
    struct nx_info_hart before[NX_HARTS_MAX];

    EXPECT_OK(report, machine_system(&system));
    if (system.harts < 2) {
        return TEST_SKIP; // nobody to send to
    }
    EXPECT(report, system.harts_online == system.harts, "online=%u wanted=%u", system.harts_online,
           system.harts);
    for (uint64_t i = 0; i < system.harts; i++) {
        EXPECT_OK(report, machine_hart(i, &before[i]));
    }
    for (uint64_t first = 0; first < system.harts; first++) {
        for (uint64_t second = first + 1; second < system.harts; second++) {
            enum test_outcome outcome = pair_exchanges(report, first, second, before);
            if (outcome != TEST_PASS) {
                return outcome;
            }
        }
    }
    struct ledger_check check = {.harts = system.harts};
    EXPECT(report, nx_wait_until(ledgers_add_up, &check, LEDGER_TIME),
           "hart id %llu: requested=%llu sent=%llu coalesced=%llu",
           (unsigned long long)check.record.hart_id, (unsigned long long)check.record.ipi_requested,
           (unsigned long long)check.record.ipi_sent,
           (unsigned long long)check.record.ipi_coalesced);
    return TEST_PASS;
}
