// SPDX-License-Identifier: Apache-2.0
// One split virtqueue, driver side: virtio 1.2 section 2.7.
//
// Owns the descriptor table and the two rings, and what the driver believes about them. The rings
// are shared with a device that may lie: the driver's own view (free list, chains in flight,
// indices) lives in private memory and nothing is ever read back from what the device can write
// except used.idx, used.ring[], used.flags and avail_event, each loaded once and checked.
//
// What each request passes through is inline here; the rest is in virtqueue.c. Ordering, each with
// its partner on the device side:
//   publish: release store of avail.idx     with the device's acquire load of it (2.7.13.3.1)
//   take:    acquire load of used.idx       with the device's release store of it (2.7.14)
//   kick:    store avail.idx; FENCE; load avail_event
//            with store avail_event; FENCE; load avail.idx
//   rearm:   store used_event; FENCE; load used.idx
//            with store used.idx; FENCE; load used_event
// The last two are store-then-load on both sides: without a full fence on each, both can read the
// old value and a notification is lost for good.
//
// No locks: one owner calls. Life cycle of a chain:
//
//   virtqueue_reserve -> virtqueue_write (each descriptor) -> virtqueue_publish ->
//   virtqueue_kick_due
//        ^                                                          |
//   virtqueue_release <----------- virtqueue_take <-----------------+   (or publish the chain
//   again)
#ifndef VIRTIO_BLK_VIRTQUEUE_H
#define VIRTIO_BLK_VIRTQUEUE_H

#include "nexus/status.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Version 2 rings are little-endian, legacy rings are in the guest's byte order (section 2.7.3):
// with a little-endian driver both are the same bytes and no conversion is needed.
static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the rings are written without swapping");

#define VIRTQUEUE_MAX_SIZE 128u  // the largest queue this driver uses; a power of two
#define VIRTQUEUE_ALIGN    4096u // of the used ring: what the legacy QueueAlign register is told

#define VIRTQ_DESC_F_NEXT          1u
#define VIRTQ_DESC_F_WRITE         2u
#define VIRTQ_DESC_F_INDIRECT      4u
#define VIRTQ_USED_F_NO_NOTIFY     1u
#define VIRTQ_AVAIL_F_NO_INTERRUPT 1u

struct virtq_desc {
    uint64_t addr; // bus address
    uint32_t len;
    uint16_t flags;
    uint16_t next;
};

typedef uint64_t __attribute__((may_alias)) virtq_desc_word;

// Writes a descriptor as the two words that it is: what is constant costs nothing.
static inline void virtq_desc_write(struct virtq_desc *descriptor, uint64_t address,
                                    uint32_t length, uint16_t flags, uint16_t next)
{
    virtq_desc_word *words = (virtq_desc_word *)(void *)descriptor;
    words[0] = address;
    words[1] = length | (uint64_t)flags << 32 | (uint64_t)next << 48;
}

struct virtq_avail {
    uint16_t flags;
    _Atomic uint16_t idx;
    uint16_t ring[]; // [size], then used_event
};

struct virtq_used_elem {
    _Atomic uint32_t id;  // head of the chain; 32 bits wide and any value may come
    _Atomic uint32_t len; // bytes the device says it wrote
};

struct virtq_used {
    _Atomic uint16_t flags;
    _Atomic uint16_t idx;
    struct virtq_used_elem ring[]; // [size], then avail_event
};

static_assert(sizeof(struct virtq_desc) == 16, "section 2.7.5");
static_assert(sizeof(struct virtq_used_elem) == 8, "section 2.7.8");
static_assert(offsetof(struct virtq_avail, ring) == 4, "section 2.7.6");
static_assert(offsetof(struct virtq_used, ring) == 4, "section 2.7.8");

// Where the parts of a queue lie, in bytes from its start. The legacy transport has no other way
// to learn this than to compute it too (section 2.7.2), so there is exactly one function for it.
struct virtqueue_layout {
    size_t descriptors;
    size_t available;
    size_t used;
    size_t length; // of the whole
};

// Bytes that hold a queue of any size up to VIRTQUEUE_MAX_SIZE: descriptors and available ring in
// the first page, the used ring in the second. virtqueue.c asserts it.
#define VIRTQUEUE_MAX_BYTES (2u * VIRTQUEUE_ALIGN)

struct virtqueue {
    // Constant after virtqueue_init.
    struct virtq_desc *descriptors;
    struct virtq_avail *available;
    struct virtq_used *used;
    _Atomic uint16_t *used_event;  // we write: interrupt when used.idx passes this (armed_index)
    _Atomic uint16_t *avail_event; // the device writes: kick when avail.idx passes this
    uint16_t size;                 // a power of two
    bool event_index;              // VIRTIO_F_EVENT_IDX was negotiated

