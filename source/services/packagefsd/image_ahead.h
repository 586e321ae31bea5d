// SPDX-License-Identifier: Apache-2.0
// Transfers from the disk that are started now and collected later, several at a time, through a
// queue of the block service.
//
//     image_ahead_attach(memory) -> image_ahead_start ... image_ahead_submit
//         -> image_ahead_take, or image_ahead_wait and then take -> image_ahead_detach
//
// The queue is opened with the first attach. There is none for the fixtures, nor when the service
// refuses one: then attach fails, and the transfers that wait (image_transfer) do all the work.
// When the queue fails, everything on its way fails with it, every slot is void, and for a second
// nothing is attached.
#ifndef PACKAGEFSD_IMAGE_AHEAD_H
#define PACKAGEFSD_IMAGE_AHEAD_H

#include "image.h"
#include "nexus/block.h"

// One transfer, in the caller's storage from start until take returns it. The offset and the place
// are multiples of the image's unit.
struct image_read {
    uint64_t offset; // in the image
    uint64_t length; // bytes, at most one block request
    nx_handle memory;
    uint64_t place; // in that memory object
};

struct image_ahead {
    struct image *image;
    bool open;
    uint64_t generation; // of the queue: slots of another one are void
    uint64_t retry_at;   // no queue is opened before that
    uint32_t waiting;    // started and not submitted
    struct nx_block_queue queue;
};

void image_ahead_init(struct image_ahead *ahead, struct image *image);

// Lets transfers go to a memory object of ours; *slot names it until the detach, in this generation
// of the queue. NX_ERR_BUSY: too many are attached. Any other failure: nothing can be read ahead.
NX_MUST_CHECK enum nx_status image_ahead_attach(struct image_ahead *ahead, nx_handle memory,
                                                uint32_t *slot);

// Nothing is on its way to the slot's memory. A slot of an older generation is void already.
void image_ahead_detach(struct image_ahead *ahead, uint64_t generation, uint32_t slot);

// Starts a transfer; it is under way after the next submit. False: as many as the queue takes are.
bool image_ahead_start(struct image_ahead *ahead, struct image_read *read, uint32_t slot);
void image_ahead_submit(struct image_ahead *ahead);

// A transfer that has ended, with its status; NULL: none has. NX_OK: the bytes are there and
// verified.
struct image_read *image_ahead_take(struct image_ahead *ahead, enum nx_status *status);

// Waits until a transfer can be taken. On a failure there is no queue any more: nothing that was on
// its way has happened or will.
NX_MUST_CHECK enum nx_status image_ahead_wait(struct image_ahead *ahead);

#endif
