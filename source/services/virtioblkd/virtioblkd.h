// SPDX-License-Identifier: Apache-2.0
// virtioblkd's parts and what they share: one device, one thread, a table of reads.
//
//     request --serve.c--> struct read --reads.c--> device --interrupt--> reads.c --> answer
//
// A read owns its caller's reply right and a handle to its caller's memory from the moment it is
// accepted. It is submitted to the device, or waits in order while the device takes no more (full,
// or being reset). It ends with one answer. The memory handle is closed first, and only once the
// library has handed the request back: then the device is done with that memory, or has been reset.
// Each read sits in exactly one place:
//
//     free list --accept--> submitted <--> waiting list
//         ^                     |
//         +------ answered -----+
//
// With the table full no request is received: callers wait in the endpoint, which costs nothing.
#ifndef VIRTIOBLKD_H
#define VIRTIOBLKD_H

#include "nexus/process.h"
#include "storage/virtio-blk/virtio_blk.h"

#define READS_MAX 64u // accepted and not answered

struct read {
    struct virtio_blk_request request; // cookie: this struct
    struct virtio_blk_segment segments[VIRTIO_BLK_MAX_SEGMENTS];
    nx_handle reply;   // the caller's, one-shot
    nx_handle memory;  // the caller's
    uint32_t attempts; // submissions so far
    struct read *next; // in the free list or the waiting list
};

// All of it belongs to the one thread.
struct virtioblkd {
    // Constant after start.
    nx_handle service;
    nx_handle machine; // with the right to learn physical addresses
    nx_handle interrupt;
    nx_handle notification; // of the interrupt; bound to the thread
    nx_handle rings;        // the device's own memory, contiguous
    volatile uint8_t *registers;

    struct virtio_blk device;
    uint32_t fruitless_resets; // in a row, without a completed request between them
    struct read reads[READS_MAX];
    struct read *free;
    struct read *waiting_first;
    struct read *waiting_last;
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

// ---- reads.c: reads from acceptance to answer ---------------------------------------------------

void reads_init(struct virtioblkd *service);

// Starts a read taken off the free list, whose request, reply and memory are filled in.
void read_start(struct virtioblkd *service, struct read *read);

// Serves the device's interrupt; applies the clock. NX_ERR_DEVICE: the device cannot be driven any
// longer, and nobody waits for it: every read has been answered.
NX_MUST_CHECK enum nx_status reads_interrupt(struct virtioblkd *service);
NX_MUST_CHECK enum nx_status reads_expire(struct virtioblkd *service);

// When reads_expire is due at the latest; NX_DEADLINE_NEVER.
uint64_t reads_deadline(const struct virtioblkd *service);

// ---- probe.c: the first read --------------------------------------------------------------------

// Reads the first block of the disk into memory of its own and waits for the interrupt. Before any
// other read. On failure the device is still.
//   NX_ERR_TIMED_OUT  no interrupt, or none that brought the block; NX_ERR_IO, NX_ERR_DEVICE
NX_MUST_CHECK enum nx_status probe(struct virtioblkd *service);

// ---- serve.c: the messages of virtio_blk.capnp --------------------------------------------------

// Answers one message that has been received, or accepts it as a read. The free list is not empty.
void serve_message(struct virtioblkd *service, const struct nx_message *message);

// Answers a read. `reply` NX_HANDLE_NONE: the current caller. `reason`, text for people, may be
// NULL.
void serve_read_answer(nx_handle reply, enum nx_status status, uint32_t bytes, const char *reason);

#endif
