// SPDX-License-Identifier: Apache-2.0
// Two threads call a server by the fast paths of call and reply-and-receive or by the slow ones, on
// one hart and across three, one of them with a deadline or without; one thread is killed at any
// point. A hart that has published its thread's wait leaves that thread alone, a direct switch
// finds the thread's registers and no deadline on this hart, and no kill, caller or wake-up is
// missed. ipc/fastpath.h and docs/adr/0011, 0013 say why.
//
// Bounds: a call by each caller; one kill, of the first caller or the server.
//   MUTANT_FAST_TOUCHES_LATE        the reply drops its caller after the wait was published
//   MUTANT_FAST_RELEASED_EARLY      the reply looks for queued callers and publishes its wait under two locks
//   MUTANT_FAST_KILL_NOT_LOOKED_AT  the direct switch ignores a kill that came before the wait
//   MUTANT_PLAIN_REPLY              the reply tests the state and then sets it, instead of compare-and-swap
//   MUTANT_DEADLINE_LEAVES_DIRECT   a thread with a deadline can be switched to directly
#define CLIENTS 2
#define THREADS 3
#define CALLS 1
#define DEADLINES(t) ((t) == 0)
#define FAST true
#define KILLS
#include "endpoint.inc"
