// SPDX-License-Identifier: Apache-2.0
// The two messages that matter most, with nothing but register words: call to a waiting receiver,
// and reply-and-wait when no caller is queued. Same hart, no deadline, no lock contention.
//
// Each is a list of preconditions; the first that fails returns with nothing changed, and the
// system call takes the slow path (ipc/endpoint.c), which handles everything and gives the same
// results. Behind the line marked "committed" nothing can fail. Ownership and ordering are those of
// sched/thread.h and ipc/endpoint.h.
//
// The words stay in the sender's registers a1..a6, which become the receiver's: the code of
// fastpath.c is compiled not to touch them (meson.build), so it calls only what takes one argument.
// The sender's kept registers are saved, so it uses those freely and has no prologue.
#ifndef NEURON_FASTPATH_H
#define NEURON_FASTPATH_H

#include "core/types.h"

struct notification;
struct thread;

// The current thread's NX_SYS_CALL with an empty info word. Ends in arch_leave or
// arch_leave_with_message, or returns `handle`: nothing was done.
uint64_t fastpath_call(uint64_t handle);

// The same for NX_SYS_REPLY_RECEIVE.
uint64_t fastpath_reply_receive(uint64_t handle);

// A switch that cannot be direct after all, because of a kill or a signal just before it: `current`
// waits with the word `wait`, `next` is RUNNING with its message in its frame; `bound` is the
// notification to look at, or NULL. Returns the thread to resume.
struct fastpath_switch {
    struct thread *current;
    uint64_t wait;
    struct notification *bound;
    struct thread *next;
};
struct thread *fastpath_end(const struct fastpath_switch *end);

#endif
