// SPDX-License-Identifier: Apache-2.0
// virtioblkd's parts and what they share: one device, reads that come as messages, sessions.
//
//     message ----------serve.c--> struct read --reads.c--> device --interrupt--> reads.c
//     entry in a ring --queues.c-------^                       answer, or completion in the ring
//
// A read belongs to the thread from the moment it is accepted. It is submitted to the device, or
// waits in order while the device takes no more (full, or being reset). It ends with one answer,
// once the library has handed its request back: then the device is done with that memory, or has
// been reset. Each read sits in exactly one place:
//
//     free list --accept--> submitted <--> waiting list
//         ^                     |
//         +------ answered -----+
//
// A read that came as a message owns its caller's reply right, and a handle to its caller's memory
// or the use of a memory that is attached to a session. That session is the one whose own endpoint
// the message came through: a handle with a badge that openQueue gives and that is never given
// again. The one accepted last is `held`: its caller stays the thread's current one, which costs
// nothing, until another message comes (NX_RECEIVE_KEEP); then its right is saved. An answer to the
// current caller is sent by the system call that waits for the next message. One that came through
// a ring names a memory object attached to its session, which stays attached meanwhile.
//
// Back-pressure. With the table of messages' reads full no request is received: callers wait in the
// endpoint, which costs nothing. Entries that do not fit stay in their ring. While reads wait for
// the device, each session has at most one among them, so that the waiting list serves messages and
// sessions in turn, and no client starves another.
//
// Threads. One does all the work and owns everything here. Each session has another one, which does
// nothing but wait for the client's end (sessions.c).
#ifndef VIRTIOBLKD_H
#define VIRTIOBLKD_H

#include "block/block_ring.h"
#include "nexus/process.h"
#include "nexus/thread.h"
#include "storage/virtio-blk/virtio_blk.h"

#define READS_MAX            64u // messages accepted and not answered
#define SESSIONS_MAX         8u
#define SESSION_MEMORIES_MAX 16u
#define SESSION_FRAMES       256u // pages whose place in memory a session remembers

// Bits of the service's notification. Any client of a session can signal any of them: they say
// where to look, no more.
#define BIT_INTERRUPT        (1ull << 0)
#define BIT_CLIENT_GONE      (1ull << 1)
#define BIT_DOORBELL_FIRST   8u // and one more for each session
#define BIT_DOORBELL(number) (1ull << (BIT_DOORBELL_FIRST + (number)))

struct session;

struct read {
    struct virtio_blk_request request; // cookie: this struct
    struct virtio_blk_segment segments[VIRTIO_BLK_MAX_SEGMENTS];
    struct session *session; // NULL: it came as a message
    nx_handle reply;         // message: the caller's, one-shot; NX_HANDLE_NONE while it is held
    nx_handle memory;        // message: the caller's, unless `lender` is there
    struct session *lender;  // message: whose attached memory it goes to; NULL: none
    uint16_t slot;           // of the attached memory; SESSION_MEMORIES_MAX: none
    uint16_t tag;            // session: the client's
    uint32_t attempts;       // submissions so far
    struct read *next;       // in a free list or the waiting list
};

struct session {
    // Constant while the session lives.
    struct virtioblkd *service;
    uint32_t number;
    uint32_t mask;         // of its bit in the service's masks of sessions
    uint64_t ring_address; // physical: who holds this page is the client
    nx_handle ring_memory;
    nx_handle notification; // the client's
    uint64_t notice_bits;
    uint64_t badge;     // of messages through its own endpoint
    nx_handle endpoint; // a handle of that kind
    nx_handle lifeline; // endpoint that the client receives on while it lives
    struct nx_thread watcher;

    _Atomic bool gone; // set by the watcher at the client's end, for good

