// SPDX-License-Identifier: Apache-2.0
// Requests of a virtio block device on their way in: checks, parts, submission, and the way back.
// The contract is in virtio_blk.h; the request format is virtio 1.2 section 5.2.6.
//
// A request holds one chain of descriptors from submit to its return. Its head names the slot with
// header, status byte and indirect table, so the device's answer is found by the head and by
// nothing else it says. A request that exceeds the device's limits goes in parts, one after the
// other, through the same chain: it was reserved with the length of the longest part, so a part
// that follows always has its descriptors.
#include "virtio_blk_private.h"

#include <stdatomic.h>

// A place in a request's scatter list.
struct cursor {
    uint32_t segment;
    uint32_t offset; // bytes into the segment
};

static bool is_indirect(const struct virtio_blk *device)
{
    return (device->features & VIRTIO_F_INDIRECT_DESC) != 0;
}

// The next contiguous piece of the scatter list, at most `limit` bytes; advances the cursor.
static struct virtio_blk_segment piece_next(const struct virtio_blk_request *request,
                                            struct cursor *cursor, uint32_t limit)
{
    const struct virtio_blk_segment *segment = &request->segments[cursor->segment];
    uint32_t left = segment->length - cursor->offset;
    struct virtio_blk_segment piece = {
        .bus_address = segment->bus_address + cursor->offset,
        .length = left < limit ? left : limit,
    };
    cursor->offset += piece.length;
    if (cursor->offset == segment->length) {
        cursor->segment++;
        cursor->offset = 0;
    }
    return piece;
}

// How many bytes from the cursor on fit one device request, in whole blocks; how many data
// descriptors they take at most goes to *descriptors. 0: not even one block fits.
static uint32_t part_measure(const struct virtio_blk *device,
                             const struct virtio_blk_request *request, struct cursor cursor,
                             uint16_t *descriptors)
{
    uint32_t bytes = 0;
    uint16_t count = 0;
    while (count < device->data_limit && cursor.segment < request->segment_count) {
        bytes += piece_next(request, &cursor, device->piece_limit).length;
        count++;
    }
    *descriptors = count;
    return bytes - bytes % device->block_size;
}

// Walks all parts before the device sees the first: the longest one's data descriptors go to
// *descriptors. False: some part would hold no block.
static bool parts_measure(const struct virtio_blk *device, const struct virtio_blk_request *request,
                          uint16_t *descriptors)
{
    struct cursor cursor = {0};
    *descriptors = 0;
    while (cursor.segment < request->segment_count) {
        uint16_t count;
        uint32_t bytes = part_measure(device, request, cursor, &count);
        if (bytes == 0) {
            return false;
        }
        if (count > *descriptors) {
            *descriptors = count;
        }
        while (bytes > 0) {
            bytes -= piece_next(request, &cursor, bytes).length;
        }
    }
    return true;
}

static enum nx_status segments_check(const struct virtio_blk_request *request)
{
    uint64_t total = 0;
    if (request->segments == NULL || request->segment_count == 0) {
        return NX_ERR_INVALID_ARGUMENT;
    }
    if (request->segment_count > VIRTIO_BLK_MAX_SEGMENTS) {
        return NX_ERR_TOO_LARGE;
    }
    for (uint32_t index = 0; index < request->segment_count; index++) {
        const struct virtio_blk_segment *segment = &request->segments[index];
        if (segment->length == 0 || segment->length % VIRTIO_BLK_SECTOR_BYTES != 0) {
            return NX_ERR_INVALID_ARGUMENT;
        }
        if (segment->bus_address > UINT64_MAX - segment->length) {
            return NX_ERR_OVERFLOW;
        }
        total += segment->length;
    }
    uint64_t wanted = (uint64_t)request->sector_count * VIRTIO_BLK_SECTOR_BYTES;
    return total == wanted ? NX_OK : NX_ERR_INVALID_ARGUMENT;
}

static enum nx_status request_check(const struct virtio_blk *device,
                                    const struct virtio_blk_request *request)
{
    uint32_t block_sectors = device->block_size / VIRTIO_BLK_SECTOR_BYTES;
    if (request->sector_count == 0) {
        return NX_ERR_INVALID_ARGUMENT;
    }
    if (request->sector_count > VIRTIO_BLK_MAX_SECTORS) {
        return NX_ERR_TOO_LARGE;
    }
    if (request->first_sector > UINT64_MAX - request->sector_count) {
        return NX_ERR_OVERFLOW;
    }
    if (request->first_sector > device->sectors ||
        request->sector_count > device->sectors - request->first_sector) {
        return NX_ERR_OUT_OF_RANGE;
    }
    if (request->first_sector % block_sectors != 0 || request->sector_count % block_sectors != 0) {
        return NX_ERR_INVALID_ARGUMENT;
    }
    return segments_check(request);
}

