// SPDX-License-Identifier: Apache-2.0
// Subjects: switches between processes without a message: yield, and a signal that wakes.
#include "bench.h"

bool subject_yield(void)
{
    const struct partner_options options = {
        .role = "yield", .harts = HART_HERE, .class = NX_CLASS_NORMAL};
    struct partner partner;
    uint64_t failed = 0;
    BENCH_OK(partner_start(&partner, &options));
    // Each round is two switches: to the partner and back.
    BENCH_LAPS(failed |= nx_thread_yield(NX_HART_ANY), {});
    return partner_end(&partner) && (failed == 0 || bench_fail("a yield failed"));
}

// The partner is of a more urgent class, so it runs before the signal has returned. It marks the
// stop itself.
bool subject_signal(void)
{
    const struct partner_options options = {
        .role = "wait", .harts = HART_HERE, .class = NX_CLASS_NORMAL};
    struct partner partner;
    uint64_t failed = 0;
    BENCH_OK(partner_start(&partner, &options));
    BENCH_OK(nx_thread_control(NX_HANDLE_NONE, NX_THREAD_SET_CLASS, NX_CLASS_BACKGROUND, 0));
    NX_MARK(NX_MARK_BEGIN);
    for (uint32_t i = 0; i < LAPS; i++) {
        NX_MARK(NX_MARK_START);
        failed |= nx_notification_signal(partner.notification, 1);
    }
    NX_MARK(NX_MARK_END);
    BENCH_OK(nx_thread_control(NX_HANDLE_NONE, NX_THREAD_SET_CLASS, NX_CLASS_NORMAL, 0));
    return partner_end(&partner) && (failed == 0 || bench_fail("a signal failed"));
}
