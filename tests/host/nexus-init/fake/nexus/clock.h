// SPDX-License-Identifier: Apache-2.0
// Stands in for the runtime's clock: time passes when nexus-init sleeps, and when the test says so.
#ifndef FAKE_NEXUS_CLOCK_H
#define FAKE_NEXUS_CLOCK_H

#include <stdint.h>

#define NX_MILLISECOND 1000000ull
#define NX_SECOND      1000000000ull

uint64_t nx_clock_now(void);
uint64_t nx_deadline_after(uint64_t nanoseconds);
void nx_sleep(uint64_t nanoseconds);

#endif
