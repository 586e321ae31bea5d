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
// The wait word is state | sequence << 8 | killed << 63. The sequence advances at each new wait, so
// a stale reply, timeout or kill aimed at an earlier wait cannot end a later one. State and
// sequence are the owner's, who changes them by atomic addition; anyone may set THREAD_KILLED, for
// good.
//
// Why no wake-up is lost: a waiter publishes its wait by an atomic addition to the word before it
// looks again for what it waits for; a waker changes what is waited for before it looks at the
// word. Kill is such a waker too, within the one word: it sets THREAD_KILLED, and either the bit
// was there before the waiter's addition, which returns it, or the killer sees the published wait
// and ends it. A thread that has published its wait may run elsewhere at once: its hart touches it
// no more.
//
// The placement word is affinity | direct << 32. `direct` has the bit of the hart that the thread
// last ran on, and only while switching to it there takes nothing but its registers: the hart is
// known to its address space, whose ASID is its own; no deadline runs; it has not faulted. The
// dispatch sets the bit, timer_start and a fault clear it: the owner, all three. A change of
// affinity, by anyone, clears it with the rest. A thread whose bit is set has its home and
// arch.hart there.
#ifndef NEURON_THREAD_H
#define NEURON_THREAD_H

#include "arch/arch.h"
#include "arch_inline.h"
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
#define THREAD_KILLED         (1ull << 63)

#define THREAD_DIRECT_SHIFT 32

struct thread {
    struct arch_thread arch; // first: the trap entry saves registers here

    struct object object;
    // Constant after creation.
    struct process *process;      // reference held
    struct nx_message_page *page; // through the direct map; inside page_memory
    struct memory *page_memory;   // reference held
    uint64_t id;

    _Atomic uint64_t wait; // state | sequence << THREAD_SEQUENCE_SHIFT | THREAD_KILLED
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

    // RUNNING only: the caller that this thread must answer, with a reference, and its wait word.
    struct thread *caller;
    uint64_t caller_wait;
    // The notification that receives report; reference held. Changed by the thread itself.
    struct notification *bound;

    // Written by the owner, read by anyone.
    _Atomic bool faulted;        // the wait is a fault message: a reply resumes or kills
    _Atomic(struct hart *) home; // that it last ran on

    _Atomic uint64_t placement; // mask of hart indices | direct << THREAD_DIRECT_SHIFT
    _Atomic uint8_t class;      // enum nx_class; set by thread_set_class
    _Atomic uint32_t outranked; // the least bitmap of ready classes that has a higher one

    // Guarded by process->lock.
    struct thread *next_in_process;
    struct notification *exit_notification; // reference held
    uint64_t exit_bits;
};

static inline void thread_queue_push_back(struct thread_queue *queue, struct thread *thread)
{
    struct thread *last = queue->last;
    thread->link.next = NULL;
    thread->link.previous = last;
    queue->last = thread;
    if (last != NULL)
        last->link.next = thread;
    else
        queue->first = thread;
}

static inline void thread_queue_push_front(struct thread_queue *queue, struct thread *thread)
{
    thread->link.previous = NULL;
    thread->link.next = queue->first;
    if (queue->first != NULL)
        queue->first->link.previous = thread;
    else
        queue->last = thread;
    queue->first = thread;
}

// NULL when the queue is empty.
static inline struct thread *thread_queue_pop_front(struct thread_queue *queue)
{
    struct thread *thread = queue->first;
    if (thread == NULL)
        return NULL;
    struct thread *next = thread->link.next;
    queue->first = next;
    if (next != NULL)
        next->link.previous = NULL;
    else
        queue->last = NULL;
    return thread;
}

static inline enum thread_state thread_state_of(uint64_t wait)
{
    return (enum thread_state)(wait & THREAD_STATE_MASK);
}

static inline uint64_t thread_sequence_of(uint64_t wait)
{
    return (wait & ~THREAD_KILLED) >> THREAD_SEQUENCE_SHIFT;
}

