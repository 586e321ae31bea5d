// SPDX-License-Identifier: Apache-2.0
// Threads: state, ownership, blocking and the one door out of every wait.
//
// Who owns a thread (may change it and decide where it goes):
//   NEW                   its creator, until thread_start
//   RUNNING               the hart that runs it
//   RUNNABLE              the run queue it sits in, or the hart that carries it between two queues
//   CALLING, RECEIVING    the endpoint it waits on, under that endpoint's lock
//   WAITING               the notification it waits on, under that notification's lock
//   AWAITING_REPLY,       nobody: whoever moves the wait word to RUNNABLE by compare-and-swap
//   SLEEPING              becomes the owner
//   DEAD                  nobody; it waits for reclamation, or for thread_restart
// Whoever takes a thread out of a wait owns it and must make it ready or run it.
//
// The wait word is state | sequence << 8. The sequence advances at each new wait, so a stale reply,
// timeout or kill aimed at an earlier wait cannot end a later one.
//
// Why no wake-up is lost: a waiter publishes its state (under the object's lock, or by a
// sequentially consistent store) before it re-checks what it waits for; a waker changes what is
// waited for before it looks at the state. Kill is such a waker too: it sets THREAD_PENDING_KILL
// first and then tries to end the wait; a thread about to wait looks at the flag after publishing.
// A thread that has published its wait may run elsewhere at once: its hart touches it no more.
#ifndef NEURON_THREAD_H
#define NEURON_THREAD_H

#include "arch/arch.h"
#include "nexus/message.h"
#include "object/object.h"
#include "sched/thread_queue.h"
#include "sched/timer.h"

struct memory;
struct notification;
struct process;

enum thread_state {
    THREAD_NEW = 0,
    THREAD_RUNNING = 1,
    THREAD_RUNNABLE = 2,
    THREAD_CALLING = 3,        // queued at an endpoint with a message
    THREAD_RECEIVING = 4,      // queued at an endpoint for a message
    THREAD_WAITING = 5,        // queued at a notification
    THREAD_AWAITING_REPLY = 6, // its message was received
    THREAD_SLEEPING = 7,       // only a deadline ends it
    THREAD_DEAD = 8,
};
#define THREAD_STATE_MASK     0xffull
#define THREAD_SEQUENCE_SHIFT 8

#define THREAD_PENDING_KILL (1u << 0)

struct thread {
    struct arch_thread arch; // first: the trap entry saves registers here

    struct object object;
    // Constant after creation.
    struct process *process;      // reference held
    struct nx_message_page *page; // through the direct map; inside page_memory
    struct memory *page_memory;   // reference held
    uint64_t id;

    _Atomic uint64_t wait;    // state | sequence << THREAD_SEQUENCE_SHIFT
    _Atomic uint32_t pending; // THREAD_PENDING_*
    // The object of a CALLING, RECEIVING or WAITING thread; written by the owner under the object's
    // lock, read without it by whoever wants to end the wait and then verified under it.
    _Atomic(struct object *) waiting_on;

    // Owner only.
    struct thread_link link;
    uint64_t send_info;  // of the message being sent; its words are in the frame
    uint64_t send_badge; // of the handle it was sent through
    uint64_t fault_words[NX_MESSAGE_WORDS];

    // The owner starts and ends it under the heap's lock (sched/timer.h).
    struct timer_node timer;
    uint64_t timer_sequence; // of the wait that the deadline belongs to

    // RUNNING only: the caller that this thread must answer, with a reference, and the sequence of
    // its wait.
    struct thread *caller;
    uint64_t caller_sequence;
    // The notification that receives report; reference held. Changed by the thread itself.
    struct notification *bound;

    // Written by the owner, read by anyone.
    _Atomic bool faulted;  // the wait is a fault message: a reply resumes or kills
    _Atomic uint32_t home; // hart index it last ran on

    _Atomic uint32_t affinity; // mask of hart indices
    _Atomic uint8_t class;     // enum nx_class

    // Guarded by process->lock.
    struct thread *next_in_process;
    struct notification *exit_notification; // reference held
    uint64_t exit_bits;
};

static inline enum thread_state thread_state_of(uint64_t wait)
{
    return (enum thread_state)(wait & THREAD_STATE_MASK);
}

static inline uint64_t thread_sequence_of(uint64_t wait)
{
    return wait >> THREAD_SEQUENCE_SHIFT;
}

static inline bool thread_is_faulted(const struct thread *thread)
{
    return atomic_load_explicit(&thread->faulted, memory_order_relaxed);
}

static inline void thread_set_faulted(struct thread *thread, bool faulted)
{
    atomic_store_explicit(&thread->faulted, faulted, memory_order_relaxed);
}

