// SPDX-License-Identifier: Apache-2.0
// keeping_receiver.pml with a kill in place of the signal: of a caller, who may be the one that is
// kept, or of the server that keeps it.
//
// Bounds: one call by each, one kill, of the first caller or the server.
//   MUTANT_NO_RECHECK                 who publishes a wait does not look for a kill
//   MUTANT_KEEPER_AMONG_RECEIVERS     such a receiver waits in the queue of those that are free
#define CLIENTS 2
#define THREADS 3
#define CALLS 1
#define FAST true
#define KEEPS true
#define KILLS
#include "endpoint.inc"