// The word of a thread that nobody has killed.
static inline uint64_t thread_wait_word(enum thread_state state, uint64_t sequence)
{
    return sequence << THREAD_SEQUENCE_SHIFT | (uint64_t)state;
}

static inline bool thread_is_killed(const struct thread *thread)
{
    return (atomic_load_explicit(&thread->wait, memory_order_relaxed) & THREAD_KILLED) != 0;
}

// A switch to the thread has more to do than its registers, until the next dispatch. Owner only.
static inline void thread_forbid_direct(struct thread *thread)
{
    atomic_fetch_and_explicit(&thread->placement, (1ull << THREAD_DIRECT_SHIFT) - 1,
                              memory_order_relaxed);
}

static inline void thread_set_class(struct thread *thread, uint8_t class)
{
    arch_store_relaxed(&thread->class, class);
    arch_store_relaxed(&thread->outranked, 2u << class);
}

static inline uint8_t thread_class(const struct thread *thread)
{
    return atomic_load_explicit(&thread->class, memory_order_relaxed);
}

static inline uint32_t thread_affinity(const struct thread *thread)
{
    return (uint32_t)atomic_load_explicit(&thread->placement, memory_order_relaxed);
}

static inline bool thread_is_faulted(const struct thread *thread)
{
    return atomic_load_explicit(&thread->faulted, memory_order_relaxed);
}

static inline void thread_set_faulted(struct thread *thread, bool faulted)
{
    atomic_store_explicit(&thread->faulted, faulted, memory_order_relaxed);
}

// Ends the wait whose sequence is `sequence`, whatever it waits on, with `status` as its result,
// and makes the thread ready. False if that wait is over. No lock of rank OBJECT or above may be
// held.
bool thread_cancel(struct thread *thread, uint64_t sequence, enum nx_status status);

// Changes the state and keeps the sequence. Owner only; returns the word as it was.
static inline uint64_t thread_change_state(struct thread *thread, enum thread_state from,
                                           enum thread_state to)
{
    return atomic_fetch_add_explicit(&thread->wait, (uint64_t)to - (uint64_t)from,
                                     memory_order_relaxed);
}
static inline void thread_set_state(struct thread *thread, enum thread_state state)
{
    uint64_t wait = atomic_load_explicit(&thread->wait, memory_order_relaxed);
    (void)thread_change_state(thread, thread_state_of(wait), state);
}

// The RUNNING current thread begins a new wait: advances the sequence and publishes the state,
// under the object's lock where the state has one (object NULL: it has none). Returns the word;
// thread_recheck_kill wants it.
static inline uint64_t thread_begin_wait(struct thread *thread, enum thread_state state,
                                         struct object *object)
{
    uint64_t change = (1ull << THREAD_SEQUENCE_SHIFT) + (uint64_t)state - (uint64_t)THREAD_RUNNING;
    if (object != NULL)
        arch_store_relaxed(&thread->waiting_on, object);
    // Sequentially consistent: published before the waiter looks again at a bound notification's
    // bits. Pairs with the setting of those before a waker reads this word. Release is implied: a
    // claimer sees the frame and everything else of the thread.
    return arch_fetch_add_ordered(&thread->wait, change) + change;
}

// After thread_begin_wait, which returned `wait`, and after the object's lock is dropped: ends the
// wait again if the thread had been killed before.
static inline void thread_recheck_kill(struct thread *thread, uint64_t wait)
{
    if (__builtin_expect((wait & THREAD_KILLED) != 0, 0))
        (void)thread_cancel(thread, thread_sequence_of(wait), NX_ERR_CANCELLED);
}

// Moves a thread in AWAITING_REPLY or SLEEPING, whose word is `wait`, to `next`; true: the caller
// owns the thread.
NX_MUST_CHECK static inline bool thread_claim(struct thread *thread, uint64_t wait,
                                              enum thread_state next)
{
    // Acquire: the claimer sees all that the thread did before it published its wait.
    return atomic_compare_exchange_strong_explicit(&thread->wait, &wait,
                                                   (wait & ~THREAD_STATE_MASK) | (uint64_t)next,
                                                   memory_order_acquire, memory_order_relaxed);
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
