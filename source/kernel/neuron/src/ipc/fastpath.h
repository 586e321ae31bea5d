// SPDX-License-Identifier: Apache-2.0
// The two messages that matter most, with nothing but register words: call to a waiting receiver,
// and reply-and-wait when no caller is queued. Same hart, no timers, no lock contention.
//
// Each is a list of preconditions; the first that fails falls to the slow path (ipc/endpoint.c),
// which handles everything and gives the same results. Behind the line marked "committed" nothing
// can fail. Ownership and ordering are those of sched/thread.h and ipc/endpoint.h.
#ifndef NEURON_FASTPATH_H
#define NEURON_FASTPATH_H

#include "core/types.h"

struct thread;

// The current thread's NX_SYS_CALL with an empty info word, a0..a6 as in the registers. Returns the
// thread to resume.
struct thread *fastpath_call(uint64_t handle, uint64_t word0, uint64_t word1, uint64_t word2,
                             uint64_t word3, uint64_t word4, uint64_t word5);

// The same for NX_SYS_REPLY_RECEIVE.
struct thread *fastpath_reply_receive(uint64_t handle, uint64_t word0, uint64_t word1,
                                      uint64_t word2, uint64_t word3, uint64_t word4,
                                      uint64_t word5);

#endif
