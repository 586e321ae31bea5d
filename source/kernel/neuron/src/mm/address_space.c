// SPDX-License-Identifier: Apache-2.0
// Address spaces: which memory objects a process sees where, and with which permissions.
#include "mm/address_space.h"

#include "arch_inline.h"
#include "core/hart.h"
#include "core/panic.h"
#include "mm/frame.h"
#include "mm/memory.h"
#include "nexus/syscall.h"
#include "object/pool.h"
#include "object/process.h"
#include <string.h>

// Where the kernel places mappings without an address, with a guard page between any two.
#define PLACEMENT_BASE 0x0000001000000000ul

// Pages per bounded step of populating and of unmapping.
#define POPULATE_STEP 8u
#define UNMAP_STEP    64u

// The most page-table frames that one new leaf can need.
#define TABLES_PER_LEAF 2u

// One element of the array of records, which are reached by pointer.
#define MAPPING_SLOT_SIZE 8u

#define PROT_ACCESS (NX_PROT_READ | NX_PROT_WRITE | NX_PROT_EXECUTE)

_Static_assert(PROT_ACCESS == (ARCH_PROT_READ | ARCH_PROT_WRITE | ARCH_PROT_EXECUTE),
               "permissions pass through unchanged");
_Static_assert(NX_MAPPINGS_MAX *MAPPING_SLOT_SIZE == NX_PAGE_SIZE,
               "the array of records is one frame");

enum nx_status address_space_init(struct address_space *space, struct process *process)
{
    space->process = process;
    lock_init(&space->lock, LOCK_RANK_SPACE);
    enum nx_status status = process_charge(process, 2 * NX_PAGE_SIZE);
    if (status != NX_OK)
        return status;
    paddr_t frame;
    status = frame_alloc(&frame);
    if (status != NX_OK)
        goto uncharge;
    status = arch_space_create(&space->arch);
    if (status != NX_OK)
        goto free_frame;
    space->mappings = arch_direct_map(frame);
    return NX_OK;

free_frame:
    frame_free(frame);
uncharge:
    process_uncharge(process, 2 * NX_PAGE_SIZE);
    return status;
}

void address_space_destroy(struct address_space *space)
{
    ASSERT(space->mapping_count == 0);
    uint32_t freed = arch_space_destroy(&space->arch);
    ASSERT(freed == space->table_frames + 1);
    frame_free(arch_direct_unmap(space->mappings));
    process_uncharge(space->process, (space->table_frames + 2ull) * NX_PAGE_SIZE);
}

// Removes translations of a cleared range everywhere. The lock is held.
static void flush(struct address_space *space, uint64_t start, uint64_t length)
{
    // Full fence: the entries are cleared before the mask is read.
    atomic_thread_fence(memory_order_seq_cst);
    uint32_t mask = atomic_load_explicit(&space->harts, memory_order_relaxed);
    mask &= hart_online_mask() & ~hart_bit(hart_self());
    arch_tlb_flush(&space->arch, vaddr(start), length, mask);
}

// --- The sorted array
// -----------------------------------------------------------------------------

