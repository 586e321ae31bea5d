// SPDX-License-Identifier: Apache-2.0
// Self-tests of the kernel at boot, on the boot hart, when bootargs say nexus.selftest=1. Each
// prints `KSELFTEST: name ok` after what it names was observed, or `KSELFTEST: name FAIL reason=`.
#ifndef NEURON_SELFTEST_H
#define NEURON_SELFTEST_H

#include <stdbool.h>
#include <stdint.h>

bool selftest_wanted(void);
// Before the other harts are started: what must be refused while they are offline.
void selftest_before_smp(void);
// After bring-up, before the first process.
void selftest_after_smp(uint32_t online);

#endif