    // The working thread only.
    struct block_ring_server ring;
    nx_handle memories[SESSION_MEMORIES_MAX]; // that reads may go to; NX_HANDLE_NONE: free
    // Of those that lie in one piece: where, and how long; length 0: scattered.
    struct virtio_blk_segment pieces[SESSION_MEMORIES_MAX];
    struct read *free;
    uint32_t in_flight;    // reads taken from the ring or with its memory, and not answered
    uint32_t waiting;      // of these, in the waiting list
    uint32_t sectors_last; // of the entry taken last: the next ones may be as long
    bool broken;           // its ring makes no sense: no more entries are taken
    // Where pages of its memories lie, which never changes while they are attached. A line of the
    // cache is named by its key, 0 for none.
    uint32_t frame_keys[SESSION_FRAMES];
    uint64_t frames[SESSION_FRAMES];
    struct read reads[BLOCK_RING_DEPTH];
};

enum answer_kind { ANSWER_NONE, ANSWER_INFO, ANSWER_READ };

struct virtioblkd_counters {
    uint64_t queued;    // entries taken from rings
    uint64_t doorbells; // of clients
    uint64_t notices;   // to clients
};

// All of it belongs to the working thread.
struct virtioblkd {
    // Constant after start.
    nx_handle service;
    nx_handle machine; // with the right to learn physical addresses
    nx_handle interrupt;
    nx_handle
        notification;   // of the interrupt, the sessions' doorbells and ends; bound to the thread
    nx_handle doorbell; // the same, with the right to signal alone
    nx_handle rings;    // the device's own memory, contiguous
    volatile uint8_t *registers;

    uint32_t fruitless_resets; // of the device, in a row, without a completed request between them
    struct read *free;
    uint32_t messages; // reads that came as messages and are not answered
    struct read *waiting_first;
    struct read *waiting_last;

    struct read *held;       // whose caller is the current one; NULL: none
    enum answer_kind answer; // that the current caller waits for, due at the next wait
    enum nx_status answer_status;
    uint32_t answer_bytes;
    uint64_t reset_look; // RESETTING: when to look at the device next
    uint64_t now; // nanoseconds, when the thread last woke up: close enough for reads' deadlines

    struct session *sessions[SESSIONS_MAX];
    uint32_t session_count;     // of these
    bool sessions_ending;       // some client is gone, and its session is not
    uint32_t sessions_ready;    // mask: may have entries that can be taken
    uint32_t sessions_answered; // mask: have answers that their clients cannot see yet
    struct virtioblkd_counters counters;
    struct virtio_blk device;
    struct read reads[READS_MAX];
};

// ---- memory.c: memory objects as the device sees them -------------------------------------------

// Commits [offset, offset + length) of a memory object and writes where it lies as segments,
// neighbouring pages in one. offset + length does not wrap; length is below 4 GiB. Overwrites the
// message page's data. Errors: the kernel's (a handle that is none, not memory, not writable, or
// device registers; a range past its end);
//   NX_ERR_TOO_LARGE  more than `capacity` segments
NX_MUST_CHECK enum nx_status memory_segments(nx_handle machine, nx_handle memory, uint64_t offset,
                                             uint64_t length, struct virtio_blk_segment *segments,
                                             uint32_t capacity, uint32_t *count);

// Where an attached memory lies, if in one piece: its length is 0 else, and when that fails.
struct virtio_blk_segment memory_piece(nx_handle machine, nx_handle memory);

// The same as memory_segments for an attached memory, from the session's cache as far as it goes.
NX_MUST_CHECK enum nx_status session_segments(struct session *session, uint32_t slot,
                                              uint64_t offset, uint64_t length,
                                              struct virtio_blk_segment *segments,
                                              uint32_t capacity, uint32_t *count);
void session_segments_forget(struct session *session, uint32_t slot);

// ---- reads.c: reads from acceptance to answer ---------------------------------------------------

void reads_init(struct virtioblkd *service);

// Readies a read's constant part and puts it on a free list.
void read_init(struct read *read, struct session *session, struct read **free);

// Starts a read taken off a free list, whose request and owner are filled in. The device is told by
// the next reads_settle.
void read_start(struct virtioblkd *service, struct read *read);

