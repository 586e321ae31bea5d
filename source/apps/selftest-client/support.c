// SPDX-License-Identifier: Apache-2.0
// What the self-tests share: see selftest.h.
#include "selftest.h"
#include <stdarg.h>
#include <stdio.h>

#define POLL_INTERVAL (2 * NX_MILLISECOND)

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
