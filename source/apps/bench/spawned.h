// SPDX-License-Identifier: Apache-2.0
// What the subject `spawn` and the program that it starts agree on.
#ifndef BENCH_SPAWNED_H
#define BENCH_SPAWNED_H

#define SPAWNED_WORD   "word"
#define SPAWNED_STATUS 42 // when it got that word

#endif
