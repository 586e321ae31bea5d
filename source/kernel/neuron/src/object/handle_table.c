// SPDX-License-Identifier: Apache-2.0
// A process's handles: from a number to an object, its rights and its badge.
#include "object/handle_table.h"

#include "arch/arch.h"
#include "arch_inline.h"
#include "core/lock_inline.h"
#include "core/panic.h"
#include "ipc/endpoint.h"
#include "mm/frame.h"
#include "object/process.h"

#define HANDLE_INDEX_MASK  ((1u << HANDLE_INDEX_BITS) - 1)
#define HANDLE_GENERATIONS (1u << (32 - HANDLE_INDEX_BITS))

static uint64_t tag_make(uint64_t generation, enum nx_object_type type, uint32_t rights)
{
    return generation << HANDLE_TAG_GENERATION_SHIFT | (uint64_t)rights << HANDLE_TAG_RIGHTS_SHIFT |
           (uint64_t)type;
}

static uint64_t tag_generation(uint64_t tag)
{
    return tag >> HANDLE_TAG_GENERATION_SHIFT;
}

static enum nx_object_type tag_type(uint64_t tag)
{
    return (enum nx_object_type)(tag & HANDLE_TAG_TYPE_MASK);
}

static uint32_t tag_rights(uint64_t tag)
{
    return (uint32_t)(tag >> HANDLE_TAG_RIGHTS_SHIFT & HANDLE_TAG_RIGHTS_MASK);
}

void handle_table_init(struct handle_table *table)
{
    lock_init(&table->lock, LOCK_RANK_HANDLE_TABLE);
}

static struct handle_slot *slot_at(const struct handle_table *table, uint32_t index)
{
    // Acquire: pairs with the release in table_grow, so that the chunk's contents are there.
    struct handle_slot *chunk =
        atomic_load_explicit(&table->chunks[index / HANDLE_CHUNK_SLOTS], memory_order_acquire);
    return chunk == NULL ? NULL : &chunk[index % HANDLE_CHUNK_SLOTS];
}

enum nx_status handle_lookup_any(const struct handle_table *table, uint64_t handle,
                                 struct handle_value *value)
{
    if (handle > UINT32_MAX)
        return NX_ERR_BAD_HANDLE;
    struct handle_slot *slot = slot_at(table, (uint32_t)handle & HANDLE_INDEX_MASK);
    if (slot == NULL)
        return NX_ERR_BAD_HANDLE;
    // Acquire: the words that the tag describes are read after it. Pairs with slot_publish.
    uint64_t tag = atomic_load_explicit(&slot->tag, memory_order_acquire);
    if (tag_generation(tag) != handle >> HANDLE_INDEX_BITS || tag_type(tag) == NX_OBJECT_NONE)
        return NX_ERR_BAD_HANDLE;
    value->object = atomic_load_explicit(&slot->object, memory_order_relaxed);
    value->badge = atomic_load_explicit(&slot->badge, memory_order_relaxed);
    value->rights = tag_rights(tag);
    value->type = tag_type(tag);
    // The words are read before the tag is read again: a slot that changed meanwhile shows.
    atomic_thread_fence(memory_order_acquire);
    if (atomic_load_explicit(&slot->tag, memory_order_relaxed) != tag)
        return NX_ERR_BAD_HANDLE;
    return NX_OK;
}

enum nx_status handle_lookup_refusal(const struct handle_table *table, uint64_t handle,
                                     enum nx_object_type type, uint32_t rights)
{
    struct handle_value value;
    TRY(handle_lookup_any(table, handle, &value));
    if (value.type != type)
        return NX_ERR_WRONG_TYPE;
    // All there now: it changed between the two looks.
    return (value.rights & rights) != rights ? NX_ERR_ACCESS_DENIED : NX_ERR_BAD_HANDLE;
}

// Adds a chunk of slots that were never used. Caller holds the lock.
static enum nx_status table_grow(struct process *process)
{
    struct handle_table *table = &process->handles;
    if (table->chunk_count == HANDLE_CHUNKS)
        return NX_ERR_NO_MEMORY;
    TRY(process_charge(process, NX_PAGE_SIZE));
    paddr_t frame;
    enum nx_status status = frame_alloc(&frame);
    if (status != NX_OK) {
        process_uncharge(process, NX_PAGE_SIZE);
        return status;
    }
    // Zeroed: of no type, so no look-up finds anything there.
    struct handle_slot *chunk = arch_direct_map(frame);
    atomic_store_explicit(&table->chunks[table->chunk_count], chunk, memory_order_release);
    table->chunk_count++;
    return NX_OK;
}

// Takes a free slot: one that was used before, else the next that never was. Caller holds the lock.
static enum nx_status take_free(struct process *process, uint32_t *index)
{
    struct handle_table *table = &process->handles;
    if (table->first_free != 0) {
        *index = table->first_free - 1;
        table->first_free = slot_at(table, *index)->next_free;
        return NX_OK;
    }
    if (table->never_used == table->chunk_count * HANDLE_CHUNK_SLOTS)
        TRY(table_grow(process));
    *index = table->never_used++;
    // Generations start at 1, so that no valid handle is 0.
    atomic_store_explicit(&slot_at(table, *index)->tag, tag_make(1, NX_OBJECT_NONE, 0),
                          memory_order_relaxed);
    return NX_OK;
}

static void slot_publish(struct handle_slot *slot, const struct handle_value *value)
{
    uint64_t generation = tag_generation(atomic_load_explicit(&slot->tag, memory_order_relaxed));
    atomic_store_explicit(&slot->object, value->object, memory_order_relaxed);
    atomic_store_explicit(&slot->badge, value->badge, memory_order_relaxed);
    // Release: a lookup that sees this tag sees the two words above.
    atomic_store_explicit(&slot->tag, tag_make(generation, value->type, value->rights),
                          memory_order_release);
}

