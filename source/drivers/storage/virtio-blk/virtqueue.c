// SPDX-License-Identifier: Apache-2.0
// One split virtqueue, driver side: virtio 1.2 section 2.7. See virtqueue.h for the life cycle.
//
// Ordering, each with its partner on the device side:
//   publish: release store of avail.idx     with the device's acquire load of it (2.7.13.3.1)
//   take:    acquire load of used.idx       with the device's release store of it (2.7.14)
//   kick:    store avail.idx; FENCE; load avail_event   with   store avail_event; FENCE; load
//   avail.idx rearm:   store used_event; FENCE; load used.idx     with   store used.idx; FENCE;
//   load used_event
// The last two are store-then-load on both sides: without a full fence on each, both can read the
// old value and a notification is lost for good.
#include "virtqueue.h"

#include <stdatomic.h>
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

void virtqueue_release(struct virtqueue *queue, uint16_t head)
{
    uint16_t count = queue->chain_length[head];
    uint16_t last = head;
    for (uint16_t passed = 1; passed < count; passed++) {
        last = queue->next[last];
    }
    queue->next[last] = queue->free_head;
    queue->free_head = head;
    queue->free_count = (uint16_t)(queue->free_count + count);
    queue->chain_length[head] = 0;
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

void virtqueue_publish(struct virtqueue *queue, uint16_t head)
{
    queue->published[head] = true;
    queue->in_flight++;
    queue->available->ring[queue->avail_index & (queue->size - 1u)] = head;
    queue->avail_index++;
    // Release: descriptors, header and ring slot are visible before the index that covers them.
    atomic_store_explicit(&queue->available->idx, queue->avail_index, memory_order_release);
}

bool virtqueue_kick_due(struct virtqueue *queue)
{
    uint16_t fresh = (uint16_t)(queue->avail_index - queue->kicked_index);
    uint16_t kicked = queue->kicked_index;
    if (fresh == 0) {
        return false;
    }
    queue->kicked_index = queue->avail_index;
    // Full fence: pairs with the device's fence between writing avail_event (or used.flags) and
    // its last look at avail.idx.
    atomic_thread_fence(memory_order_seq_cst);
    if (!queue->event_index) {
        uint16_t flags = atomic_load_explicit(&queue->used->flags, memory_order_relaxed);
        return (flags & VIRTQ_USED_F_NO_NOTIFY) == 0;
    }
    // Section 2.7.10: due when avail_event lies in [kicked, avail_index), all modulo 2^16.
    uint16_t event = atomic_load_explicit(queue->avail_event, memory_order_relaxed);
    return (uint16_t)(event - kicked) < fresh;
}

enum virtqueue_result virtqueue_take(struct virtqueue *queue,
                                     struct virtqueue_completion *completion)
{
    // Acquire: the element, the status byte and the data are read after the index that covers
    // them. Pairs with the device's release store of used.idx.
    uint16_t device_index = atomic_load_explicit(&queue->used->idx, memory_order_acquire);
    uint16_t pending = (uint16_t)(device_index - queue->used_index);
    if (pending == 0) {
        return VIRTQUEUE_EMPTY;
    }
    if (pending > queue->in_flight) {
        return VIRTQUEUE_INDEX_JUMP;
    }
    struct virtq_used_elem *element = &queue->used->ring[queue->used_index & (queue->size - 1u)];
    // Copy, then validate: one load each, so the device cannot change a value after its check.
    uint32_t id = atomic_load_explicit(&element->id, memory_order_relaxed);
    uint32_t length = atomic_load_explicit(&element->len, memory_order_relaxed);
    if (id >= queue->size) {
        return VIRTQUEUE_ID_RANGE;
    }
    if (!queue->published[id]) {
        return VIRTQUEUE_NOT_IN_FLIGHT;
    }
    queue->published[id] = false;
    queue->in_flight--;
    queue->used_index++;
    *completion = (struct virtqueue_completion){.head = (uint16_t)id, .length = length};
    return VIRTQUEUE_TAKEN;
}

bool virtqueue_rearm(struct virtqueue *queue)
{
    if (queue->event_index) {
        atomic_store_explicit(queue->used_event, queue->used_index, memory_order_relaxed);
        // Full fence: pairs with the device's fence between writing used.idx and reading
        // used_event.
        atomic_thread_fence(memory_order_seq_cst);
    }
    return atomic_load_explicit(&queue->used->idx, memory_order_acquire) != queue->used_index;
}
