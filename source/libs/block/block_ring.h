// SPDX-License-Identifier: Apache-2.0
// The page that a client and virtioblkd share for queued reads: two rings and their indices.
//
//     client                        shared page                         virtioblkd
//     put, publish   -->  entries[], submit_index          -->  pending, take
//     doorbell due?  <--  submit_event                     <--  sleep
//     take           <--  completions[], completion_index  <--  complete, publish
//     arm            -->  completion_event                 -->  notice due?
//
// Indices run freely over 32 bits and are reduced modulo the depth at use only, so full and empty
// cannot be confused. Each field has one writer. A client has at most BLOCK_RING_DEPTH reads
// between put and take; that bounds both rings, and no index of the reader is needed.
//
// Neither side trusts the page. Each keeps what it believes in private memory (block_ring_server,
// and the client's own indices), loads a shared field once, and checks the copy. A client that
// breaks the rules loses its own answers, no more: the service writes nothing but completions[],
// completion_index and submit_event, and what it reads selects only among what it has checked.
//
// No wake-up is lost. "I have put something" and "wake me when there is something" are a store and
// a load on each side with a full fence between them, so at least one side sees the other:
//
//     publish: store submit_index;     FENCE; load submit_event
//     sleep:   store submit_event;     FENCE; load submit_index
//     answer:  store completion_index; FENCE; load completion_event
//     arm:     store completion_event; FENCE; load completion_index
//
// An event field holds the index whose passing is to be told: with event == index the next element
// is. One that lies elsewhere asks for nothing, and so an index that passes it is told exactly
// once. (An index can come round to an old event after 2^32 elements: a notice too many does no
// harm.)
//
// The page is 8-byte aligned and zero at the start. Both sides run on the same machine.
#ifndef BLOCK_BLOCK_RING_H
#define BLOCK_BLOCK_RING_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BLOCK_RING_DEPTH 64u // a power of two
#define BLOCK_RING_MASK  (BLOCK_RING_DEPTH - 1u)
#define BLOCK_RING_BYTES 4096u

// A read. Any value may come from a client.
struct block_ring_entry {
    uint64_t lba;    // 512-byte sectors
    uint64_t offset; // bytes into the memory object
    uint32_t count;  // sectors
    uint16_t slot;   // of the memory object, as attached
    uint16_t tag;    // the client's; comes back with the answer
};

struct block_ring {
    // The client writes.
    _Atomic uint32_t submit_index;
    _Atomic uint32_t completion_event;
    uint64_t apart1[7]; // another cache line for the other writer
    // The service writes.
    _Atomic uint32_t completion_index;
    _Atomic uint32_t submit_event;
    uint64_t apart2[7];
    struct block_ring_entry entries[BLOCK_RING_DEPTH]; // the client writes
    _Atomic uint32_t completions[BLOCK_RING_DEPTH];    // the service writes: tag, status << 16
};
_Static_assert(sizeof(struct block_ring_entry) == 24, "three words without holes");
_Static_assert(sizeof(struct block_ring) <= BLOCK_RING_BYTES, "the rings fit their page");
_Static_assert((BLOCK_RING_DEPTH & BLOCK_RING_MASK) == 0, "indices wrap with the ring");

// Whether the move of an index from `before` to `after` passes `event`.
static inline bool block_ring_passes(uint32_t event, uint32_t before, uint32_t after)
{
    return (uint32_t)(event - before) < (uint32_t)(after - before);
}

// ---- The client's side --------------------------------------------------------------------------

// Writes the entry at `index`, which the service does not see yet.
static inline void block_ring_put(struct block_ring *ring, uint32_t index,
                                  const struct block_ring_entry *entry)
{
    ring->entries[index & BLOCK_RING_MASK] = *entry;
}

// Shows the entries [before, after) to the service. True: ring its doorbell.
static inline bool block_ring_publish(struct block_ring *ring, uint32_t before, uint32_t after)
{
    // Release: the entries are visible before the index that covers them.
    atomic_store_explicit(&ring->submit_index, after, memory_order_release);
    // Full fence: pairs with the one in block_ring_sleep.
    atomic_thread_fence(memory_order_seq_cst);
    uint32_t event = atomic_load_explicit(&ring->submit_event, memory_order_relaxed);
    return block_ring_passes(event, before, after);
}

