// SPDX-License-Identifier: Apache-2.0
// Requests that go to the device in parts, or along a chain in the queue itself: whatever does not
// fit one indirect table within the device's limits. The contract is in virtio_blk.h.
//
// The parts go one after the other through one chain, which was reserved with the length of the
// longest, so a part that follows always has its descriptors.
#include "virtio_blk_private.h"

// A place in a request's scatter list.
struct cursor {
    uint32_t segment;
    uint32_t offset; // bytes into the segment
};

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
    uint64_t slot_address = virtio_blk_slot_address(device, head);
    struct chain chain = {.device = device, .table = NULL, .index = head};
    struct cursor cursor = {request->segment_index, request->segment_offset};
    uint16_t descriptors;
    uint32_t left = part_measure(device, request, cursor, &descriptors);

    if (virtio_blk_is_indirect(device)) {
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

enum nx_status virtio_blk_submit_parts(struct virtio_blk *device,
                                       struct virtio_blk_request *request, uint64_t now_ns)
{
    uint16_t descriptors;
    uint16_t head;
    enum nx_status status = segments_check(request);
    if (status != NX_OK) {
        return status;
    }
    if (!parts_measure(device, request, &descriptors)) {
        return NX_ERR_TOO_LARGE;
    }
    uint16_t needed = virtio_blk_is_indirect(device) ? 1 : (uint16_t)(descriptors + 2);
    status = virtqueue_reserve(&device->queue, needed, &head);
    if (status != NX_OK) {
        return status;
    }
    virtio_blk_request_accept(device, request, head, now_ns);
    request->bytes_done = 0;
    request->segment_index = 0;
    request->segment_offset = 0;
    virtio_blk_part_publish(device, request, head);
    return NX_OK;
}
