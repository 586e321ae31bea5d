// SPDX-License-Identifier: Apache-2.0
// The clock that a test sets.
#ifndef NEXUS_CLOCK_H
#define NEXUS_CLOCK_H

#include <stdint.h>

#define NX_MILLISECOND 1000000ull
#define NX_SECOND      1000000000ull

extern uint64_t clock_now;

static inline uint64_t nx_clock_ticks(void)
{
    return clock_now;
}

static inline uint64_t nx_clock_now(void)
{
    return clock_now;
}

static inline uint64_t nx_deadline_after(uint64_t nanoseconds)
{
    return clock_now + nanoseconds;
}

static inline void nx_sleep(uint64_t nanoseconds)
{
    clock_now += nanoseconds;
}

#endif
