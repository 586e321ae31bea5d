// SPDX-License-Identifier: Apache-2.0
// fast_path.pml with a signal of the server's notification beside the kill, for one thread that
// calls twice.
//
// Bounds: two calls, one signal, one kill, of the caller or the server.
//   MUTANT_FAST_BITS_NOT_LOOKED_AT_AGAIN  the reply does not look for a signal after publishing its wait
//   MUTANT_FAST_KILL_NOT_LOOKED_AT        the direct switch ignores a kill that came before the wait
#define CLIENTS 1
#define THREADS 2
#define CALLS 2
#define FAST true
#define KILLS
#define SIGNALS
#include "endpoint.inc"