// Changes the state, keeping the sequence. Owner only.
void thread_set_state(struct thread *thread, enum thread_state state);
// Begins a new wait: advances the sequence and publishes the state. Owner only; under the object's
// lock where the state has one.
void thread_begin_wait(struct thread *thread, enum thread_state state, struct object *object);
// The same for fast paths; returns the wait's sequence.
static inline uint64_t thread_begin_wait_fast(struct thread *thread, enum thread_state state,
                                              struct object *object)
{
    uint64_t wait = atomic_load_explicit(&thread->wait, memory_order_relaxed);
    uint64_t sequence = thread_sequence_of(wait) + 1;
    atomic_store_explicit(&thread->waiting_on, object, memory_order_relaxed);
    // Sequentially consistent: published before the waiter's re-check of `pending` or of a bound
    // notification's bits. Pairs with the setting of those before a waker reads this word. Release
    // is implied: a claimer sees the frame and everything else of the thread.
    atomic_store_explicit(&thread->wait, sequence << THREAD_SEQUENCE_SHIFT | (uint64_t)state,
                          memory_order_seq_cst);
    return sequence;
}

// After thread_begin_wait and after the object's lock is dropped: ends the wait again if the thread
// was killed meanwhile.
void thread_recheck_kill(struct thread *thread);
// Moves AWAITING_REPLY or SLEEPING with this sequence to `next`; true: the caller owns the thread.
NX_MUST_CHECK static inline bool thread_claim_as(struct thread *thread, enum thread_state state,
                                                 uint64_t sequence, enum thread_state next)
{
    uint64_t expected = sequence << THREAD_SEQUENCE_SHIFT | (uint64_t)state;
    uint64_t claimed = sequence << THREAD_SEQUENCE_SHIFT | (uint64_t)next;
    // Acquire: the claimer sees all that the thread did before it published its wait.
    return atomic_compare_exchange_strong_explicit(&thread->wait, &expected, claimed,
                                                   memory_order_acquire, memory_order_relaxed);
}
// The same to RUNNABLE.
NX_MUST_CHECK static inline bool thread_claim(struct thread *thread, enum thread_state state,
                                              uint64_t sequence)
{
    return thread_claim_as(thread, state, sequence, THREAD_RUNNABLE);
}

// How a thread begins.
struct thread_beginning {
    vaddr_t entry;
    uint64_t stack;
    uint64_t argument;
    uint64_t thread_pointer;
    uint32_t affinity; // 0: every hart
    uint8_t class;     // at most the process's highest; NX_CLASS_COUNT: NORMAL, or that if lower
};

// A thread of `process`, NEW, with its message page at `page_offset` of `page_memory`. Errors:
// NX_ERR_NO_MEMORY, NX_ERR_BAD_STATE, NX_ERR_BAD_HANDLE (the process or the page's memory is
// retired), and those of memory_page_pointer.
NX_MUST_CHECK enum nx_status thread_create(struct process *process,
                                           const struct thread_beginning *beginning,
                                           struct memory *page_memory, uint64_t page_offset,
                                           struct thread **thread);
// Makes a DEAD thread ready to run from a new beginning, with a new id; message page and exit
// notification stay. It goes through no grace period: the hart that ended it uses it no more once
// it is DEAD, and what still names it (a saved reply, a hart that looks it up) finds the next
// sequence of waits. Errors: NX_ERR_BAD_STATE (it has not ended; the process is dying),
// NX_ERR_NO_MEMORY (too many threads), NX_ERR_BAD_HANDLE (it is retired).
NX_MUST_CHECK enum nx_status thread_restart(struct thread *thread,
                                            const struct thread_beginning *beginning);
// Makes a NEW thread ready. Errors: NX_ERR_BAD_STATE.
NX_MUST_CHECK enum nx_status thread_start(struct thread *thread);

// Ends the wait whose sequence is `sequence`, whatever it waits on, with `status` as its result,
// and makes the thread ready. False if that wait is over. No lock of rank OBJECT or above may be
// held.
bool thread_cancel(struct thread *thread, uint64_t sequence, enum nx_status status);

// Marks the thread for death and ends its wait; it ends by itself when it next leaves the kernel.
void thread_kill(struct thread *thread);

// Ends the current thread: abandons its caller, leaves its process. The hart has no current thread
// afterwards.
void thread_end_current(void);

// Binds the notification signalled at each end of the thread (NULL: none); at once if it has ended.
// Takes a reference.
NX_MUST_CHECK enum nx_status thread_bind_exit(struct thread *thread,
                                              struct notification *notification, uint64_t bits);

enum destroy_result thread_destroy_step(struct object *object);

#endif