// Is there nothing in the way of a new read?
static inline bool reads_flow(const struct virtioblkd *service)
{
    return service->waiting_first == NULL;
}

// Serves the device's interrupt; applies the clock. NX_ERR_DEVICE: the device cannot be driven any
// longer, and nobody waits for it: every read has been answered.
NX_MUST_CHECK enum nx_status reads_interrupt(struct virtioblkd *service);
NX_MUST_CHECK enum nx_status reads_expire(struct virtioblkd *service);

// After whatever has happened: submits what waits, takes entries, tells the device and the clients,
// and asks for the next interrupt. Returns as reads_interrupt.
NX_MUST_CHECK enum nx_status reads_settle(struct virtioblkd *service);

// When reads_expire is due at the latest; NX_DEADLINE_NEVER.
uint64_t reads_deadline(const struct virtioblkd *service);

// ---- queues.c: entries of rings become reads, reads become answers in rings ---------------------

void queues_take(struct virtioblkd *service);
void queue_answer(struct read *read, enum nx_status status);
void queues_publish(struct virtioblkd *service);

// How many reads have to end before somebody wants to know; at least 1.
uint32_t queues_patience(const struct virtioblkd *service);

// ---- sessions.c: from openQueue to the client's end ---------------------------------------------

// What openQueue brings. The handles are the session's on NX_OK, else the caller's.
struct session_request {
    nx_handle ring_memory;
    nx_handle notification;
    nx_handle lifeline;
    uint64_t notice_bits;
};

//   NX_ERR_BUSY              SESSIONS_MAX of them are open
//   NX_ERR_ALREADY_EXISTS    that page has one
//   NX_ERR_INVALID_ARGUMENT  no bits
//   NX_ERR_NO_MEMORY, and what mapping the page returns
NX_MUST_CHECK enum nx_status session_open(struct virtioblkd *service,
                                          const struct session_request *request, uint32_t *number);

// The session of a page of rings. NX_ERR_NOT_FOUND, or what asking for its address returns.
NX_MUST_CHECK enum nx_status session_find(const struct virtioblkd *service, nx_handle ring_memory,
                                          struct session **session);

// The session whose own endpoint gives messages this badge; NULL: none.
struct session *session_of_badge(const struct virtioblkd *service, uint64_t badge);

// Takes the handle over on NX_OK.
//   NX_ERR_WRONG_TYPE, NX_ERR_ACCESS_DENIED  not memory, or not writable
//   NX_ERR_BUSY                              SESSION_MEMORIES_MAX of them are attached
//   NX_ERR_DEVICE                            the device ignores resets
NX_MUST_CHECK enum nx_status session_attach(struct session *session, nx_handle memory,
                                            uint32_t *slot);
// The handle stays this program's where the device ignores resets.
//   NX_ERR_INVALID_ARGUMENT, NX_ERR_BUSY (in use)
NX_MUST_CHECK enum nx_status session_detach(struct session *session, uint32_t slot);

// Ends the sessions whose clients are gone and whose reads are.
void sessions_reap(struct virtioblkd *service);

// ---- probe.c: the first read --------------------------------------------------------------------

// Reads the first block of the disk into memory of its own and waits for the interrupt. Before any
// other read. On failure the device is still, or ignores resets: then that memory stays this
// program's, which the kernel holds at its end (ADR 0016).
//   NX_ERR_TIMED_OUT  no interrupt, or none that brought the block; NX_ERR_IO, NX_ERR_DEVICE
NX_MUST_CHECK enum nx_status probe(struct virtioblkd *service);

// ---- serve.c: the messages of virtio_blk.capnp --------------------------------------------------

// Answers one message that has been received, or accepts it as a read. The free list is not empty.
void serve_message(struct virtioblkd *service, const struct nx_message *message);

// The answer that is due to the current caller: built in the page, to be sent next.
struct nx_message serve_answer(struct virtioblkd *service);

// Answers a read through its saved right.
void serve_read_answer(nx_handle reply, enum nx_status status, uint32_t bytes);

#endif
