// SPDX-License-Identifier: Apache-2.0
// The two messages that matter most: call to a waiting receiver, and reply-and-wait when no caller
// is queued. No deadline of the sender, no lock contention. Where the other thread can run on this
// hart at once, the switch is direct: nothing but registers and satp.
//
// Each is a list of preconditions; the first that fails returns with nothing changed, and the
// system call takes the slow path (ipc/endpoint.c), which handles everything and gives the same
// results. Behind the line marked "committed" nothing can fail. Ownership and ordering are those of
// sched/thread.h and ipc/endpoint.h; the models are tests/model/fast_path*.pml.
//
// The words of a message stay in the sender's registers a1..a6, which become the receiver's: the
// code of fastpath.c is compiled not to touch them (meson.build), so it calls only what takes one
// argument. The sender's kept registers are saved, so it uses those freely and has no prologue.
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

// The same two with any info word, which arch_message_info tells.
uint64_t fastpath_call_with_page(uint64_t handle);
uint64_t fastpath_reply_receive_with_page(uint64_t handle);

// NX_SYS_NOTIFICATION_SIGNAL and NX_SYS_THREAD_YIELD: end in arch_leave, or return with nothing
// done.
void fastpath_signal(uint64_t handle, uint64_t bits);
void fastpath_yield(uint64_t target);

// Handles that ride along with a call: `receiver` is owned, with the message's words in its frame.
struct fastpath_handles {
    struct thread *sender; // the current thread
    struct thread *receiver;
    uint32_t count;
    enum nx_status status; // of fastpath_transfer
};
// Errors as transfer_handles.
NX_MUST_CHECK enum nx_status fastpath_transfer(struct fastpath_handles *handles);
// After it has failed: the sender gets the error, the receiver asks again. Returns the thread to
// resume.
struct thread *fastpath_abort(const struct fastpath_handles *handles);

// A switch that is not direct, or not after all because of a kill or a signal just before it:
// `current` waits with the word `wait`, `next` is owned, RUNNING if `direct`, with its message in
// its frame; `bound` is the notification to look at, or NULL. Returns the thread to resume.
struct fastpath_switch {
    struct thread *current;
    uint64_t wait;
    struct notification *bound;
    struct thread *next;
    bool direct;
};
struct thread *fastpath_end(const struct fastpath_switch *end);

#endif