enum nx_status handle_install(struct process *process, const struct handle_value *value,
                              nx_handle *handle)
{
    struct handle_table *table = &process->handles;
    if (!object_try_acquire(value->object))
        return NX_ERR_BAD_HANDLE;
    lock_acquire_fast(&table->lock);
    enum nx_status status = table->closed ? NX_ERR_BAD_STATE : NX_OK;
    uint32_t index = 0;
    if (status == NX_OK)
        status = take_free(process, &index);
    if (status == NX_OK) {
        struct handle_slot *slot = slot_at(table, index);
        table->used++;
        slot_publish(slot, value);
        uint64_t generation =
            tag_generation(atomic_load_explicit(&slot->tag, memory_order_relaxed));
        *handle = (nx_handle)(generation << HANDLE_INDEX_BITS | index);
        if (value->type == NX_OBJECT_ENDPOINT && (value->rights & NX_RIGHT_RECEIVE) != 0)
            endpoint_receiver_added(value->object);
    }
    lock_release_fast(&table->lock);
    if (status != NX_OK)
        object_release(value->object);
    return status;
}

// Empties a used slot; its value goes to *value. Caller holds the lock.
static void slot_clear(struct handle_table *table, struct handle_slot *slot, uint32_t index,
                       struct handle_value *value)
{
    uint64_t tag = atomic_load_explicit(&slot->tag, memory_order_relaxed);
    value->object = atomic_load_explicit(&slot->object, memory_order_relaxed);
    value->badge = atomic_load_explicit(&slot->badge, memory_order_relaxed);
    value->rights = tag_rights(tag);
    value->type = tag_type(tag);
    uint64_t generation = (tag_generation(tag) + 1) % HANDLE_GENERATIONS;
    if (generation == 0)
        generation = 1;
    atomic_store_explicit(&slot->tag, tag_make(generation, NX_OBJECT_NONE, 0),
                          memory_order_relaxed);
    // A later slot_publish must not become visible before this invalid tag does.
    atomic_thread_fence(memory_order_release);
    slot->next_free = table->first_free;
    table->first_free = index + 1;
    table->used--;
}

// What closing a handle means for its object, beyond the reference. No lock is held.
static void value_dispose(const struct handle_value *value)
{
    if (value->type == NX_OBJECT_ENDPOINT && (value->rights & NX_RIGHT_RECEIVE) != 0)
        endpoint_receiver_removed(value->object);
    else if (value->type == NX_OBJECT_REPLY)
        reply_abandon(value->object, value->badge);
    object_release(value->object);
}

enum nx_status handle_close(struct process *process, uint64_t handle)
{
    struct handle_table *table = &process->handles;
    if (handle > UINT32_MAX)
        return NX_ERR_BAD_HANDLE;
    uint32_t index = (uint32_t)handle & HANDLE_INDEX_MASK;
    struct handle_slot *slot = slot_at(table, index);
    if (slot == NULL)
        return NX_ERR_BAD_HANDLE;
    struct handle_value value;
    lock_acquire_fast(&table->lock);
    uint64_t tag = atomic_load_explicit(&slot->tag, memory_order_relaxed);
    bool valid =
        tag_generation(tag) == handle >> HANDLE_INDEX_BITS && tag_type(tag) != NX_OBJECT_NONE;
    if (valid)
        slot_clear(table, slot, index, &value);
    lock_release_fast(&table->lock);
    if (!valid)
        return NX_ERR_BAD_HANDLE;
    value_dispose(&value);
    return NX_OK;
}

static enum nx_object_type type_in(const struct handle_slot *slot)
{
    return tag_type(atomic_load_explicit(&slot->tag, memory_order_relaxed));
}

// Closes the next used slot, if one of the next chunk's worth of slots is used and not of type
// `keep`. In a closed table none becomes used again: slots before close_cursor are done, and the
// search needs no lock.
static void close_next(struct handle_table *table, enum nx_object_type keep)
{
    for (uint32_t i = 0; i < HANDLE_CHUNK_SLOTS && table->close_cursor < table->never_used; i++) {
        uint32_t index = table->close_cursor++;
        struct handle_slot *slot = slot_at(table, index);
        if (type_in(slot) == NX_OBJECT_NONE || type_in(slot) == keep)
            continue;
        struct handle_value value;
        lock_acquire_fast(&table->lock);
        bool taken = type_in(slot) != NX_OBJECT_NONE;
        if (taken)
            slot_clear(table, slot, index, &value);
        lock_release_fast(&table->lock);
        if (taken) {
            value_dispose(&value);
            return;
        }
    }
}

bool handle_table_close_step(struct process *process, enum nx_object_type keep)
{
    struct handle_table *table = &process->handles;
    lock_acquire_fast(&table->lock);
    table->closed = true;
    lock_release_fast(&table->lock);
    if (table->close_cursor < table->never_used) {
        close_next(table, keep);
        return false;
    }
    if (keep != NX_OBJECT_NONE) {
        table->close_cursor = 0;
        return true;
    }
    if (table->chunk_count == 0)
        return true;
    // Empty, and stays so. No other hart reads it: lookups are made by the process's own threads,
    // which are gone, and by message transfers to and from them.
    frame_free(arch_direct_unmap(atomic_exchange_explicit(&table->chunks[--table->chunk_count],
                                                          NULL, memory_order_relaxed)));
    process_uncharge(process, NX_PAGE_SIZE);
    return false;
}
