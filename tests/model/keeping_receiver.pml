// SPDX-License-Identifier: Apache-2.0
// Two threads call a server that may keep its caller while it waits for its device's signal
// (NX_RECEIVE_KEEP), on three harts, by the fast paths or the slow ones. No signal and no caller is
// missed, a kept caller is not lost to another, and a further caller stays queued until the server
// takes it. docs/adr/0014-a-receiver-may-keep-its-caller.md says why.
//
// Bounds: one call by each, one signal.
//   MUTANT_KEEPER_NOT_TOLD            a call queues beside a receiver that keeps its caller and says nothing
//   MUTANT_KEEPER_AMONG_RECEIVERS     such a receiver waits in the queue of those that are free
//   MUTANT_BITS_NOT_LOOKED_AT_AGAIN   a receiver does not look for a signal after publishing its wait
#define CLIENTS 2
#define THREADS 3
#define CALLS 1
#define FAST true
#define KEEPS true
#define SIGNALS
#include "endpoint.inc"
