// SPDX-License-Identifier: Apache-2.0
// One split virtqueue, driver side: virtio 1.2 section 2.7. See virtqueue.h for the life cycle.
#include "virtqueue.h"

#include <string.h>

static_assert(sizeof(_Atomic uint16_t) == 2 && sizeof(_Atomic uint32_t) == 4,
              "an atomic ring field has the size of the field");
static_assert((VIRTQUEUE_MAX_SIZE & (VIRTQUEUE_MAX_SIZE - 1)) == 0, "sizes are powers of two");
static_assert(sizeof(struct virtq_desc) * VIRTQUEUE_MAX_SIZE + 6 + 2 * VIRTQUEUE_MAX_SIZE <=
                  VIRTQUEUE_ALIGN,
              "descriptors and available ring share the first page");
static_assert(6 + sizeof(struct virtq_used_elem) * VIRTQUEUE_MAX_SIZE <= VIRTQUEUE_ALIGN,
              "the used ring fits the second page");

struct virtqueue_layout virtqueue_layout(uint16_t size)
{
    struct virtqueue_layout layout = {.descriptors = 0};
    layout.available = sizeof(struct virtq_desc) * size;
    // The rings carry flags, idx and one event field beside their elements, with or without
    // VIRTIO_F_EVENT_IDX (section 2.7.2).
    size_t available_end = layout.available + 3 * sizeof(uint16_t) + sizeof(uint16_t) * size;
    layout.used = (available_end + VIRTQUEUE_ALIGN - 1) & ~(size_t)(VIRTQUEUE_ALIGN - 1);
    layout.length = layout.used + 3 * sizeof(uint16_t) + sizeof(struct virtq_used_elem) * size;
    return layout;
}

void virtqueue_init(struct virtqueue *queue, uint16_t size, void *memory, bool event_index)
{
    struct virtqueue_layout layout = virtqueue_layout(size);
    unsigned char *base = memory;

    memset(memory, 0, layout.length);
    memset(queue, 0, sizeof(*queue));
    queue->descriptors = (struct virtq_desc *)(void *)(base + layout.descriptors);
    queue->available = (struct virtq_avail *)(void *)(base + layout.available);
    queue->used = (struct virtq_used *)(void *)(base + layout.used);
    queue->used_event = (_Atomic uint16_t *)(void *)&queue->available->ring[size];
    queue->avail_event = (_Atomic uint16_t *)(void *)&queue->used->ring[size];
    queue->size = size;
    queue->event_index = event_index;
    queue->free_count = size;
    for (uint16_t index = 0; index < size; index++) {
        queue->next[index] = (uint16_t)(index + 1);
    }
}

enum nx_status virtqueue_reserve(struct virtqueue *queue, uint16_t count, uint16_t *head)
{
    if (count > queue->free_count) {
        return NX_ERR_BUSY;
    }
    uint16_t first = queue->free_head;
    uint16_t last = first;
    for (uint16_t taken = 1; taken < count; taken++) {
        last = queue->next[last];
    }
    queue->free_head = queue->next[last];
    queue->free_count = (uint16_t)(queue->free_count - count);
    queue->chain_length[first] = count;
    *head = first;
    return NX_OK;
}

uint16_t virtqueue_write(struct virtqueue *queue, uint16_t index, uint64_t address, uint32_t length,
                         uint16_t flags)
{
    uint16_t next = queue->next[index];
    queue->descriptors[index] = (struct virtq_desc){
        .addr = address,
        .len = length,
        .flags = flags,
        // Without the flag the field has no meaning: 0 rather than the free list's private link.
        .next = (flags & VIRTQ_DESC_F_NEXT) != 0 ? next : 0,
    };
    return next;
}