    // Owner only. All indices run freely over 16 bits and are reduced modulo size at use only.
    uint16_t avail_index;  // next avail.idx to publish
    uint16_t kicked_index; // avail_index when the device was last told (or need not be)
    uint16_t used_index;   // next used element to take
    uint16_t armed_index;  // used_event as last written
    uint16_t in_flight;    // chains published and not taken
    uint16_t free_head;    // valid while free_count > 0
    uint16_t free_count;
    uint16_t next[VIRTQUEUE_MAX_SIZE];         // successor in a chain or in the free list
    uint16_t chain_length[VIRTQUEUE_MAX_SIZE]; // descriptors of the chain headed here, or 0
    bool published[VIRTQUEUE_MAX_SIZE];        // a chain headed here is the device's
};

struct virtqueue_completion {
    uint16_t head;   // of a chain that was in flight
    uint32_t length; // as the device said it; not checked against what was posted
};

enum virtqueue_result {
    VIRTQUEUE_TAKEN,
    VIRTQUEUE_EMPTY,
    // The device broke the protocol; the queue is unchanged and of no further use until a reset.
    VIRTQUEUE_INDEX_JUMP,    // used.idx is further ahead than chains are in flight
    VIRTQUEUE_ID_RANGE,      // used.id is not a descriptor index
    VIRTQUEUE_NOT_IN_FLIGHT, // used.id is not the head of a chain in flight
};

struct virtqueue_layout virtqueue_layout(uint16_t size);

// Clears `memory` and makes an empty queue in it. `size` is a power of two up to
// VIRTQUEUE_MAX_SIZE; `memory` holds virtqueue_layout(size).length bytes aligned to
// VIRTQUEUE_ALIGN, and no device looks at it yet.
void virtqueue_init(struct virtqueue *queue, uint16_t size, void *memory, bool event_index);

// Takes a chain of `count` descriptors (1..size) off the free list: its head in *head.
// NX_ERR_BUSY: not that many are free.
NX_MUST_CHECK enum nx_status virtqueue_reserve(struct virtqueue *queue, uint16_t count,
                                               uint16_t *head);

// The same for a chain of one.
NX_MUST_CHECK static inline enum nx_status virtqueue_reserve_one(struct virtqueue *queue,
                                                                 uint16_t *head)
{
    if (queue->free_count == 0) {
        return NX_ERR_BUSY;
    }
    uint16_t first = queue->free_head;
    queue->free_head = queue->next[first];
    queue->free_count--;
    queue->chain_length[first] = 1;
    *head = first;
    return NX_OK;
}

// Puts a reserved chain, not published, back on the free list.
static inline void virtqueue_release(struct virtqueue *queue, uint16_t head)
{
    uint16_t count = queue->chain_length[head];
    uint16_t last = head;
    for (uint16_t left = count; left > 1; left--) {
        last = queue->next[last];
    }
    queue->next[last] = queue->free_head;
    queue->free_head = head;
    queue->free_count = (uint16_t)(queue->free_count + count);
    queue->chain_length[head] = 0;
}

// Fills one descriptor of a reserved chain and returns the index of its successor in the chain.
uint16_t virtqueue_write(struct virtqueue *queue, uint16_t index, uint64_t address, uint32_t length,
                         uint16_t flags);

// Hands a filled chain to the device. The device may not look until it is kicked.
static inline void virtqueue_publish(struct virtqueue *queue, uint16_t head)
{
    queue->published[head] = true;
    queue->in_flight++;
    queue->available->ring[queue->avail_index & (queue->size - 1u)] = head;
    queue->avail_index++;
    // Release: descriptors, header and ring slot are visible before the index that covers them.
    atomic_store_explicit(&queue->available->idx, queue->avail_index, memory_order_release);
}

// True when the device asked to be told of what was published since the last call.
// The caller then orders memory before MMIO and writes QueueNotify.
static inline bool virtqueue_kick_due(struct virtqueue *queue)
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

// Takes the next used element. VIRTQUEUE_TAKEN: *completion is valid, the chain is still reserved.
static inline enum virtqueue_result virtqueue_take(struct virtqueue *queue,
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

// Asks for an interrupt when `after` further elements are used (1: at the next; at most as many as
// chains are in flight, or none may come), then looks again: true when elements arrived that may
// never cause one, so that the caller must take them. Without VIRTIO_F_EVENT_IDX every element
// interrupts.
static inline bool virtqueue_rearm(struct virtqueue *queue, uint16_t after)
{
    if (queue->event_index) {
        queue->armed_index = (uint16_t)(queue->used_index + after - 1u);
        atomic_store_explicit(queue->used_event, queue->armed_index, memory_order_relaxed);
        // Full fence: pairs with the device's fence between writing used.idx and reading
        // used_event.
        atomic_thread_fence(memory_order_seq_cst);
    }
    return atomic_load_explicit(&queue->used->idx, memory_order_acquire) != queue->used_index;
}

#endif
