// SPDX-License-Identifier: Apache-2.0
// Self-test of hart_stop: a hart leaves under the threads that belong to it, they go on elsewhere,
// and it comes back to them. Again and again.
#include "selftest.h"
#include <stdatomic.h>

#define CYCLES      10u
#define STEP_TIME   (5 * NX_SECOND) // for each step of a cycle
#define NAP         (3 * NX_MILLISECOND)
#define LAPS_WANTED 2u
#define NAPS_WANTED 2u // the first may have begun before the hart left, the second did not

enum waiter_bits { WAITER_COUNT = 1, WAITER_STOP_OWN_HART = 2, WAITER_END = 4 };

// Three threads that are pinned to one hart: one computes, one sleeps, one waits.
enum worker { WORKER_BUSY, WORKER_SLEEPER, WORKER_WAITER, WORKER_COUNT };

struct crew {
    uint64_t hart;
    nx_handle wake;
    atomic_bool end;
    _Atomic uint64_t done[WORKER_COUNT]; // rounds, naps, wake-ups
    _Atomic enum nx_status stop_status;  // of the waiter's hart_control
    struct nx_thread threads[WORKER_COUNT];
    size_t started;
};

static void worker_count(struct crew *crew, enum worker worker)
{
    atomic_fetch_add_explicit(&crew->done[worker], 1, memory_order_relaxed);
}

static bool crew_ends(struct crew *crew)
{
    return atomic_load_explicit(&crew->end, memory_order_relaxed);
}

static void busy_thread(void *argument)
{
    struct crew *crew = argument;
    while (!crew_ends(crew)) {
        worker_count(crew, WORKER_BUSY);
    }
}

static void sleeping_thread(void *argument)
{
    struct crew *crew = argument;
    while (!crew_ends(crew)) {
        nx_sleep(NAP);
        worker_count(crew, WORKER_SLEEPER);
    }
}

static enum nx_status control(uint64_t hart, enum nx_hart_operation operation)
{
    return nx_hart_control(nx_start_handle(NX_START_MACHINE), hart, operation);
}

static void waiting_thread(void *argument)
{
    struct crew *crew = argument;
    uint64_t bits = 0;
    while ((bits & WAITER_END) == 0 &&
           nx_notification_wait(crew->wake, NX_DEADLINE_NEVER, &bits) == NX_OK) {
        if ((bits & WAITER_STOP_OWN_HART) != 0) {
            atomic_store_explicit(&crew->stop_status, control(crew->hart, NX_HART_STOP),
                                  memory_order_relaxed);
        }
        worker_count(crew, WORKER_WAITER);
    }
}

static enum nx_status crew_open(struct crew *crew)
{
    static void (*const entries[WORKER_COUNT])(void *) = {busy_thread, sleeping_thread,
                                                          waiting_thread};
    const struct nx_thread_options options = {.affinity = 1ull << crew->hart, .class = -1};
    enum nx_status status = nx_notification_create(&crew->wake);
    while (status == NX_OK && crew->started < WORKER_COUNT) {
        status =
            nx_thread_spawn(&options, entries[crew->started], crew, &crew->threads[crew->started]);
        crew->started += status == NX_OK;
    }
    return status;
}

// False: one of the threads did not end.
static bool crew_close(struct crew *crew)
{
    atomic_store_explicit(&crew->end, true, memory_order_relaxed);
    bool ended =
        crew->wake == NX_HANDLE_NONE || nx_notification_signal(crew->wake, WAITER_END) == NX_OK;
    for (size_t i = 0; i < crew->started; i++) {
        ended = thread_ends(&crew->threads[i]) && ended;
    }
    nx_handle_drop(crew->wake);
    return ended;
}

// ---- What the steps wait for --------------------------------------------------------------------

struct hart_watch {
    uint64_t hart;
    struct nx_info_hart record; // as last seen
    enum nx_hart_state wanted;
    uint64_t ticks;     // for is_filled: more than these
    uint64_t idle_time; // of the last look
};

static bool has_state(void *context)
{
    struct hart_watch *watch = context;
    return machine_hart(watch->hart, &watch->record) == NX_OK &&
           watch->record.state == watch->wanted;
}

