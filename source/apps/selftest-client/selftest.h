// SPDX-License-Identifier: Apache-2.0
// What the self-tests share: outcomes with a reason, counters of the machine, bounded waiting.
//
// A test is a function that fills a struct test_report and says how it went. It passes only after
// it has compared counters or bytes; it never waits without a deadline; it undoes what it made.
#ifndef SELFTEST_SELFTEST_H
#define SELFTEST_SELFTEST_H

#include "nexus/clock.h"
#include "nexus/machine.h"
#include "nexus/process.h"
#include "nexus/status.h"
#include "nexus/system.h"
#include "nexus/thread.h"
#include <stdbool.h>

enum test_outcome {
    TEST_PASS,
    TEST_FAIL, // the report holds the reason
    TEST_SKIP, // does not apply to this machine: prints nothing
};

struct test_report {
    char reason[192];
};

// Writes the reason, formatted as by printf; returns TEST_FAIL.
enum test_outcome test_fail(struct test_report *report, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

// Leaves the test with a reason unless the condition holds.
#define EXPECT(report, condition, ...)                                                             \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            return test_fail(report, __VA_ARGS__);                                                 \
        }                                                                                          \
    } while (0)

// Leaves the test unless the call returns the wanted status.
#define EXPECT_STATUS(report, call, wanted)                                                        \
    do {                                                                                           \
        enum nx_status got_ = (call);                                                              \
        if (got_ != (wanted)) {                                                                    \
            return test_fail(report, "%s: %s", #call, nx_status_text(got_));                       \
        }                                                                                          \
    } while (0)
#define EXPECT_OK(report, call) EXPECT_STATUS(report, call, NX_OK)

NX_MUST_CHECK enum nx_status machine_system(struct nx_info_system *system);
NX_MUST_CHECK enum nx_status machine_hart(uint64_t index, struct nx_info_hart *hart);

// Joins a thread that should end by itself soon. False: it did not, for instance because its hart
// is never woken. It is killed then, so that it touches its creator's data no more, and not freed.
bool thread_ends(struct nx_thread *thread);

// The tests, in the order of the table in main.c.
enum test_outcome test_uart(struct test_report *report);
enum test_outcome test_plic_timer(struct test_report *report);
enum test_outcome test_hart_ticks(struct test_report *report);
enum test_outcome test_ipi(struct test_report *report);
enum test_outcome test_refusals(struct test_report *report);
enum test_outcome test_ipc(struct test_report *report);
enum test_outcome test_memory(struct test_report *report);
enum test_outcome test_fpu(struct test_report *report);
enum test_outcome test_hart_stop(struct test_report *report);
enum test_outcome test_quiet_harts(struct test_report *report);
enum test_outcome test_races(struct test_report *report);
enum test_outcome test_package_disk(struct test_report *report);
enum test_outcome test_block_queue(struct test_report *report);
enum test_outcome test_package_fixtures(struct test_report *report);

// Measures instead of testing; returns the exit status.
int measure_run(void);

#endif
