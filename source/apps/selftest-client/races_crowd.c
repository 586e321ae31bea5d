// SPDX-License-Identifier: Apache-2.0
// Race: a process of as many threads as there may be is killed while all of them wait, on one hart.
// Their ends are the kernel's longest piece of work that one call starts; the benchmark's row
// `stretch` looks here, too, for how long interrupts are off.
#include "child.h"
#include "races.h"

#define CROWDS   4u
#define PATIENCE (10 * NX_SECOND)
#define EXIT_BIT 1u

static enum test_outcome gather(struct test_report *report, struct child *child, nx_handle endpoint)
{
    nx_handle granted;

    EXPECT_OK(report, nx_handle_grant(child->process, endpoint, NX_RIGHT_RECEIVE, &granted));
    for (unsigned i = 0; i < NX_THREADS_MAX; i++) {
        EXPECT_OK(report, child_start(child, child_receive, granted, 1));
        nx_handle_drop(child->thread);
        child->thread = NX_HANDLE_NONE;
    }
    // They are of this thread's class and hart: all have run when they have given it back.
    for (unsigned i = 0; i < NX_THREADS_MAX; i++) {
        EXPECT_OK(report, nx_thread_yield(NX_HART_ANY));
    }
    return TEST_PASS;
}

static enum test_outcome crowd_dies(struct test_report *report, struct child *child,
                                    nx_handle endpoint, nx_handle exited)
{
    struct nx_process_facts facts;
    uint64_t bits;

    EXPECT_OK(report, nx_process_bind(child->process, exited, EXIT_BIT, NX_HANDLE_NONE));
    enum test_outcome outcome = gather(report, child, endpoint);
    if (outcome != TEST_PASS) {
        return outcome;
    }
    EXPECT_OK(report, nx_process_kill(child->process, NX_EXIT_KILLED));
    EXPECT_OK(report, nx_notification_wait(exited, nx_deadline_after(PATIENCE), &bits));
    EXPECT_OK(report, nx_process_info(child->process, &facts));
    EXPECT(report, facts.state == NX_PROCESS_DEAD && facts.exit_status == NX_EXIT_KILLED,
           "crowd: state %d, exit status %lld", (int)facts.state, (long long)facts.exit_status);
    return TEST_PASS;
}

enum test_outcome race_crowd(struct test_report *report, unsigned divisor)
{
    nx_handle endpoint = NX_HANDLE_NONE;
    nx_handle exited = NX_HANDLE_NONE;
    struct child child = {0};
    enum test_outcome outcome = TEST_PASS;

    enum nx_status status = nx_endpoint_create(&endpoint);
    if (status == NX_OK) {
        status = nx_notification_create(&exited);
    }
    for (unsigned i = 0; status == NX_OK && outcome == TEST_PASS && i < CROWDS / divisor + 1; i++) {
        status = child_create(&child);
        if (status == NX_OK) {
            outcome = crowd_dies(report, &child, endpoint, exited);
        }
        child_end(&child);
    }
    nx_handle_drop(exited);
    nx_handle_drop(endpoint);
    EXPECT_OK(report, status);
    return outcome;
}
