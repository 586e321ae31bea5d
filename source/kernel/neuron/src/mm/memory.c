// SPDX-License-Identifier: Apache-2.0
// Memory objects: what can be mapped. Paged, contiguous, or a window of physical addresses.
#include "mm/memory.h"

#include "arch/arch.h"
#include "arch_inline.h"
#include "core/panic.h"
#include "mm/frame.h"
#include "object/pool.h"
#include "object/process.h"

#define SLOTS_PER_FRAME (NX_PAGE_SIZE / sizeof(uint64_t))
// The largest table of slots that comes from the pool of objects.
#define SMALL_TABLE_BYTES 512u
// Bound of one destruction step: a freed frame costs 8, an empty slot 1.
#define DESTROY_STEP_COST 128u
#define DESTROY_FREE_COST 8u

_Static_assert(SLOTS_PER_FRAME *SLOTS_PER_FRAME *NX_PAGE_SIZE >= NX_MEMORY_SIZE_MAX,
               "two levels of slots cover the largest object");

static enum nx_status create(struct process *process, enum memory_kind kind, uint64_t size,
                             struct memory **memory)
{
    if (size == 0)
        return NX_ERR_INVALID_ARGUMENT;
    struct object *object;
    TRY(object_create(process, NX_OBJECT_MEMORY, sizeof(struct memory),
                      offsetof(struct memory, object), &object));
    struct memory *created = CONTAINER_OF(object, struct memory, object);
    created->kind = kind;
    created->size = round_up(size, NX_PAGE_SIZE);
    lock_init(&created->lock, LOCK_RANK_OBJECT);
    *memory = created;
    return NX_OK;
}

static enum nx_status charge(const struct memory *memory, uint64_t bytes)
{
    struct process *process = memory->object.charged_to;
    return process != NULL ? process_charge(process, bytes) : NX_OK;
}

static void uncharge(const struct memory *memory, uint64_t bytes)
{
    if (memory->object.charged_to != NULL)
        process_uncharge(memory->object.charged_to, bytes);
}

static enum nx_status alloc_charged(struct memory *memory, paddr_t *frame)
{
    TRY(charge(memory, NX_PAGE_SIZE));
    enum nx_status status = frame_alloc(frame);
    if (status != NX_OK)
        uncharge(memory, NX_PAGE_SIZE);
    return status;
}

static void free_charged(struct memory *memory, paddr_t frame)
{
    frame_free(frame);
    uncharge(memory, NX_PAGE_SIZE);
}

// Bytes of the table that `slots` points to: of a small object as much as it needs, else a frame.
static uint64_t table_bytes(const struct memory *memory)
{
    uint64_t bytes = round_up(memory->size / NX_PAGE_SIZE * sizeof(uint64_t), POOL_SIZE_MIN);
    return bytes <= SMALL_TABLE_BYTES ? bytes : NX_PAGE_SIZE;
}

static enum nx_status table_alloc(struct memory *memory)
{
    uint64_t bytes = table_bytes(memory);
    TRY(charge(memory, bytes));
    void *table = NULL;
    paddr_t frame;
    if (bytes < NX_PAGE_SIZE)
        table = pool_alloc(bytes);
    else if (frame_alloc(&frame) == NX_OK)
        table = arch_direct_map(frame);
    if (table == NULL) {
        uncharge(memory, bytes);
        return NX_ERR_NO_MEMORY;
    }
    atomic_init(&memory->slots, (_Atomic uint64_t *)table);
    return NX_OK;
}

static void table_free(struct memory *memory)
{
    uint64_t bytes = table_bytes(memory);
    void *table = (void *)atomic_load_explicit(&memory->slots, memory_order_relaxed);
    if (bytes < NX_PAGE_SIZE)
        pool_free(table);
    else
        frame_free(arch_direct_unmap(table));
    uncharge(memory, bytes);
}