// Index of the first mapping that ends after `address`. The lock is held.
static uint32_t find_index(const struct address_space *space, uint64_t address)
{
    uint32_t low = 0;
    uint32_t high = space->mapping_count;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        const struct mapping *mapping = space->mappings[middle];
        if (mapping->start + mapping->length <= address)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static struct mapping *find_containing(const struct address_space *space, uint64_t address)
{
    uint32_t index = find_index(space, address);
    if (index == space->mapping_count || space->mappings[index]->start > address)
        return NULL;
    return space->mappings[index];
}

static void insert_at(struct address_space *space, uint32_t index, struct mapping *mapping)
{
    memmove(&space->mappings[index + 1], &space->mappings[index],
            (space->mapping_count - index) * MAPPING_SLOT_SIZE);
    space->mappings[index] = mapping;
    space->mapping_count++;
}

static void remove_at(struct address_space *space, uint32_t index)
{
    space->mapping_count--;
    memmove(&space->mappings[index], &space->mappings[index + 1],
            (space->mapping_count - index) * MAPPING_SLOT_SIZE);
}

// The lowest gap at or above PLACEMENT_BASE that fits `length` with guard pages. The lock is held.
static enum nx_status choose_address(const struct address_space *space, uint64_t length,
                                     uint64_t *address)
{
    uint64_t candidate = PLACEMENT_BASE;
    for (uint32_t i = find_index(space, PLACEMENT_BASE); i < space->mapping_count; i++) {
        const struct mapping *mapping = space->mappings[i];
        if (mapping->start >= candidate && mapping->start - candidate >= length + NX_PAGE_SIZE)
            break;
        candidate = mapping->start + mapping->length + NX_PAGE_SIZE;
    }
    if (length > NX_USER_END || candidate > NX_USER_END - length)
        return NX_ERR_NO_MEMORY;
    *address = candidate;
    return NX_OK;
}

// --- Mapping
// --------------------------------------------------------------------------------------

static enum nx_status check_request(const struct memory *memory, uint64_t offset, uint64_t length,
                                    uint32_t prot, uint64_t address)
{
    if ((prot & PROT_ACCESS) == 0 || (prot & ~(PROT_ACCESS | NX_PROT_POPULATE)) != 0 ||
        (prot & (NX_PROT_WRITE | NX_PROT_EXECUTE)) == (NX_PROT_WRITE | NX_PROT_EXECUTE))
        return NX_ERR_INVALID_ARGUMENT;
    if (length == 0 || !is_aligned(offset | length | address, NX_PAGE_SIZE))
        return NX_ERR_INVALID_ARGUMENT;
    if (offset > memory->size || length > memory->size - offset)
        return NX_ERR_OUT_OF_RANGE;
    if (address == 0)
        return NX_OK;
    if (address < NX_USER_BASE || address > NX_USER_END || length > NX_USER_END - address)
        return NX_ERR_OUT_OF_RANGE;
    return NX_OK;
}

// Places and inserts a filled record. The lock is held.
static enum nx_status place(struct address_space *space, struct mapping *mapping)
{
    if (space->closed)
        return NX_ERR_BAD_STATE;
    if (space->mapping_count == NX_MAPPINGS_MAX)
        return NX_ERR_NO_MEMORY;
    if (mapping->start == 0) {
        enum nx_status status = choose_address(space, mapping->length, &mapping->start);
        if (status != NX_OK)
            return status;
    }
    uint32_t index = find_index(space, mapping->start);
    if (index < space->mapping_count &&
        space->mappings[index]->start < mapping->start + mapping->length)
        return NX_ERR_ALREADY_EXISTS;
    insert_at(space, index, mapping);
    return NX_OK;
}

enum nx_status address_space_map(struct address_space *space, struct memory *memory,
                                 uint64_t offset, uint64_t length, uint32_t prot, uint64_t *address)
{
    enum nx_status status = check_request(memory, offset, length, prot, *address);
    if (status != NX_OK)
        return status;
    if (!object_try_acquire(&memory->object))
        return NX_ERR_BAD_HANDLE;
    status = process_charge(space->process, sizeof(struct mapping));
    if (status != NX_OK)
        goto release;
    struct mapping *mapping = pool_alloc(sizeof(struct mapping));
    status = NX_ERR_NO_MEMORY;
    if (mapping == NULL)
        goto uncharge;
    *mapping = (struct mapping){
        .start = *address,
        .length = length,
        .offset = offset,
        .memory = memory,
        .prot = prot & PROT_ACCESS,
    };
    lock_acquire(&space->lock);
    status = place(space, mapping);
    // Read under the lock: once that is dropped, another thread may unmap it and free the record.
    uint64_t start = mapping->start;
    lock_release(&space->lock);
    if (status != NX_OK)
        goto free_record;
    *address = start;
    if ((prot & NX_PROT_EXECUTE) != 0)
        arch_fetch_fence(hart_online_mask() & ~hart_bit(hart_self()));
    return NX_OK;

free_record:
    pool_free(mapping);
uncharge:
    process_uncharge(space->process, sizeof(struct mapping));
release:
    object_release(&memory->object);
    return status;
}

// Enters the leaf for one page, charging the tables that it needs. The lock is held.
static enum nx_status enter_leaf(struct address_space *space, const struct mapping *mapping,
                                 uint64_t page, paddr_t frame)
{
    enum nx_status status = process_charge(space->process, TABLES_PER_LEAF * NX_PAGE_SIZE);
    if (status != NX_OK)
        return status;
    uint32_t tables = 0;
    status = arch_space_map(&space->arch, vaddr(page), frame, mapping->prot, &tables);
    ASSERT(tables <= TABLES_PER_LEAF);
    space->table_frames += tables;
    process_uncharge(space->process, (TABLES_PER_LEAF - tables) * NX_PAGE_SIZE);
    return status;
}

static enum nx_status enter_page(struct address_space *space, const struct mapping *mapping,
                                 uint64_t page)
{
    uint64_t index = (mapping->offset + (page - mapping->start)) / NX_PAGE_SIZE;
    paddr_t frame;
    enum nx_status status = memory_commit_page(mapping->memory, index, &frame);
    if (status != NX_OK)
        return status;
    return enter_leaf(space, mapping, page, frame);
}

enum nx_status address_space_populate_some(struct address_space *space, uint64_t address,
                                           uint64_t *cursor, bool *done)
{
    enum nx_status status = NX_OK;
    *done = false;
    lock_acquire(&space->lock);
    struct mapping *mapping = find_containing(space, address);
    if (mapping == NULL || mapping->start != address)
        status = NX_ERR_NOT_FOUND;
    for (uint32_t step = 0; status == NX_OK && step < POPULATE_STEP; step++) {
        if (*cursor >= mapping->length) {
            *done = true;
            break;
        }
        status = enter_page(space, mapping, address + *cursor);
        if (status == NX_ERR_ALREADY_EXISTS)
            status = NX_OK; // touched meanwhile
        if (status == NX_OK)
            *cursor += NX_PAGE_SIZE;
    }
    lock_release(&space->lock);
    return status;
}

// Unmaps up to a step's worth of pages from the end; true when the record was removed from the
// array. The lock is held.
static bool shrink(struct address_space *space, struct mapping *mapping)
{
    uint64_t pages = mapping->length / NX_PAGE_SIZE;
    if (pages > UNMAP_STEP)
        pages = UNMAP_STEP;
    uint64_t start = mapping->start + mapping->length - pages * NX_PAGE_SIZE;
    bool any = false;
    for (uint64_t i = 0; i < pages; i++) {
        paddr_t frame;
        any |= arch_space_unmap(&space->arch, vaddr(start + i * NX_PAGE_SIZE), &frame);
    }
    if (any)
        flush(space, start, pages * NX_PAGE_SIZE);
    mapping->length -= pages * NX_PAGE_SIZE;
    if (mapping->length > 0)
        return false;
    // An empty record no longer contains its start: find it by position.
    uint32_t index = find_index(space, mapping->start);
    if (index > 0 && space->mappings[index - 1] == mapping)
        index--;
    ASSERT(space->mappings[index] == mapping);
    remove_at(space, index);
    return true;
}

static void free_mapping(struct address_space *space, struct mapping *mapping)
{
    object_release(&mapping->memory->object);
    pool_free(mapping);
    process_uncharge(space->process, sizeof(struct mapping));
}

enum nx_status address_space_unmap_some(struct address_space *space, uint64_t address, bool *done)
{
    *done = false;
    lock_acquire(&space->lock);
    struct mapping *mapping = find_containing(space, address);
    bool found = mapping != NULL && mapping->start == address;
    if (found)
        *done = shrink(space, mapping);
    lock_release(&space->lock);
    if (!found)
        return NX_ERR_NOT_FOUND;
    if (*done)
        free_mapping(space, mapping);
    return NX_OK;
}

bool address_space_clear_some(struct address_space *space)
{
    struct mapping *mapping = NULL;
    bool removed = false;
    lock_acquire(&space->lock);
    space->closed = true;
    if (space->mapping_count > 0) {
        mapping = space->mappings[space->mapping_count - 1];
        removed = shrink(space, mapping);
    }
    lock_release(&space->lock);
    if (removed)
        free_mapping(space, mapping);
    return mapping == NULL;
}

// --- Faults
// ---------------------------------------------------------------------------------------

static uint32_t access_of(enum arch_fault_kind kind)
{
    switch (kind) {
    case ARCH_FAULT_READ:
        return NX_PROT_READ;
    case ARCH_FAULT_WRITE:
        return NX_PROT_WRITE;
    case ARCH_FAULT_EXECUTE:
        return NX_PROT_EXECUTE;
    default:
        return PROT_ACCESS; // no mapping allows everything, so it is denied
    }
}

enum nx_status address_space_resolve_fault(struct address_space *space, enum arch_fault_kind kind,
                                           uint64_t address)
{
    uint64_t page = round_down(address, NX_PAGE_SIZE);
    uint32_t access = access_of(kind);
    enum nx_status status = NX_ERR_NOT_FOUND;
    lock_acquire(&space->lock);
    const struct mapping *mapping = find_containing(space, address);
    if (mapping != NULL)
        status = (mapping->prot & access) == access ? enter_page(space, mapping, page)
                                                    : NX_ERR_ACCESS_DENIED;
    lock_release(&space->lock);
    if (status == NX_ERR_ALREADY_EXISTS) {
        // Resolved already, by another hart or before a stale translation: flush and retry.
        arch_tlb_flush(&space->arch, vaddr(page), NX_PAGE_SIZE, 0);
        status = NX_OK;
    }
    return status;
}
