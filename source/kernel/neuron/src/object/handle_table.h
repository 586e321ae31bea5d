// SPDX-License-Identifier: Apache-2.0
// A process's handles: from a number to an object, its rights and its badge.
//
// A handle is slot index (low 13 bits) and generation (high 19 bits); closing a slot advances its
// generation, so a stale handle is refused. Slots live in frames of 128, allocated as needed.
//
// Changes take the table's lock. Lookups take none: a slot's `tag` packs generation, type and
// rights in one word, the writer invalidates the tag before it changes the other words and
// publishes it after, and the reader checks that the tag is the same before and after reading them.
// What a lookup returns stays valid until the kernel is left (object/reclaim.h).
#ifndef NEURON_HANDLE_TABLE_H
#define NEURON_HANDLE_TABLE_H

#include "core/lock.h"
#include "nexus/handle.h"
#include "object/object.h"

#define HANDLE_INDEX_BITS  13u
#define HANDLE_CHUNK_SLOTS 128u
#define HANDLE_CHUNKS      (NX_HANDLES_MAX / HANDLE_CHUNK_SLOTS)

// The tag's fields. Type 0: the slot is free. Type and first rights together are in reach of an
// immediate operand.
#define HANDLE_TAG_TYPE_MASK        0xfull
#define HANDLE_TAG_RIGHTS_SHIFT     4
#define HANDLE_TAG_RIGHTS_MASK      0xffffull
#define HANDLE_TAG_GENERATION_SHIFT 32

struct handle_slot {
    _Atomic uint64_t tag; // generation << 32 | rights << 4 | type; type 0: free
    _Atomic(struct object *) object;
    _Atomic uint64_t badge;
    uint32_t next_free; // index + 1, 0: none; guarded by the table's lock
    uint32_t reserved;
};
_Static_assert(sizeof(struct handle_slot) * HANDLE_CHUNK_SLOTS == NX_PAGE_SIZE,
               "a chunk of slots fills a frame");

struct handle_table {
    struct lock lock; // rank HANDLE_TABLE; guards changes to everything below
    _Atomic(struct handle_slot *) chunks[HANDLE_CHUNKS];
    uint32_t chunk_count;
    uint32_t first_free; // index + 1 of a slot that was used before, 0: none
    uint32_t never_used; // index of the first slot that never was
    uint32_t used;
    bool closed;           // the process is dying: nothing may be installed any more
    uint32_t close_cursor; // once closed, whoever cleans up only: slots looked at
};

// What a handle names, copied out.
struct handle_value {
    struct object *object;
    uint64_t badge;
    uint32_t rights;
    enum nx_object_type type;
};

struct process;

void handle_table_init(struct handle_table *table);

// Errors: NX_ERR_BAD_HANDLE. Then, for handle_lookup: NX_ERR_WRONG_TYPE, NX_ERR_ACCESS_DENIED when
// `rights` are not all there.
NX_MUST_CHECK enum nx_status handle_lookup_any(const struct handle_table *table, uint64_t handle,
                                               struct handle_value *value);
// On success value->rights are those asked for.
NX_MUST_CHECK static inline enum nx_status handle_lookup(const struct handle_table *table,
                                                         uint64_t handle, enum nx_object_type type,
                                                         uint32_t rights,
                                                         struct handle_value *value);
// Why handle_lookup_fast refuses.
NX_MUST_CHECK enum nx_status handle_lookup_refusal(const struct handle_table *table,
                                                   uint64_t handle, enum nx_object_type type,
                                                   uint32_t rights);

// The same without the reason of a refusal; value->rights and type are not set.
static inline bool handle_lookup_fast(const struct handle_table *table, uint64_t handle,
                                      enum nx_object_type type, uint32_t rights,
                                      struct handle_value *value)
{
    uint64_t index = handle & ((1u << HANDLE_INDEX_BITS) - 1);
    const struct handle_slot *chunk =
        atomic_load_explicit(&table->chunks[index / HANDLE_CHUNK_SLOTS], memory_order_relaxed);
    if (chunk == NULL)
        return false;
    // The address dependency orders the load of the tag behind that of the chunk (RVWMO rule 9).
    const struct handle_slot *slot = &chunk[index % HANDLE_CHUNK_SLOTS];
    uint64_t tag = atomic_load_explicit(&slot->tag, memory_order_acquire);
    value->object = atomic_load_explicit(&slot->object, memory_order_relaxed);
    value->badge = atomic_load_explicit(&slot->badge, memory_order_relaxed);
    atomic_thread_fence(memory_order_acquire);
    return tag >> HANDLE_TAG_GENERATION_SHIFT == handle >> HANDLE_INDEX_BITS &&
           (tag & (HANDLE_TAG_TYPE_MASK | (uint64_t)rights << HANDLE_TAG_RIGHTS_SHIFT)) ==
               ((uint64_t)type | (uint64_t)rights << HANDLE_TAG_RIGHTS_SHIFT) &&
           atomic_load_explicit(&slot->tag, memory_order_relaxed) == tag;
}

static inline enum nx_status handle_lookup(const struct handle_table *table, uint64_t handle,
                                           enum nx_object_type type, uint32_t rights,
                                           struct handle_value *value)
{
    value->rights = rights;
    value->type = type;
    if (__builtin_expect(handle_lookup_fast(table, handle, type, rights, value), 1))
        return NX_OK;
    *value = (struct handle_value){0};
    return handle_lookup_refusal(table, handle, type, rights);
}

// Puts a value into a free slot of `process`'s table and takes a new reference on its object.
// Errors: NX_ERR_NO_MEMORY (table full or budget), NX_ERR_BAD_HANDLE (the object is retired
// already), NX_ERR_BAD_STATE (the process is dying).
NX_MUST_CHECK enum nx_status handle_install(struct process *process,
                                            const struct handle_value *value, nx_handle *handle);

// Empties the slot and drops its reference. Errors: NX_ERR_BAD_HANDLE.
NX_MUST_CHECK enum nx_status handle_close(struct process *process, uint64_t handle);

// For a dying process: one step of closing its handles but those of type `keep`, and, if that is
// NX_OBJECT_NONE, of freeing the chunks; true when all is done. A step closes one handle at most:
// the last one to an endpoint's receiver fails many callers.
bool handle_table_close_step(struct process *process, enum nx_object_type keep);

#endif
