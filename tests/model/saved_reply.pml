// SPDX-License-Identifier: Apache-2.0
// A thread calls twice; two threads of a server receive, answer, and save the right to answer,
// which either may use or close, on three harts. Of two answers to one call one wins, none ends
// another call, and no caller waits for a right that is gone. docs/adr/0009-saved-reply-rights.md
// says why.
//
// Bounds: two calls, one saved right at a time. An answer through it may fail. The fast paths are
// off.
//   MUTANT_NO_SEQUENCE    a reply or timeout takes whatever wait it meets
//   MUTANT_PLAIN_REPLY    the reply tests the state and then sets it, instead of compare-and-swap
//   MUTANT_CLOSED_HANDLE_IGNORED  after an answer that failed, nobody looks whether the right was closed
#define CLIENTS 1
#define THREADS 3
#define CALLS 2
#define SAVES true
#define FAILURES true
#include "endpoint.inc"
