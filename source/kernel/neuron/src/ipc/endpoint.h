// SPDX-License-Identifier: Apache-2.0
// Endpoints: synchronous call, receive and reply between threads.
//
// A caller's message goes from its registers and message page straight to the receiver's; the
// kernel buffers nothing. A call either finds a waiting receiver and switches to it, or queues the
// caller. A receiver that takes a message holds the one right to answer it (thread->caller), which
// it uses once, saves as a reply handle, or loses by dying: then the caller gets
// NX_ERR_PEER_CLOSED. The badge that a receiver sees is the one on the handle that was called.
//
// A receiver may keep its caller while it waits for its notification, so that it can answer when a
// device has: NX_ERR_BUSY tells it of another caller, who stays queued. Nothing need be saved then
// for the one request that is under way.
//
// The endpoint's lock (rank OBJECT) guards the queues; a caller is in one only while no receiver is
// free. A thread in a queue is owned by the endpoint; see sched/thread.h for how it leaves.
// Between leaving the queue and AWAITING_REPLY a caller is carried by the receiver's hart; kill and
// timeout do not see it then, so the carrier looks for both after publishing the new state
// (settle_caller). The models are tests/model/caller_ownership.pml, saved_reply.pml and
// keeping_receiver.pml.
#ifndef NEURON_ENDPOINT_H
#define NEURON_ENDPOINT_H

#include "core/lock.h"
#include "object/object.h"
#include "sched/thread_queue.h"

struct thread;

struct endpoint {
    struct object object;
    struct lock lock;
    struct thread_queue callers;
    struct thread_queue receivers;
    struct thread_queue keepers; // receivers that keep their caller: a call wakes one, no more
    // Handles with NX_RIGHT_RECEIVE. 0: callers and receivers get NX_ERR_PEER_CLOSED, and leave the
    // queues if they were there.
    uint32_t receive_handles;
    bool draining; // reclamation fails those that the last receiver left; it has a reference
};

NX_MUST_CHECK enum nx_status endpoint_create(struct process *process, struct endpoint **endpoint);

// The operations below act for the current thread and either complete with the returned status, or
// give the hart to another thread and return STATUS_SWITCHED. `words` are a1..a6.
// Deadlines are in nanoseconds. Errors are those of docs/abi.md.
NX_MUST_CHECK enum nx_status endpoint_call(struct endpoint *endpoint, uint64_t badge, uint64_t info,
                                           const uint64_t words[6]);
NX_MUST_CHECK enum nx_status endpoint_receive(struct endpoint *endpoint, uint64_t deadline,
                                              bool keep);
NX_MUST_CHECK enum nx_status endpoint_reply(uint64_t info, const uint64_t words[6]);
NX_MUST_CHECK enum nx_status endpoint_reply_receive(struct endpoint *endpoint, uint64_t info,
                                                    const uint64_t words[6]);

// Answers through a saved reply handle's value (caller thread, sequence).
NX_MUST_CHECK enum nx_status reply_through_handle(struct object *caller, uint64_t sequence,
                                                  uint64_t info, const uint64_t words[6]);
// The current thread gives up its current caller to a reply handle.
NX_MUST_CHECK enum nx_status reply_save(nx_handle *handle);
// A reply right is lost: its caller, if it still waits, gets NX_ERR_PEER_CLOSED.
void reply_abandon(struct object *caller, uint64_t sequence);
// For a thread that receives again or ends without having answered: gives its caller up, if any.
void reply_abandon_current(struct thread *current);

// The current thread's fault (thread->fault_words), sent as a call by the kernel.
void endpoint_send_fault(struct endpoint *endpoint, uint64_t badge);

// Takes a queued thread out. The endpoint's lock is held.
void endpoint_remove_waiter(struct endpoint *endpoint, struct thread *thread);

// A handle with NX_RIGHT_RECEIVE came or went; the last one to go fails all queued threads, some at
// once and further ones in steps of reclamation, unless a receiver comes before. The handle table's
// lock may be held by receiver_added, no lock by receiver_removed.
void endpoint_receiver_added(struct object *object);
void endpoint_receiver_removed(struct object *object);

enum destroy_result endpoint_destroy_step(struct object *object);

#endif