// Whether the hart took a tick between two looks and was never idle between them: the busy thread
// is the only one that fills a hart.
static bool is_filled(void *context)
{
    struct hart_watch *watch = context;
    if (machine_hart(watch->hart, &watch->record) != NX_OK) {
        return false;
    }
    if (watch->record.idle_time != watch->idle_time) {
        watch->idle_time = watch->record.idle_time;
        watch->ticks = watch->record.ticks;
        return false;
    }
    return watch->record.ticks > watch->ticks;
}

// The firmware may have the hart a little later than its state says.
struct start_try {
    uint64_t hart;
    enum nx_status status;
};

static bool is_startable(void *context)
{
    struct start_try *attempt = context;
    attempt->status = control(attempt->hart, NX_HART_START);
    return attempt->status != NX_ERR_BUSY;
}

struct progress {
    struct crew *crew;
    uint64_t wanted[WORKER_COUNT];
};

static uint64_t crew_done(struct crew *crew, enum worker worker)
{
    return atomic_load_explicit(&crew->done[worker], memory_order_relaxed);
}

static bool has_progressed(void *context)
{
    const struct progress *progress = context;
    for (enum worker i = 0; i < WORKER_COUNT; i++) {
        if (crew_done(progress->crew, i) < progress->wanted[i]) {
            return false;
        }
    }
    return true;
}

// All three threads go on: they compute, deadlines fire, a notification wakes.
static enum test_outcome crew_progresses(struct test_report *report, struct crew *crew,
                                         const char *when)
{
    struct progress progress = {
        .crew = crew,
        .wanted = {[WORKER_BUSY] = crew_done(crew, WORKER_BUSY) + LAPS_WANTED,
                   [WORKER_SLEEPER] = crew_done(crew, WORKER_SLEEPER) + NAPS_WANTED,
                   [WORKER_WAITER] = crew_done(crew, WORKER_WAITER) + 1},
    };
    EXPECT_OK(report, nx_notification_signal(crew->wake, WAITER_COUNT));
    EXPECT(report, nx_wait_until(has_progressed, &progress, STEP_TIME),
           "hart %d %s: stuck: busy %llu of %llu, deadlines %llu of %llu, wake-ups %llu of %llu",
           (int)crew->hart, when, (unsigned long long)crew_done(crew, WORKER_BUSY),
           (unsigned long long)progress.wanted[WORKER_BUSY],
           (unsigned long long)crew_done(crew, WORKER_SLEEPER),
           (unsigned long long)progress.wanted[WORKER_SLEEPER],
           (unsigned long long)crew_done(crew, WORKER_WAITER),
           (unsigned long long)progress.wanted[WORKER_WAITER]);
    return TEST_PASS;
}

// ---- One cycle ----------------------------------------------------------------------------------

// Asks for the stop from another hart, or has the waiter ask on the hart itself.
static enum test_outcome request_stop(struct test_report *report, struct crew *crew, bool by_itself)
{
    struct progress progress = {.crew = crew};
    if (!by_itself) {
        EXPECT_OK(report, control(crew->hart, NX_HART_STOP));
        return TEST_PASS;
    }
    progress.wanted[WORKER_WAITER] = crew_done(crew, WORKER_WAITER) + 1;
    EXPECT_OK(report, nx_notification_signal(crew->wake, WAITER_STOP_OWN_HART));
    EXPECT(report, nx_wait_until(has_progressed, &progress, STEP_TIME),
           "hart %d: the thread that stopped it never went on", (int)crew->hart);
    enum nx_status status = atomic_load_explicit(&crew->stop_status, memory_order_relaxed);
    EXPECT(report, status == NX_OK, "hart %d stops itself: %s", (int)crew->hart,
           nx_status_text(status));
    return TEST_PASS;
}