enum nx_status memory_create_paged(struct process *process, uint64_t size, struct memory **memory)
{
    if (size > NX_MEMORY_SIZE_MAX)
        return NX_ERR_TOO_LARGE;
    TRY(create(process, MEMORY_PAGED, size, memory));
    enum nx_status status = table_alloc(*memory);
    if (status != NX_OK) {
        object_discard(&(*memory)->object);
        return status;
    }
    (*memory)->paged_depth = (*memory)->size / NX_PAGE_SIZE > SLOTS_PER_FRAME ? 2 : 1;
    return NX_OK;
}

enum nx_status memory_create_contiguous(struct process *process, uint64_t size,
                                        struct memory **memory)
{
    if (size > NX_MEMORY_CONTIGUOUS_MAX)
        return NX_ERR_TOO_LARGE;
    TRY(create(process, MEMORY_CONTIGUOUS, size, memory));
    struct memory *created = *memory;
    uint32_t order = 0;
    while ((NX_PAGE_SIZE << order) < created->size)
        order++;
    uint64_t bytes = NX_PAGE_SIZE << order;
    enum nx_status status = charge(created, bytes);
    if (status != NX_OK)
        goto discard;
    status = frame_alloc_block(order, &created->base);
    if (status != NX_OK)
        goto give_back;
    for (uint64_t offset = 0; offset < bytes; offset += NX_PAGE_SIZE)
        frame_zero(paddr(created->base.value + offset));
    created->order = order;
    atomic_init(&created->committed, created->size);
    return NX_OK;

give_back:
    uncharge(created, bytes);
discard:
    object_discard(&created->object);
    return status;
}

enum nx_status memory_create_window(struct process *process, paddr_t base, uint64_t size,
                                    bool device, struct memory **memory)
{
    uint64_t end;
    if (!is_aligned(base.value, NX_PAGE_SIZE))
        return NX_ERR_INVALID_ARGUMENT;
    if (__builtin_add_overflow(base.value, round_up(size, NX_PAGE_SIZE), &end) || size > end)
        return NX_ERR_OVERFLOW;
    TRY(create(process, MEMORY_WINDOW, size, memory));
    (*memory)->base = base;
    (*memory)->device = device;
    atomic_init(&(*memory)->committed, (*memory)->size);
    return NX_OK;
}

// The slot of page `index`; NULL while its frame of slots does not exist.
static inline _Atomic uint64_t *find_slot(const struct memory *memory, uint64_t index)
{
    _Atomic uint64_t *table = atomic_load_explicit(&memory->slots, memory_order_relaxed);
    if (memory->paged_depth == 1)
        return &table[index];
    // Acquire: pairs with the release in make_slot, so that the frame is seen zeroed.
    uint64_t frame = atomic_load_explicit(&table[index / SLOTS_PER_FRAME], memory_order_acquire);
    _Atomic uint64_t *leaf = arch_direct_map(paddr(frame));
    return frame == 0 ? NULL : &leaf[index % SLOTS_PER_FRAME];
}

// The same; makes a frame of slots that is missing. The lock is held.
static enum nx_status make_slot(struct memory *memory, uint64_t index, _Atomic uint64_t **slot)
{
    *slot = find_slot(memory, index);
    if (*slot != NULL)
        return NX_OK;
    paddr_t frame;
    TRY(alloc_charged(memory, &frame));
    _Atomic uint64_t *table = atomic_load_explicit(&memory->slots, memory_order_relaxed);
    atomic_store_explicit(&table[index / SLOTS_PER_FRAME], frame.value, memory_order_release);
    *slot = find_slot(memory, index);
    return NX_OK;
}

bool memory_find_page(const struct memory *memory, uint64_t index, paddr_t *frame)
{
    if (index >= memory->size / NX_PAGE_SIZE)
        return false;
    if (memory->kind != MEMORY_PAGED) {
        *frame = paddr(memory->base.value + index * NX_PAGE_SIZE);
        return true;
    }
    _Atomic uint64_t *slot = find_slot(memory, index);
    // Acquire: pairs with the release in memory_commit_page, so that the frame is seen zeroed.
    *frame = paddr(slot != NULL ? atomic_load_explicit(slot, memory_order_acquire) : 0);
    return frame->value != 0;
}

