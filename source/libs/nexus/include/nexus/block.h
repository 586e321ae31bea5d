// SPDX-License-Identifier: Apache-2.0
// Client of virtioblkd: facts about the disk, and reads that land in memory objects by DMA.
//
// nx_block_read waits for one read. A queue (struct nx_block_queue) has up to NX_BLOCK_QUEUE_DEPTH
// reads in flight and costs no system call for each of them: requests and answers lie in a page
// that client and service share, and a notification tells the other side once for a whole batch.
#ifndef NEXUS_BLOCK_H
#define NEXUS_BLOCK_H

#include "nexus/system.h"
#include <stdbool.h>

#define NX_BLOCK_SECTOR_BYTES     512u
#define NX_BLOCK_READ_SECTORS_MAX 256u // 128 KiB
#define NX_BLOCK_REASON_BYTES     96u

struct nx_block_facts {
    uint64_t sectors;
    uint32_t sector_size; // bytes
    bool read_only;
    uint32_t transport; // 1 legacy, 2 modern
    uint64_t features;  // as negotiated
    uint16_t queue_size;
    uint64_t mmio_base; // physical
    uint32_t interrupt_number;
    uint64_t requests;
    uint64_t completions;
    uint64_t errors;
    uint64_t resets;
    uint64_t timeouts;
    uint64_t interrupts;
    uint64_t bytes_copied; // payload bytes that the service copied
    uint64_t kicks;        // times that the device was told of new requests
    uint32_t sessions;     // queues that are open
    uint64_t queued;       // reads that came through queues
    uint64_t doorbells;    // times that a client told the service of them
    uint64_t notices;      // times that the service told a client of answers
};

// NX_ERR_NOT_FOUND: there is no block device, or this program may not use it.
NX_MUST_CHECK enum nx_status nx_block_info(struct nx_block_facts *facts);

// Reads `count` sectors from `lba` to `offset` (bytes) of a memory object that the caller may write
// and transfer. On a refusal `reason`, unless NULL, holds NX_BLOCK_REASON_BYTES of text that names
// it, perhaps empty. A restart of the service on the way is waited for. After a failure the disk
// may go on writing to that place, until a later read to it has succeeded.
NX_MUST_CHECK enum nx_status nx_block_read(uint64_t lba, uint32_t count, nx_handle memory,
                                           uint64_t offset, char *reason);

// ---- Queued reads -------------------------------------------------------------------------------
//
// A queue belongs to one thread, or to several that take turns under a lock of theirs. Typical
// sequence:
//
//     nx_block_queue_open(&queue, NX_HANDLE_NONE, 0);
//     nx_block_queue_attach(&queue, memory, &slot);            // once for each memory object
//     for each read: nx_block_queue_add(&queue, lba, count, slot, offset, cookie);
//     nx_block_queue_submit(&queue);                           // once for the batch, or:
//     nx_block_queue_wait(&queue, 1, deadline);                // does that first
//     while (nx_block_queue_take(&queue, &result)) ... result.cookie, result.status ...
//     nx_block_queue_close(&queue);
//
// A server that must not wait in nx_block_queue_wait opens the queue with its own bound
// notification and some bits. When they come it takes all results, then asks for the next notice:
//
//     do {
//         while (nx_block_queue_take(&queue, &result)) ...
//     } while (nx_block_queue_arm(&queue, 1));
//
// and calls nx_block_queue_check when reads are in flight and nothing has come for a second.
//
// From nx_block_queue_add until its result is taken, a read's memory may change at any time.

#define NX_BLOCK_QUEUE_DEPTH    64u // reads from add to take
#define NX_BLOCK_QUEUE_MEMORIES 16u // memory objects attached at the same time

struct block_ring;

// A read as it was added: kept until its result is taken, so that it can be sent again to a service
// that has been restarted.
struct nx_block_queue_entry {
    uint64_t lba;
    uint64_t offset;
    uint32_t count;
    uint16_t slot;
    uint16_t next; // in the list of free entries
    void *cookie;
    bool in_flight;
};

// The caller supplies the storage; the fields are the library's.
struct nx_block_queue {
    struct block_ring *ring; // mapped here and in virtioblkd
    nx_handle ring_memory;
    nx_handle lifeline;     // an endpoint; virtioblkd ends the session when it is closed
    nx_handle notification; // signalled by virtioblkd
    uint64_t bits;
    bool owns_notification;
    nx_handle doorbell; // signalled by us
    uint64_t doorbell_bits;
    nx_handle endpoint;        // of this session, for nx_block_queue_read
    uint32_t reopened;         // how often the session has been, after restarts
    uint32_t submit_index;     // entries written
    uint32_t published_index;  // of these, those that virtioblkd may see
    uint32_t completion_index; // answers taken
    uint32_t in_flight;        // entries added and not taken
    uint16_t free_entry;
    nx_handle memories[NX_BLOCK_QUEUE_MEMORIES];     // the caller's, NX_HANDLE_NONE: free
    uint16_t service_slots[NX_BLOCK_QUEUE_MEMORIES]; // virtioblkd's numbers of them
    struct nx_block_queue_entry entries[NX_BLOCK_QUEUE_DEPTH];
};

