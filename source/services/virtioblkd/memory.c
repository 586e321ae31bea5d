// SPDX-License-Identifier: Apache-2.0
// Memory objects as the device sees them: physical segments.
#include "virtioblkd.h"

// The kernel's question for physical addresses commits what is not committed, in one go with
// interrupts off. A longer range is committed before, by the call that can pause.
#define COMMIT_BYTES (8 * NX_PAGE_SIZE)

static enum nx_status range_commit(nx_handle memory, uint64_t offset, uint64_t length)
{
    uint64_t first = offset & ~(NX_PAGE_SIZE - 1);
    uint64_t end = (offset + length + NX_PAGE_SIZE - 1) & ~(NX_PAGE_SIZE - 1);
    return nx_memory_commit(memory, first, end - first);
}

enum nx_status memory_segments(nx_handle machine, nx_handle memory, uint64_t offset,
                               uint64_t length, struct virtio_blk_segment *segments,
                               uint32_t capacity, uint32_t *count)
{
    uint64_t extent_count;
    enum nx_status status = NX_OK;

    if (length > COMMIT_BYTES) {
        status = range_commit(memory, offset, length);
    }
    if (status == NX_OK) {
        status = nx_memory_physical(machine, memory, offset, length, &extent_count);
    }
    if (status != NX_OK) {
        return status;
    }
    if (extent_count > capacity) {
        return NX_ERR_TOO_LARGE;
    }
    const struct nx_extent *extents = (const struct nx_extent *)(const void *)nx_page()->data;
    for (uint64_t i = 0; i < extent_count; i++) {
        // An extent is no longer than the range, which fits.
        segments[i] = (struct virtio_blk_segment){extents[i].address, (uint32_t)extents[i].length};
    }
    *count = (uint32_t)extent_count;
    return NX_OK;
}
