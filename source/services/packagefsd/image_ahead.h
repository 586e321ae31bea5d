// SPDX-License-Identifier: Apache-2.0
// Transfers from the disk that are started now and collected later, several at a time, through a
// queue of the block service.
//
//     image_ahead_ready -> image_ahead_start ... image_ahead_submit
//         -> image_ahead_take, or image_ahead_wait and then take
//
// The device writes to staging memory, which the queue has to itself; what it holds is copied away
// and verified when it is taken. The queue is opened with the first `ready`. There is none for the
// fixtures, nor when the service refuses one: then the transfers that wait (image_transfer) do all
// the work. When the queue fails, everything on its way fails with it, and for a second none is
// opened.
#ifndef PACKAGEFSD_IMAGE_AHEAD_H
#define PACKAGEFSD_IMAGE_AHEAD_H

#include "image.h"
#include "nexus/block.h"

#define IMAGE_AHEAD_READS 8u // on their way at once, at most
#define IMAGE_AHEAD_BYTES (IMAGE_AHEAD_READS * (uint64_t)IMAGE_TRANSFER_BYTES)

// One transfer, in the caller's storage from start until take returns it.
struct image_read {
    uint64_t offset; // in the image, a multiple of its unit
    uint64_t length; // bytes, the same, at most IMAGE_TRANSFER_BYTES
    uint64_t place;  // in the staging memory: the transfer's own
};

struct image_ahead {
    struct image *image;
    nx_handle staging; // IMAGE_AHEAD_BYTES, from the first queue on
    const uint8_t *staged;
    bool open;
    uint32_t slot;     // of the staging memory in the queue
    uint64_t retry_at; // no queue is opened before that
    uint32_t waiting;  // started and not submitted
    struct nx_block_queue queue;
};

void image_ahead_init(struct image_ahead *ahead, struct image *image);

// Whether transfers can be started; opens the queue if need be.
bool image_ahead_ready(struct image_ahead *ahead);

// Starts a transfer; it is under way after the next submit. False: as many as the queue takes are.
bool image_ahead_start(struct image_ahead *ahead, struct image_read *read);
void image_ahead_submit(struct image_ahead *ahead);

// A transfer that has ended, with its status; NULL: none has. NX_OK: the bytes are verified and lie
// in the image's private memory, until the next transfer of any kind.
struct image_read *image_ahead_take(struct image_ahead *ahead, enum nx_status *status);

// Waits until a transfer can be taken. On a failure there is no queue any more: nothing that was on
// its way has happened or will.
NX_MUST_CHECK enum nx_status image_ahead_wait(struct image_ahead *ahead);

#endif
