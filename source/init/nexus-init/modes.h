// SPDX-License-Identifier: Apache-2.0
// What the system is booted for: the console, the self-tests, one nx command, or a program that
// measures or attacks it.
//
// Boot arguments (docs/testing.md):
//   nexus.selftest=1     selftest-client, then nx's diagnostics, then `SELFTEST: end`
//   nexus.run=W,W,...    one nx command; words joined by commas, %XX escapes
//   nexus.bench=W,W,...  the same for source/apps/bench, in a boot archive that has it
//   nexus.attack=W,W,... the same for source/apps/attack
//   nexus.kills=W,W,...  the same for source/apps/kill-test
//   nexus.poweroff=1     power off after the self-tests (always after one of the others)
#ifndef INIT_MODES_H
#define INIT_MODES_H

#include <stdint.h>

// Reads the boot arguments. `bootargs` stays in use.
void modes_read(const char *bootargs);

// Begins with what was asked for; to be called once, when the services are settled.
void modes_begin(void);

// When modes_expired wants to be called; NX_DEADLINE_NEVER: not.
uint64_t modes_deadline(void);
void modes_expired(void);

#endif
