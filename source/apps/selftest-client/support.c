// SPDX-License-Identifier: Apache-2.0
// What the self-tests share: see selftest.h.
#include "selftest.h"
#include <stdarg.h>
#include <stdio.h>

#define THREAD_PATIENCE (5 * NX_SECOND)

enum test_outcome test_fail(struct test_report *report, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(report->reason, sizeof(report->reason), format, arguments);
    va_end(arguments);
    return TEST_FAIL;
}

enum nx_status machine_system(struct nx_info_system *system)
{
    return nx_machine_record(NX_INFO_SYSTEM, 0, system, sizeof(*system));
}

enum nx_status machine_hart(uint64_t index, struct nx_info_hart *hart)
{
    return nx_machine_record(NX_INFO_HART, index, hart, sizeof(*hart));
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
