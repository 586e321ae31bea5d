// SPDX-License-Identifier: Apache-2.0
// The monotonic clock: ticks to nanoseconds without overflow.
#include "nexus/clock.h"
#include "nexus/process.h"

#define ASK_INTERVAL (2 * NX_MILLISECOND)

uint64_t nx_ticks_to_nanoseconds(uint64_t ticks)
{
    uint64_t hz = nx_start()->timebase_hz;
    if (hz == 0) {
        return 0;
    }
    // The remainder is below hz, and hz * 10^9 fits in 64 bits for any counter below 18 GHz.
    return ticks / hz * NX_SECOND + ticks % hz * NX_SECOND / hz;
}

uint64_t nx_clock_now(void)
{
    return nx_ticks_to_nanoseconds(nx_clock_ticks());
}

uint64_t nx_deadline_after(uint64_t nanoseconds)
{
    uint64_t deadline;
    if (__builtin_add_overflow(nx_clock_now(), nanoseconds, &deadline)) {
        return NX_DEADLINE_NEVER;
    }
    return deadline;
}

void nx_sleep(uint64_t nanoseconds)
{
    uint64_t bits;
    // Its only outcome is the time-out.
    (void)!nx_notification_wait(NX_HANDLE_NONE, nx_deadline_after(nanoseconds), &bits);
}

bool nx_wait_until(bool (*done)(void *), void *context, uint64_t nanoseconds)
{
    uint64_t deadline = nx_deadline_after(nanoseconds);
    while (!done(context)) {
        if (nx_clock_now() > deadline) {
            return done(context);
        }
        nx_sleep(ASK_INTERVAL);
    }
    return true;
}
