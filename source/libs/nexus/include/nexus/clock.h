// SPDX-License-Identifier: Apache-2.0
// The monotonic clock: nanoseconds since the machine's time counter was zero.
#ifndef NEXUS_CLOCK_H
#define NEXUS_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

#define NX_MICROSECOND 1000ull
#define NX_MILLISECOND 1000000ull
#define NX_SECOND      1000000000ull

// Ticks of the time counter, at nx_start()->timebase_hz.
static inline uint64_t nx_clock_ticks(void)
{
    uint64_t ticks;
    __asm__ volatile("rdtime %0" : "=r"(ticks));
    return ticks;
}

uint64_t nx_ticks_to_nanoseconds(uint64_t ticks);
uint64_t nx_clock_now(void);

// The deadline `nanoseconds` from now; saturates at NX_DEADLINE_NEVER.
uint64_t nx_deadline_after(uint64_t nanoseconds);

// Sleeps at least that long.
void nx_sleep(uint64_t nanoseconds);

// For what signals nothing, such as counters of the kernel: asks again every 2 ms until
// `done(context)` or until `nanoseconds` have passed, and returns the last answer.
bool nx_wait_until(bool (*done)(void *), void *context, uint64_t nanoseconds);

#endif
