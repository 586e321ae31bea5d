// SPDX-License-Identifier: Apache-2.0
// Transfers that nobody waits for: a queue of the block service.
#include "image_ahead.h"
#include "nexus/clock.h"
#include "window.h"

#define RETRY_INTERVAL NX_SECOND

void image_ahead_init(struct image_ahead *ahead, struct image *image)
{
    *ahead = (struct image_ahead){.image = image};
}

// A queue, and the staging memory attached to it.
static enum nx_status queue_create(struct image_ahead *ahead)
{
    void *address;
    enum nx_status status = NX_OK;

    if (ahead->staging == NX_HANDLE_NONE) {
        status = memory_new_present(IMAGE_AHEAD_BYTES, 0, &ahead->staging, &address);
        if (status != NX_OK) {
            return status;
        }
        ahead->staged = address;
    }
    status = nx_block_queue_open(&ahead->queue, NX_HANDLE_NONE, 0);
    if (status != NX_OK) {
        return status;
    }
    status = nx_block_queue_attach(&ahead->queue, ahead->staging, &ahead->slot);
    if (status != NX_OK) {
        nx_block_queue_close(&ahead->queue);
    }
    return status;
}

static void queue_give_up(struct image_ahead *ahead)
{
    nx_block_queue_close(&ahead->queue);
    ahead->open = false;
    ahead->waiting = 0;
    ahead->retry_at = nx_deadline_after(RETRY_INTERVAL);
}

bool image_ahead_ready(struct image_ahead *ahead)
{
    if (!ahead->open && ahead->image->source == PACKAGE_FS_SOURCE_VIRTIO_BLK &&
        nx_clock_now() >= ahead->retry_at) {
        ahead->open = queue_create(ahead) == NX_OK;
        if (!ahead->open) {
            ahead->retry_at = nx_deadline_after(RETRY_INTERVAL);
        }
    }
    return ahead->open;
}

bool image_ahead_start(struct image_ahead *ahead, struct image_read *read)
{
    enum nx_status status = nx_block_queue_add(&ahead->queue, read->offset / NX_BLOCK_SECTOR_BYTES,
                                               (uint32_t)(read->length / NX_BLOCK_SECTOR_BYTES),
                                               ahead->slot, read->place, read);
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
        *status =
            image_accept(ahead->image, read->offset, read->length, ahead->staged + read->place);
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
