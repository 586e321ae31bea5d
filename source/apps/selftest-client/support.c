// SPDX-License-Identifier: Apache-2.0
// What the self-tests share: see selftest.h.
#include "selftest.h"
#include <stdarg.h>
#include <stdio.h>

#define POLL_INTERVAL   (2 * NX_MILLISECOND)
#define THREAD_PATIENCE (5 * NX_SECOND)

enum test_outcome test_fail(struct test_report *report, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(report->reason, sizeof(report->reason), format, arguments);
    va_end(arguments);
    return TEST_FAIL;
}

enum nx_status machine_record(enum nx_info_kind kind, uint64_t index, void *record, size_t size)
{
    uint64_t bytes;
    enum nx_status status = nx_system_info(nx_start_handle(NX_START_MACHINE), kind, index, &bytes);
    if (status != NX_OK) {
        return status;
    }
    if (bytes != size) {
        return NX_ERR_BAD_FORMAT;
    }
    memcpy(record, nx_page()->data, size);
    return NX_OK;
}

enum nx_status machine_system(struct nx_info_system *system)
{
    return machine_record(NX_INFO_SYSTEM, 0, system, sizeof(*system));
}

enum nx_status machine_hart(uint64_t index, struct nx_info_hart *hart)
{
    return machine_record(NX_INFO_HART, index, hart, sizeof(*hart));
}

bool wait_until(bool (*done)(void *), void *context, uint64_t nanoseconds)
{
    uint64_t deadline = nx_deadline_after(nanoseconds);
    while (!done(context)) {
        if (nx_clock_now() > deadline) {
            return done(context);
        }
        nx_sleep(POLL_INTERVAL);
    }
    return true;
}

bool thread_ends(struct nx_thread *thread)
{
    uint64_t bits;

    if (nx_notification_wait(thread->exited, nx_deadline_after(THREAD_PATIENCE), &bits) != NX_OK) {
        (void)!nx_thread_control(thread->handle, NX_THREAD_KILL, 0, 0); // or it ends just now
        return false;
    }
    // Taken above; joining waits for it once more.
    return nx_notification_signal(thread->exited, bits) == NX_OK && nx_thread_join(thread) == NX_OK;
}
