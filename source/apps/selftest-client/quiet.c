// SPDX-License-Identifier: Apache-2.0
// Self-test of quiet harts: no timer interrupt where nothing is due, and no call of the firmware to
// arm a timer where Sstc makes it needless.
#include "selftest.h"
#include <stdatomic.h>

#define SETTLE_TIME     (50 * NX_MILLISECOND) // several ticks: what was under way has come
#define QUIET_TIME      (1 * NX_SECOND)
#define BUSY_TIME       (4 * NX_SECOND)
#define FOR_NOTHING_MAX 5u

// Computes without a system call, so that only an interrupt could enter the kernel.
static void computing_thread(void *argument)
{
    atomic_bool *stop = argument;
    uint64_t deadline = nx_deadline_after(BUSY_TIME);
    while (!atomic_load_explicit(stop, memory_order_relaxed) && nx_clock_now() < deadline) {
    }
}

static enum test_outcome look(struct test_report *report, uint32_t harts,
                              struct nx_info_hart records[])
{
    for (uint32_t i = 0; i < harts; i++) {
        EXPECT_OK(report, machine_hart(i, &records[i]));
    }
    return TEST_PASS;
}

// The last hart runs one thread alone, those between it and the test's own sleep. A deadline that
// fires wakes a thread, and a tick that has a reason rotates threads; services may have work for
// some moments, and another hart may take what they queued here. So what is forbidden are
// interrupts after which the same thread, or none, goes on, but for a few of the hundred that a
// tick would make.
static enum test_outcome compare(struct test_report *report, const struct nx_info_system *system,
                                 const struct nx_info_hart before[],
                                 const struct nx_info_hart after[])
{
    for (uint32_t i = 0; i < system->harts; i++) {
        uint64_t interrupts = after[i].timer_interrupts - before[i].timer_interrupts;
        uint64_t switches = after[i].switches - before[i].switches;
        EXPECT(report, interrupts <= switches + FOR_NOTHING_MAX,
               "hart %u: %u timer interrupts, %u ticks, but %u switches of threads", i,
               (unsigned)interrupts, (unsigned)(after[i].ticks - before[i].ticks),
               (unsigned)switches);
        EXPECT(report, (after[i].set_timer_calls != 0) == (system->sstc == 0),
               "hart %u: %u calls of set_timer, sstc=%u", i, (unsigned)after[i].set_timer_calls,
               system->sstc);
    }
    uint32_t last = system->harts - 1;
    bool idle = after[last].idle_time != before[last].idle_time;
    EXPECT(report, idle == (last == 0), "hart %u: idle for %llu ticks of the clock", last,
           (unsigned long long)(after[last].idle_time - before[last].idle_time));
    return TEST_PASS;
}

enum test_outcome test_quiet_harts(struct test_report *report)
{
    struct nx_info_system system;
    struct nx_info_hart before[NX_HARTS_MAX];
    struct nx_info_hart after[NX_HARTS_MAX];
    atomic_bool stop = false;
    struct nx_thread thread;

    EXPECT_OK(report, machine_system(&system));
    const struct nx_thread_options options = {.affinity = 1ull << (system.harts - 1), .class = -1};
    const bool computing = system.harts > 1;
    if (computing) {
        EXPECT_OK(report, nx_thread_spawn(&options, computing_thread, &stop, &thread));
    }
    nx_sleep(SETTLE_TIME);
    enum test_outcome outcome = look(report, system.harts, before);
    nx_sleep(QUIET_TIME);
    if (outcome == TEST_PASS) {
        outcome = look(report, system.harts, after);
    }
    atomic_store_explicit(&stop, true, memory_order_relaxed);
    EXPECT(report, !computing || thread_ends(&thread), "the computing thread never ended");
    return outcome == TEST_PASS ? compare(report, &system, before, after) : outcome;
}
