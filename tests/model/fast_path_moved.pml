// SPDX-License-Identifier: Apache-2.0
// fast_path.pml with a change of affinity in place of the kill: a caller or the server must leave a
// hart, and no fast path that has looked at the old mask keeps it there. syscall/process.c says
// why.
//
// Bounds: a call by each caller, one change.
//   MUTANT_MOVE_TOLD_ONLY_IF_RUNNING  the change interrupts other harts only if the thread does not wait
#define CLIENTS 2
#define THREADS 3
#define CALLS 1
#define FAST true
#define AFFINITY_CHANGES
#include "endpoint.inc"
