// SPDX-License-Identifier: Apache-2.0
// Two threads call, one of them with a deadline or without, and a server takes their messages,
// answers, receives again, or gives a caller up, on three harts that each run any of them; one
// thread is killed at any point. Each wait is ended exactly once, a killed caller or one whose
// deadline passed never waits on, and a reply cannot end a later wait. sched/thread.h and
// ipc/endpoint.h say why.
//
// Bounds: a call by each caller; one kill, of the first caller or the server. The fast
// paths are off.
//   MUTANT_NO_SETTLE      the carrier of a caller does not look for a kill or timeout that missed it
//   MUTANT_NO_RECHECK     the caller does not look for a kill after publishing its wait
//   MUTANT_PLAIN_REPLY    the reply tests the state and then sets it, instead of compare-and-swap
//   MUTANT_KILL_NOT_TOLD  a kill of a running thread interrupts nobody
#define CLIENTS 2
#define THREADS 3
#define CALLS 1
#define DEADLINES(t) ((t) == 0)
#define ALL_REPLIES
#define FAILURES true
#define KILLS
#include "endpoint.inc"