// Answers from `index` on that are there. More than the depth: the service is out of its mind.
static inline uint32_t block_ring_answers(const struct block_ring *ring, uint32_t index)
{
    // Acquire: pairs with the release in block_ring_publish_answers; the sectors are visible too.
    return atomic_load_explicit(&ring->completion_index, memory_order_acquire) - index;
}

// The answer at `index`, one that is there.
static inline void block_ring_answer(const struct block_ring *ring, uint32_t index, uint16_t *tag,
                                     uint16_t *status)
{
    uint32_t word =
        atomic_load_explicit(&ring->completions[index & BLOCK_RING_MASK], memory_order_relaxed);
    *tag = (uint16_t)word;
    *status = (uint16_t)(word >> 16);
}

// Asks for a notice at the `wanted`th answer (at least 1) from `index` on. True: it is there
// already, and no notice may come.
static inline bool block_ring_arm(struct block_ring *ring, uint32_t index, uint32_t wanted)
{
    atomic_store_explicit(&ring->completion_event, index + wanted - 1, memory_order_relaxed);
    // Full fence: pairs with the one in block_ring_publish_answers.
    atomic_thread_fence(memory_order_seq_cst);
    return block_ring_answers(ring, index) >= wanted;
}

// ---- The service's side -------------------------------------------------------------------------

struct block_ring_server {
    struct block_ring *ring;
    uint32_t submit_index;     // entries taken
    uint32_t completion_index; // answers written
    uint32_t published_index;  // of these, answers that the client may see
};

// Entries that are there to be taken; what they say is the client's.
static inline uint32_t block_ring_pending(const struct block_ring_server *server)
{
    // Acquire: pairs with the release in block_ring_publish.
    return atomic_load_explicit(&server->ring->submit_index, memory_order_acquire) -
           server->submit_index;
}

// Whether the client has more under way than the depth: entries to be taken, and those taken whose
// answers it has not seen. So a client that puts in new ones while others are refused is found out,
// before it keeps the service busy for ever.
static inline bool block_ring_is_overrun(const struct block_ring_server *server, uint32_t pending)
{
    uint32_t unseen = server->submit_index - server->published_index;
    return pending > BLOCK_RING_DEPTH || pending + unseen > BLOCK_RING_DEPTH;
}

// Copies the next entry, one that is there. What the client writes there from now on is not seen.
static inline void block_ring_take(struct block_ring_server *server, struct block_ring_entry *entry)
{
    const volatile struct block_ring_entry *place =
        &server->ring->entries[server->submit_index & BLOCK_RING_MASK];
    entry->lba = place->lba;
    entry->offset = place->offset;
    entry->count = place->count;
    entry->slot = place->slot;
    entry->tag = place->tag;
    server->submit_index++;
}

// Asks to be told of the next entry. True: there is one already, and no doorbell may ring for it.
static inline bool block_ring_sleep(const struct block_ring_server *server)
{
    atomic_store_explicit(&server->ring->submit_event, server->submit_index, memory_order_relaxed);
    // Full fence: pairs with the one in block_ring_publish.
    atomic_thread_fence(memory_order_seq_cst);
    return block_ring_pending(server) != 0;
}

// Writes an answer, which the client does not see yet.
static inline void block_ring_complete(struct block_ring_server *server, uint16_t tag,
                                       uint16_t status)
{
    atomic_store_explicit(&server->ring->completions[server->completion_index & BLOCK_RING_MASK],
                          tag | (uint32_t)status << 16, memory_order_relaxed);
    server->completion_index++;
}

// Shows all answers to the client. True: it asked to be told.
static inline bool block_ring_publish_answers(struct block_ring_server *server)
{
    uint32_t before = server->published_index;
    server->published_index = server->completion_index;
    // Release: answers, and sectors that the device wrote, are visible before the index.
    atomic_store_explicit(&server->ring->completion_index, server->completion_index,
                          memory_order_release);
    // Full fence: pairs with the one in block_ring_arm.
    atomic_thread_fence(memory_order_seq_cst);
    uint32_t event = atomic_load_explicit(&server->ring->completion_event, memory_order_relaxed);
    return block_ring_passes(event, before, server->completion_index);
}

// How many further answers the client waits for before it wants a notice; 0: it waits for none.
static inline uint32_t block_ring_wanted(const struct block_ring_server *server)
{
    uint32_t event = atomic_load_explicit(&server->ring->completion_event, memory_order_relaxed);
    uint32_t ahead = event - server->completion_index;
    return ahead < BLOCK_RING_DEPTH ? ahead + 1 : 0;
}

#endif