static enum test_outcome leaves(struct test_report *report, struct crew *crew, uint32_t online,
                                bool by_itself)
{
    struct hart_watch watch = {.hart = crew->hart, .wanted = NX_HART_STOPPED};
    struct nx_info_system system;

    enum test_outcome outcome = request_stop(report, crew, by_itself);
    if (outcome != TEST_PASS) {
        return outcome;
    }
    EXPECT(report, nx_wait_until(has_state, &watch, STEP_TIME), "hart %d never stopped: state %u",
           (int)crew->hart, watch.record.state);
    struct nx_info_hart stopped = watch.record;
    EXPECT_OK(report, machine_system(&system));
    EXPECT(report, system.harts_online == online - 1, "hart %d stopped: online=%u wanted=%u",
           (int)crew->hart, system.harts_online, online - 1);
    EXPECT_STATUS(report, control(crew->hart, NX_HART_STOP), NX_ERR_BAD_STATE);
    outcome = crew_progresses(report, crew, "stopped");
    if (outcome != TEST_PASS) {
        return outcome;
    }
    EXPECT_OK(report, machine_hart(crew->hart, &watch.record));
    EXPECT(report,
           watch.record.ticks == stopped.ticks && watch.record.switches == stopped.switches &&
               watch.record.run_queue_length == 0,
           "hart %d is stopped and works on: ticks +%llu switches +%llu queued %u", (int)crew->hart,
           (unsigned long long)(watch.record.ticks - stopped.ticks),
           (unsigned long long)(watch.record.switches - stopped.switches),
           watch.record.run_queue_length);
    return TEST_PASS;
}

static enum test_outcome returns(struct test_report *report, struct crew *crew, uint32_t online)
{
    struct hart_watch watch = {.hart = crew->hart, .wanted = NX_HART_ONLINE};
    struct start_try attempt = {.hart = crew->hart};
    struct nx_info_system system;

    EXPECT(report, nx_wait_until(is_startable, &attempt, STEP_TIME) && attempt.status == NX_OK,
           "hart %d does not start: %s", (int)crew->hart, nx_status_text(attempt.status));
    EXPECT(report, nx_wait_until(has_state, &watch, STEP_TIME), "hart %d never came back: state %u",
           (int)crew->hart, watch.record.state);
    EXPECT_OK(report, machine_system(&system));
    EXPECT(report, system.harts_online == online, "hart %d is back: online=%u wanted=%u",
           (int)crew->hart, system.harts_online, online);
    EXPECT_STATUS(report, control(crew->hart, NX_HART_START), NX_ERR_BAD_STATE);
    EXPECT(report, nx_wait_until(is_filled, &watch, STEP_TIME),
           "hart %d is back, its busy thread is not: ticks=%llu", (int)crew->hart,
           (unsigned long long)watch.record.ticks);
    return crew_progresses(report, crew, "started again");
}

static enum test_outcome cycle_all(struct test_report *report, struct crew *crew, uint32_t online)
{
    enum test_outcome outcome = crew_progresses(report, crew, "at first");
    for (unsigned cycle = 0; cycle < CYCLES && outcome == TEST_PASS; cycle++) {
        outcome = leaves(report, crew, online, cycle % 2 == 1);
        if (outcome == TEST_PASS) {
            outcome = returns(report, crew, online);
        }
    }
    return outcome;
}

// The highest index that is online; 0 when the boot hart is alone.
static uint64_t last_online(const struct nx_info_system *system)
{
    struct nx_info_hart record;
    uint64_t last = 0;
    for (uint64_t i = 1; i < system->harts; i++) {
        if (machine_hart(i, &record) == NX_OK && record.state == NX_HART_ONLINE) {
            last = i;
        }
    }
    return last;
}

enum test_outcome test_hart_stop(struct test_report *report)
{
    struct nx_info_system system;

    EXPECT_OK(report, machine_system(&system));
    if (system.harts_online < 2) {
        return TEST_SKIP; // the boot hart always stays
    }
    struct crew crew = {.hart = last_online(&system)};
    enum nx_status status = crew_open(&crew);
    enum test_outcome outcome = status == NX_OK
                                    ? cycle_all(report, &crew, system.harts_online)
                                    : test_fail(report, "spawn: %s", nx_status_text(status));
    bool ended = crew_close(&crew);
    if (outcome != TEST_PASS) {
        struct start_try attempt = {.hart = crew.hart}; // what follows wants all harts
        (void)nx_wait_until(is_startable, &attempt, STEP_TIME);
        return outcome;
    }
    EXPECT(report, ended, "a thread of the stopped hart never ended");
    return TEST_PASS;
}