// Where the next descriptor of a part goes: into the slot's indirect table, or along the chain.
struct chain {
    struct virtio_blk *device;
    struct virtq_desc *table; // NULL: the chain in the queue itself
    uint16_t index;
};

static void chain_append(struct chain *chain, uint64_t address, uint32_t length, uint16_t flags)
{
    if (chain->table == NULL) {
        chain->index = virtqueue_write(&chain->device->queue, chain->index, address, length, flags);
        return;
    }
    chain->table[chain->index] = (struct virtq_desc){
        .addr = address,
        .len = length,
        .flags = flags,
        .next = (flags & VIRTQ_DESC_F_NEXT) != 0 ? (uint16_t)(chain->index + 1) : 0,
    };
    chain->index++;
}

void virtio_blk_part_publish(struct virtio_blk *device, struct virtio_blk_request *request,
                             uint16_t head)
{
    struct virtio_blk_slot *slot = &device->slots[head];
    uint64_t slot_address =
        device->dma.bus_address + VIRTQUEUE_MAX_BYTES + (uint64_t)head * sizeof(*slot);
    struct chain chain = {.device = device, .table = NULL, .index = head};
    struct cursor cursor = {request->segment_index, request->segment_offset};
    uint16_t descriptors;
    uint32_t left = part_measure(device, request, cursor, &descriptors);

    if (is_indirect(device)) {
        chain.table = slot->table;
        chain.index = 0;
    }
    slot->header = (struct virtio_blk_req_header){
        .type = VIRTIO_BLK_T_IN,
        .sector = request->first_sector + request->bytes_done / VIRTIO_BLK_SECTOR_BYTES,
    };
    atomic_store_explicit(&slot->status, VIRTIO_BLK_STATUS_UNWRITTEN, memory_order_relaxed);
    request->part_bytes = left;

    chain_append(&chain, slot_address, sizeof(slot->header), VIRTQ_DESC_F_NEXT);
    while (left > 0) {
        uint32_t limit = left < device->piece_limit ? left : device->piece_limit;
        struct virtio_blk_segment piece = piece_next(request, &cursor, limit);
        chain_append(&chain, piece.bus_address, piece.length,
                     VIRTQ_DESC_F_NEXT | VIRTQ_DESC_F_WRITE);
        left -= piece.length;
    }
    chain_append(&chain, slot_address + offsetof(struct virtio_blk_slot, status), 1,
                 VIRTQ_DESC_F_WRITE);
    if (chain.table != NULL) {
        uint32_t length = (uint32_t)(chain.index * sizeof(struct virtq_desc));
        virtqueue_write(&device->queue, head,
                        slot_address + offsetof(struct virtio_blk_slot, table), length,
                        VIRTQ_DESC_F_INDIRECT);
    }
    request->segment_index = cursor.segment;
    request->segment_offset = cursor.offset;
    device->counters.device_requests++;
    virtqueue_publish(&device->queue, head);
}

enum nx_status virtio_blk_submit(struct virtio_blk *device, struct virtio_blk_request *request,
                                 uint64_t now_ns)
{
    uint16_t descriptors;
    uint16_t head;
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
    if (!parts_measure(device, request, &descriptors)) {
        return NX_ERR_TOO_LARGE;
    }
    uint16_t needed = is_indirect(device) ? 1 : (uint16_t)(descriptors + 2);
    status = virtqueue_reserve(&device->queue, needed, &head);
    if (status != NX_OK) {
        return status;
    }

    // Point of no return: the request is the device's from here on.
    request->next = NULL;
    request->segment_index = 0;
    request->segment_offset = 0;
    request->bytes_done = 0;
    request->submitted = true;
    request->overdue = false;
    request->deadline_ns =
        request->timeout_ns > UINT64_MAX - now_ns ? UINT64_MAX : now_ns + request->timeout_ns;
    if (request->deadline_ns < device->earliest_deadline_ns) {
        device->earliest_deadline_ns = request->deadline_ns;
    }
    device->requests[head] = request;
    device->request_count++;
    device->counters.requests++;
    virtio_blk_part_publish(device, request, head);
    return NX_OK;
}

void virtio_blk_kick(struct virtio_blk *device)
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
    device->request_count--;
    request->status = status;
    request->next = NULL;
    if (device->completed_last == NULL) {
        device->completed_first = request;
    } else {
        device->completed_last->next = request;
    }
    device->completed_last = request;
}
