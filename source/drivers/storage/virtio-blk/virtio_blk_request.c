// SPDX-License-Identifier: Apache-2.0
// Requests of a virtio block device on their way in: checks, submission, and the way back.
// The contract is in virtio_blk.h; the request format is virtio 1.2 section 5.2.6.
//
// A request holds one chain of descriptors from submit to its return. Its head names the slot with
// header, status byte and indirect table, so the device's answer is found by the head and by
// nothing else it says.
//
// With indirect tables a request that is within the device's limits goes as it is: one pass over
// its segments checks them and writes the table. Everything else is virtio_blk_parts.c.
#include "virtio_blk_private.h"

#include <stdatomic.h>

// Everything but the segments.
static enum nx_status request_check(const struct virtio_blk *device,
                                    const struct virtio_blk_request *request)
{
    uint32_t block_mask = device->block_size / VIRTIO_BLK_SECTOR_BYTES - 1; // a power of two
    if (request->sector_count == 0) {
        return NX_ERR_INVALID_ARGUMENT;
    }
    if (request->sector_count > VIRTIO_BLK_MAX_SECTORS) {
        return NX_ERR_TOO_LARGE;
    }
    if (request->first_sector > UINT64_MAX - request->sector_count) {
        return NX_ERR_OVERFLOW;
    }
    if (request->first_sector + request->sector_count > device->sectors) {
        return NX_ERR_OUT_OF_RANGE;
    }
    if (((request->first_sector | request->sector_count) & block_mask) != 0) {
        return NX_ERR_INVALID_ARGUMENT;
    }
    return NX_OK;
}

// Writes the whole request into the slot's table, whose first entry (the header's) and whose
// descriptor in the queue stand since the start. Checks the segments on the way: nothing is
// published, so a refusal leaves no trace. NX_ERR_BUSY: it has to go in parts.
static enum nx_status whole_fill(const struct virtio_blk *device,
                                 const struct virtio_blk_request *request, uint16_t head)
{
    struct virtio_blk_slot *slot = &device->slots[head];
    const struct virtio_blk_segment *segments = request->segments;
    uint32_t piece_limit = device->piece_limit;
    uint32_t count = request->segment_count;
    uint64_t total = 0;

    for (uint32_t index = 0; index < count; index++) {
        uint64_t address = segments[index].bus_address;
        uint32_t length = segments[index].length;
        if (length == 0 || length % VIRTIO_BLK_SECTOR_BYTES != 0) {
            return NX_ERR_INVALID_ARGUMENT;
        }
        if (address > UINT64_MAX - length) {
            return NX_ERR_OVERFLOW;
        }
        if (length > piece_limit) {
            return NX_ERR_BUSY;
        }
        virtq_desc_write(&slot->table[index + 1], address, length,
                         VIRTQ_DESC_F_NEXT | VIRTQ_DESC_F_WRITE, (uint16_t)(index + 2));
        total += length;
    }
    if (total != (uint64_t)request->sector_count * VIRTIO_BLK_SECTOR_BYTES) {
        return NX_ERR_INVALID_ARGUMENT;
    }
    virtq_desc_write(&slot->table[count + 1],
                     virtio_blk_slot_address(device, head) +
                         offsetof(struct virtio_blk_slot, status),
                     1, VIRTQ_DESC_F_WRITE, 0);
    slot->header.sector = request->first_sector;
    atomic_store_explicit(&slot->status, VIRTIO_BLK_STATUS_UNWRITTEN, memory_order_relaxed);
    device->queue.descriptors[head].len = (uint32_t)((count + 2) * sizeof(struct virtq_desc));
    return NX_OK;
}

// A request that whole_fill refuses, or that has to go in parts.
VIRTIO_BLK_SELDOM static enum nx_status whole_undo(struct virtio_blk *device,
                                                   struct virtio_blk_request *request,
                                                   uint64_t now_ns, uint16_t head,
                                                   enum nx_status status)
{
    virtqueue_release(&device->queue, head);
    return status == NX_ERR_BUSY ? virtio_blk_submit_parts(device, request, now_ns) : status;
}

static inline enum nx_status submit_whole(struct virtio_blk *device,
                                          struct virtio_blk_request *request, uint64_t now_ns)
{
    uint16_t head;
    if (virtqueue_reserve_one(&device->queue, &head) != NX_OK) {
        return NX_ERR_BUSY;
    }
    enum nx_status status = whole_fill(device, request, head);
    if (status != NX_OK) {
        return whole_undo(device, request, now_ns, head, status);
    }
    virtio_blk_request_accept(device, request, head, now_ns);
    request->segment_index = request->segment_count; // no part follows
    request->part_bytes = request->sector_count * (uint32_t)VIRTIO_BLK_SECTOR_BYTES;
    device->counters.device_requests++;
    virtqueue_publish(&device->queue, head);
    return NX_OK;
}

enum nx_status virtio_blk_submit(struct virtio_blk *device, struct virtio_blk_request *request,
                                 uint64_t now_ns)
{
    if (device->state != VIRTIO_BLK_READY) {
        return NX_ERR_BAD_STATE;
    }
    if (request->submitted) {
        return NX_ERR_ALREADY_EXISTS;
    }
    enum nx_status status = request_check(device, request);
    if (status != NX_OK) {
        return status;
    }
    // In one device request, when that is allowed and there is room for it.
    if (virtio_blk_is_indirect(device) && request->segments != NULL &&
        request->segment_count != 0 && request->segment_count <= device->data_limit) {
        return submit_whole(device, request, now_ns);
    }
    return virtio_blk_submit_parts(device, request, now_ns);
}

void virtio_blk_kick_fresh(struct virtio_blk *device)
{
    if (device->state != VIRTIO_BLK_READY || !virtqueue_kick_due(&device->queue)) {
        return;
    }
    device->counters.kicks++;
    // avail.idx is in memory before the device is told to look at it.
    device->ops->fence(device->context);
    register_write(device, VIRTIO_MMIO_QUEUE_NOTIFY, 0);
}

void virtio_blk_request_return(struct virtio_blk *device, uint16_t head, enum nx_status status)
{
    struct virtio_blk_request *request = device->requests[head];
    device->requests[head] = NULL;
    request->status = status;
    request->next = NULL;
    if (device->completed_last == NULL) {
        device->completed_first = request;
    } else {
        device->completed_last->next = request;
    }
    device->completed_last = request;
}