struct nx_block_result {
    void *cookie;
    enum nx_status status; // NX_OK: the sectors are in the memory; else as nx_block_read
};

// Opens a queue. With `notification` NX_HANDLE_NONE it makes one of its own, for
// nx_block_queue_wait; else the given one (rights SIGNAL and TRANSFER) gets `bits` when answers
// have come that nx_block_queue_arm has asked for.
//   NX_ERR_NOT_FOUND  no block device, or this program may not use it
//   NX_ERR_BUSY       virtioblkd has as many sessions as it takes
//   NX_ERR_NO_MEMORY  here or there
NX_MUST_CHECK enum nx_status nx_block_queue_open(struct nx_block_queue *queue,
                                                 nx_handle notification, uint64_t bits);

// Lets reads go to a memory object that the caller may write and transfer. The handle stays the
// caller's, who keeps it until the detach. NX_ERR_BUSY: all slots are taken.
NX_MUST_CHECK enum nx_status nx_block_queue_attach(struct nx_block_queue *queue, nx_handle memory,
                                                   uint32_t *slot);

// Ends that. NX_ERR_BUSY: a read to it is in flight. NX_ERR_INVALID_ARGUMENT: no such slot.
NX_MUST_CHECK enum nx_status nx_block_queue_detach(struct nx_block_queue *queue, uint32_t slot);

// Adds a read; virtioblkd learns of it at nx_block_queue_submit. The arguments are checked by
// virtioblkd: a refusal is the read's result.
//   NX_ERR_BUSY              NX_BLOCK_QUEUE_DEPTH reads are on their way: take a result first
//   NX_ERR_INVALID_ARGUMENT  no such slot
NX_MUST_CHECK enum nx_status nx_block_queue_add(struct nx_block_queue *queue, uint64_t lba,
                                                uint32_t count, uint32_t slot, uint64_t offset,
                                                void *cookie);

// Publishes what was added and, unless virtioblkd is looking anyway, tells it so, which makes this
// thread wait for it. To go on to nx_block_queue_wait without this costs less.
void nx_block_queue_submit(struct nx_block_queue *queue);

// Takes one answer, in the order in which they came. False: there is none.
bool nx_block_queue_take(struct nx_block_queue *queue, struct nx_block_result *result);

// Asks for a notice when `wanted` answers (at least 1, at most all that are in flight) are there to
// be taken. True: they are there already, and no notice may come for them.
bool nx_block_queue_arm(struct nx_block_queue *queue, uint32_t wanted);

// Publishes what was added, then waits until `wanted` answers are there (see arm), or all that are
// in flight. Only for a queue with a notification of its own. A restart of the service on the way
// is waited for. Long reads are under way in two halves: a stream of them does best with one more
// than half of what it has in flight.
//   NX_ERR_TIMED_OUT  the deadline passed first
//   NX_ERR_BAD_STATE  nothing is in flight
//   others            virtioblkd is down: see nx_block_queue_check
NX_MUST_CHECK enum nx_status nx_block_queue_wait(struct nx_block_queue *queue, uint32_t wanted,
                                                 uint64_t deadline);

// Reads at once, past whatever is queued, and waits: as nx_block_read, but to an attached memory,
// which need not travel. Any thread may call it, also while others use the queue, but not while it
// is opened, checked, waited on or closed.
NX_MUST_CHECK enum nx_status nx_block_queue_read(struct nx_block_queue *queue, uint64_t lba,
                                                 uint32_t count, uint32_t slot, uint64_t offset,
                                                 char *reason);

// Asks virtioblkd whether it still knows the queue. If it was restarted, the session is opened
// again and every read in flight sent once more: the caller notices nothing but time. On a failure
// the queue is of no further use: close it. Its reads did not happen.
NX_MUST_CHECK enum nx_status nx_block_queue_check(struct nx_block_queue *queue);

// Closes the queue. Waits until nothing is in flight, so that the memory is the caller's again.
void nx_block_queue_close(struct nx_block_queue *queue);

static inline uint32_t nx_block_queue_in_flight(const struct nx_block_queue *queue)
{
    return queue->in_flight;
}

#endif
