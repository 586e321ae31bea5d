// SPDX-License-Identifier: Apache-2.0
// Stands in for the runtime's clock: time passes when the test says so.
#ifndef FAKE_NEXUS_CLOCK_H
#define FAKE_NEXUS_CLOCK_H

#include <stdint.h>

#define NX_MILLISECOND 1000000ull

uint64_t nx_clock_now(void);

static inline uint64_t nx_deadline_after(uint64_t nanoseconds)
{
    return nx_clock_now() + nanoseconds;
}

#endif
