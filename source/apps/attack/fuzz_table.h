// SPDX-License-Identifier: Apache-2.0
// What the fuzzer has reached: a table of calls and their results.
#ifndef ATTACK_FUZZ_TABLE_H
#define ATTACK_FUZZ_TABLE_H

#include "fuzz.h"

// One line a call: how often it began, how often it ended with each status, and how often it never
// did because its thread or process ended first.
void fuzz_table_print(const struct fuzz_counts *counts);

// Whether each call was reached with success, as far as it may have any, nothing came back that is
// no status, numbers that no call has were refused, and services answered.
bool fuzz_table_is_full(struct report *report, const struct fuzz_counts *counts);

#endif
