// SPDX-License-Identifier: Apache-2.0
// The longer races, whose parties are threads and processes of their own. `divisor` divides the
// number of rounds: 1 for all of them.
#ifndef SELFTEST_RACES_H
#define SELFTEST_RACES_H

#include "selftest.h"

// Memory is unmapped under a process that writes to it.
enum test_outcome race_unmap(struct test_report *report, unsigned divisor);

// A thread is killed anywhere in an exchange of messages.
enum test_outcome race_thread_kill(struct test_report *report, unsigned divisor);

// A process of many threads is killed while they wait.
enum test_outcome race_crowd(struct test_report *report, unsigned divisor);

#endif
