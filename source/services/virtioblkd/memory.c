// SPDX-License-Identifier: Apache-2.0
// Memory objects as the device sees them: physical segments.
#include "virtioblkd.h"

// Appends one run, merged with the one before when they touch.
static enum nx_status segment_add(struct virtio_blk_segment *segments, uint32_t capacity,
                                  uint32_t *count, uint64_t address, uint64_t length)
{
    if (*count > 0) {
        struct virtio_blk_segment *last = &segments[*count - 1];
        if (last->bus_address + last->length == address) {
            last->length += (uint32_t)length;
            return NX_OK;
        }
    }
    if (*count == capacity) {
        return NX_ERR_TOO_LARGE;
    }
    segments[(*count)++] = (struct virtio_blk_segment){address, (uint32_t)length};
    return NX_OK;
}

enum nx_status memory_segments(nx_handle machine, nx_handle memory, uint64_t offset,
                               uint64_t length, struct virtio_blk_segment *segments,
                               uint32_t capacity, uint32_t *count)
{
    // The kernel thinks in pages; the range may start and end inside one.
    uint64_t skip = offset % NX_PAGE_SIZE;
    uint64_t first_page = offset - skip;
    uint64_t span = (skip + length + NX_PAGE_SIZE - 1) & ~(NX_PAGE_SIZE - 1);
    uint64_t extent_count;

    *count = 0;
    enum nx_status status = nx_memory_commit(memory, first_page, span);
    if (status == NX_OK) {
        status = nx_memory_physical(machine, memory, first_page, span, &extent_count);
    }
    if (status != NX_OK) {
        return status;
    }
    const struct nx_extent *extents = (const struct nx_extent *)(const void *)nx_page()->data;
    for (uint64_t i = 0; i < extent_count && length > 0; i++) {
        uint64_t part = extents[i].length - skip;
        if (part > length) {
            part = length;
        }
        status = segment_add(segments, capacity, count, extents[i].address + skip, part);
        if (status != NX_OK) {
            return status;
        }
        length -= part;
        skip = 0;
    }
    return length == 0 ? NX_OK : NX_ERR_OUT_OF_RANGE;
}
