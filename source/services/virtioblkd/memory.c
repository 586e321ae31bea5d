// SPDX-License-Identifier: Apache-2.0
// Memory objects as the device sees them: physical segments, and a cache of them for sessions.
#include "virtioblkd.h"

enum nx_status memory_segments(nx_handle machine, nx_handle memory, uint64_t offset,
                               uint64_t length, struct virtio_blk_segment *segments,
                               uint32_t capacity, uint32_t *count)
{
    uint64_t extent_count;
    enum nx_status status = nx_memory_physical(machine, memory, offset, length, &extent_count);
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

struct virtio_blk_segment memory_piece(nx_handle machine, nx_handle memory)
{
    struct virtio_blk_segment piece = {0};
    struct nx_memory_facts facts;
    uint32_t count;
    if (nx_memory_info(memory, &facts) != NX_OK || (facts.flags & NX_MEMORY_CONTIGUOUS) == 0 ||
        facts.size > UINT32_MAX ||
        memory_segments(machine, memory, 0, facts.size, &piece, 1, &count) != NX_OK) {
        return (struct virtio_blk_segment){0};
    }
    return piece;
}

// ---- Attached memory ----------------------------------------------------------------------------

// A page's name in its session's cache, never 0.
static uint32_t frame_key(uint32_t slot, uint64_t page)
{
    static_assert(NX_MEMORY_SIZE_MAX / NX_PAGE_SIZE <= 1u << 20, "a page's number has 20 bits");
    return (slot + 1) << 20 | (uint32_t)page;
}

// Memories are spread, so that the first pages of two of them do not meet.
static uint32_t frame_line(uint32_t key)
{
    return (key ^ key >> 20 << 5) % SESSION_FRAMES;
}

// Asks the kernel for a range of whole pages and remembers them.
static enum nx_status frames_fetch(struct session *session, uint32_t slot, uint64_t page,
                                   uint64_t end)
{
    struct virtio_blk_segment segments[VIRTIO_BLK_MAX_SEGMENTS];
    uint32_t count;
    enum nx_status status =
        memory_segments(session->service->machine, session->memories[slot], page * NX_PAGE_SIZE,
                        (end - page) * NX_PAGE_SIZE, segments, VIRTIO_BLK_MAX_SEGMENTS, &count);
    if (status != NX_OK) {
        return status;
    }
    for (uint32_t i = 0; i < count; i++) {
        for (uint32_t offset = 0; offset < segments[i].length; offset += NX_PAGE_SIZE) {
            uint32_t key = frame_key(slot, page++);
            session->frame_keys[frame_line(key)] = key;
            session->frames[frame_line(key)] = segments[i].bus_address + offset;
        }
    }
    return NX_OK;
}

enum nx_status session_segments(struct session *session, uint32_t slot, uint64_t offset,
                                uint64_t length, struct virtio_blk_segment *segments,
                                uint32_t capacity, uint32_t *count)
{
    uint64_t end = offset + length;
    uint32_t used = 0;

    if (end > NX_MEMORY_SIZE_MAX) {
        return NX_ERR_OUT_OF_RANGE;
    }
    const struct virtio_blk_segment *whole = &session->pieces[slot];
    if (end <= whole->length) {
        segments[0] = (struct virtio_blk_segment){whole->bus_address + offset, (uint32_t)length};
        *count = 1;
        return NX_OK;
    }
    while (offset < end) {
        uint64_t in_page = offset % NX_PAGE_SIZE;
        uint64_t piece =
            NX_PAGE_SIZE - in_page < end - offset ? NX_PAGE_SIZE - in_page : end - offset;
        uint32_t key = frame_key(slot, offset / NX_PAGE_SIZE);
        uint32_t line = frame_line(key);
        if (session->frame_keys[line] != key) {
            enum nx_status status = frames_fetch(session, slot, offset / NX_PAGE_SIZE,
                                                 (end + NX_PAGE_SIZE - 1) / NX_PAGE_SIZE);
            if (status != NX_OK) {
                return status;
            }
        }
        uint64_t address = session->frames[line] + in_page;
        if (used > 0 && segments[used - 1].bus_address + segments[used - 1].length == address) {
            segments[used - 1].length += (uint32_t)piece;
        } else if (used < capacity) {
            segments[used++] = (struct virtio_blk_segment){address, (uint32_t)piece};
        } else {
            return NX_ERR_TOO_LARGE;
        }
        offset += piece;
    }
    *count = used;
    return NX_OK;
}

void session_segments_forget(struct session *session, uint32_t slot)
{
    for (uint32_t line = 0; line < SESSION_FRAMES; line++) {
        if (session->frame_keys[line] >> 20 == slot + 1) {
            session->frame_keys[line] = 0;
        }
    }
}
