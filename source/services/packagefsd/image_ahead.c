// SPDX-License-Identifier: Apache-2.0
// Transfers that nobody waits for: a queue of the block service.
#include "image_ahead.h"
#include "nexus/clock.h"

#define RETRY_INTERVAL NX_SECOND

void image_ahead_init(struct image_ahead *ahead, struct image *image)
{
    *ahead = (struct image_ahead){.image = image};
}

static enum nx_status queue_open(struct image_ahead *ahead)
{
    if (ahead->image->source != PACKAGE_FS_SOURCE_VIRTIO_BLK) {
        return NX_ERR_UNSUPPORTED;
    }
    if (nx_clock_now() < ahead->retry_at) {
        return NX_ERR_BAD_STATE;
    }
    enum nx_status status = nx_block_queue_open(&ahead->queue, NX_HANDLE_NONE, 0);
    if (status != NX_OK) {
        ahead->retry_at = nx_deadline_after(RETRY_INTERVAL);
        return status;
    }
    ahead->open = true;
    ahead->generation++;
    return NX_OK;
}

static void queue_give_up(struct image_ahead *ahead)
{
    nx_block_queue_close(&ahead->queue);
    ahead->open = false;
    ahead->waiting = 0;
    ahead->retry_at = nx_deadline_after(RETRY_INTERVAL);
}

enum nx_status image_ahead_attach(struct image_ahead *ahead, nx_handle memory, uint32_t *slot)
{
    enum nx_status status = ahead->open ? NX_OK : queue_open(ahead);
    return status == NX_OK ? nx_block_queue_attach(&ahead->queue, memory, slot) : status;
}

void image_ahead_detach(struct image_ahead *ahead, uint64_t generation, uint32_t slot)
{
    if (ahead->open && ahead->generation == generation) {
        // Nothing is on its way there and the slot is one of the queue's: it cannot be refused.
        (void)!nx_block_queue_detach(&ahead->queue, slot);
    }
}

bool image_ahead_start(struct image_ahead *ahead, struct image_read *read, uint32_t slot)
{
    enum nx_status status = nx_block_queue_add(&ahead->queue, read->offset / NX_BLOCK_SECTOR_BYTES,
                                               (uint32_t)(read->length / NX_BLOCK_SECTOR_BYTES),
                                               slot, read->place, read);
    if (status != NX_OK) {
        return false;
    }
    ahead->image->reads++;
    ahead->waiting++;
    return true;
}

void image_ahead_submit(struct image_ahead *ahead)
{
    if (ahead->waiting > 0) {
        nx_block_queue_submit(&ahead->queue);
        ahead->waiting = 0;
    }
}

struct image_read *image_ahead_take(struct image_ahead *ahead, enum nx_status *status)
{
    struct nx_block_result result;

    if (!ahead->open || !nx_block_queue_take(&ahead->queue, &result)) {
        return NULL;
    }
    struct image_read *read = result.cookie;
    *status = result.status;
    if (*status == NX_OK) {
        *status = image_verify(ahead->image, read->offset, read->length, read->memory, read->place);
    }
    return read;
}

enum nx_status image_ahead_wait(struct image_ahead *ahead)
{
    enum nx_status status =
        ahead->open ? nx_block_queue_wait(&ahead->queue, 1, NX_DEADLINE_NEVER) : NX_ERR_BAD_STATE;
    if (status != NX_OK && ahead->open) {
        queue_give_up(ahead);
    }
    return status;
}