uint64_t memory_find_run(const struct memory *memory, uint64_t index, uint64_t limit,
                         paddr_t *frame)
{
    if (!memory_find_page(memory, index, frame))
        return 0;
    if (memory->kind != MEMORY_PAGED)
        return limit;
    _Atomic uint64_t *slot = find_slot(memory, index);
    uint64_t here = SLOTS_PER_FRAME - index % SLOTS_PER_FRAME; // in this frame of slots
    uint64_t count = 1;
    // Acquire: as in memory_find_page.
    while (count < limit && count < here &&
           atomic_load_explicit(&slot[count], memory_order_acquire) ==
               frame->value + count * NX_PAGE_SIZE)
        count++;
    return count;
}

enum nx_status memory_commit_page(struct memory *memory, uint64_t index, paddr_t *frame)
{
    if (index >= memory->size / NX_PAGE_SIZE)
        return NX_ERR_OUT_OF_RANGE;
    if (memory_find_page(memory, index, frame))
        return NX_OK;
    // Before the lock, which is not held while a page is zeroed.
    paddr_t fresh;
    enum nx_status status = alloc_charged(memory, &fresh);
    // The last page of a budget may have gone into this very slot meanwhile.
    if (status != NX_OK)
        return memory_find_page(memory, index, frame) ? NX_OK : status;
    *frame = fresh;
    lock_acquire(&memory->lock);
    _Atomic uint64_t *slot;
    status = make_slot(memory, index, &slot);
    uint64_t present = status == NX_OK ? atomic_load_explicit(slot, memory_order_relaxed) : 0;
    bool used = status == NX_OK && present == 0;
    if (used) {
        atomic_store_explicit(slot, fresh.value, memory_order_release);
        atomic_fetch_add_explicit(&memory->committed, NX_PAGE_SIZE, memory_order_relaxed);
    }
    lock_release(&memory->lock);
    if (used)
        return NX_OK;
    free_charged(memory, fresh); // another hart was faster, or there is no frame of slots
    *frame = paddr(present);
    return status;
}

enum nx_status memory_page_pointer(struct memory *memory, uint64_t offset, void **pointer)
{
    if (memory->device || !is_aligned(offset, NX_PAGE_SIZE))
        return NX_ERR_INVALID_ARGUMENT;
    paddr_t frame;
    enum nx_status status = memory_commit_page(memory, offset / NX_PAGE_SIZE, &frame);
    if (status == NX_OK)
        *pointer = arch_direct_map(frame);
    return status;
}

// Frees up to a step's worth of committed pages and the frames of slots that it leaves behind.
static bool destroy_pages(struct memory *memory)
{
    uint64_t pages = memory->size / NX_PAGE_SIZE;
    uint32_t cost = 0;
    while (memory->destroy_cursor < pages && cost < DESTROY_STEP_COST) {
        uint64_t index = memory->destroy_cursor;
        _Atomic uint64_t *slot = find_slot(memory, index);
        cost++;
        if (slot == NULL) {
            memory->destroy_cursor = round_down(index, SLOTS_PER_FRAME) + SLOTS_PER_FRAME;
            continue;
        }
        uint64_t address = atomic_load_explicit(slot, memory_order_relaxed);
        if (address != 0) {
            free_charged(memory, paddr(address));
            cost += DESTROY_FREE_COST;
        }
        memory->destroy_cursor++;
        bool leaf_done =
            memory->destroy_cursor % SLOTS_PER_FRAME == 0 || memory->destroy_cursor == pages;
        if (memory->paged_depth == 2 && leaf_done) {
            free_charged(memory, arch_direct_unmap((void *)(slot - index % SLOTS_PER_FRAME)));
            cost += DESTROY_FREE_COST;
        }
    }
    return memory->destroy_cursor >= pages;
}

enum destroy_result memory_destroy_step(struct object *object)
{
    struct memory *memory = CONTAINER_OF(object, struct memory, object);
    if (memory->kind == MEMORY_PAGED) {
        if (!destroy_pages(memory))
            return DESTROY_MORE;
        table_free(memory);
    } else if (memory->kind == MEMORY_CONTIGUOUS) {
        frame_free_block(memory->base, memory->order);
        uncharge(memory, NX_PAGE_SIZE << memory->order);
    }
    return DESTROY_FREE;
}
