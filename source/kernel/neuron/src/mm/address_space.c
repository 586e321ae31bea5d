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

// Pages per bounded step of populating and of unmapping, and per fault.
#define ENTER_STEP 16u
#define UNMAP_STEP 64u

// The most page-table frames that leaves of one table can need.
#define TABLES_PER_STEP 2u

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

bool address_space_destroy_some(struct address_space *space)
{
    ASSERT(space->mapping_count == 0);
    uint32_t freed = 0;
    bool done = arch_space_destroy_some(&space->arch, &freed);
    space->table_frames -= freed;
    process_uncharge(space->process, freed * NX_PAGE_SIZE);
    if (done) {
        ASSERT(space->table_frames == 0);
        frame_free(arch_direct_unmap(space->mappings));
        process_uncharge(space->process, 2 * NX_PAGE_SIZE); // the mappings and the root
    }
    return done;
}

// --- Translations that are gone
// -------------------------------------------------------------------

void address_space_leave_idle(struct hart *hart)
{
    // Full fence: announced before translations are forgotten. Pairs with the fence in flush.
    atomic_store_explicit(&hart->spaceless, false, memory_order_seq_cst);
    atomic_thread_fence(memory_order_seq_cst);
    arch_tlb_flush_all_local();
}

// Those of `mask` that do not idle.
static uint32_t awake_harts(uint32_t mask)
{
    uint32_t awake = 0;
    for (uint32_t i = 0; i < hart_count(); i++)
        // Acquire: pairs with the release in idle_until_work.
        if ((mask & 1u << i) != 0 &&
            !atomic_load_explicit(&harts[i].spaceless, memory_order_acquire))
            awake |= 1u << i;
    return awake & hart_online_mask();
}

// Removes translations of a cleared range from this hart and from those that have run in the space
// and do not idle. The lock is held.
static void flush(struct address_space *space, uint64_t start, uint64_t length)
{
    // Full fence: the entries are cleared before the look at who runs. Pairs with those in
    // address_space_activate and address_space_leave_idle.
    atomic_thread_fence(memory_order_seq_cst);
    uint32_t others = atomic_load_explicit(&space->harts, memory_order_relaxed) & ~hart_self()->bit;
    if (others != 0)
        others = awake_harts(others);
    arch_tlb_flush(&space->arch, vaddr(start), length, others);
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
    if (mapping->start == 0)
        TRY(choose_address(space, mapping->length, &mapping->start));
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
        .prot = ((prot & NX_PROT_WRITE) != 0 ? prot | NX_PROT_READ : prot) & PROT_ACCESS, // Sv39
        .window = 1,
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

// Enters the pages that have frames, charging the tables that it needs. The lock is held.
static enum nx_status enter_leaves(struct address_space *space, const struct mapping *mapping,
                                   uint64_t first, const paddr_t *frames, uint32_t count)
{
    TRY(process_charge(space->process, TABLES_PER_STEP * NX_PAGE_SIZE));
    uint32_t tables = 0;
    enum nx_status status =
        arch_space_map(&space->arch, vaddr(first), frames, count, mapping->prot, &tables);
    ASSERT(tables <= TABLES_PER_STEP);
    space->table_frames += tables;
    process_uncharge(space->process, (TABLES_PER_STEP - tables) * NX_PAGE_SIZE);
    return status;
}

static uint64_t page_index_of(const struct mapping *mapping, uint64_t page)
{
    return (mapping->offset + (page - mapping->start)) / NX_PAGE_SIZE;
}

// How many of `wanted` pages from `page` on lie in the mapping and under one table of leaves.
static uint32_t clip(const struct mapping *mapping, uint64_t page, uint32_t wanted)
{
    uint64_t end = round_down(page, ARCH_TABLE_BYTES) + ARCH_TABLE_BYTES;
    if (end > mapping->start + mapping->length)
        end = mapping->start + mapping->length;
    uint64_t pages = (end - page) / NX_PAGE_SIZE;
    return pages < wanted ? (uint32_t)pages : wanted;
}

// Enters `count` pages from `first` on, those that have a frame, if the mapping is still what
// `seen` says. NX_ERR_NOT_FOUND: it is not. The lock is not held.
static enum nx_status enter_pages(struct address_space *space, const struct mapping *seen,
                                  uint64_t first, const paddr_t *frames, uint32_t count)
{
    enum nx_status status = NX_ERR_NOT_FOUND;
    frame_prepare();
    lock_acquire(&space->lock);
    struct mapping *mapping = find_containing(space, first);
    // The memory object is the same one if its address is: it outlives this pass through the
    // kernel, also when the mapping that held it is gone.
    if (mapping != NULL && mapping->memory == seen->memory && mapping->prot == seen->prot &&
        page_index_of(mapping, first) == page_index_of(seen, first) &&
        clip(mapping, first, count) == count) {
        status = enter_leaves(space, mapping, first, frames, count);
        mapping->window = seen->window;
        mapping->next_fault = seen->next_fault;
    }
    lock_release(&space->lock);
    return status;
}

// Commits `count` pages; *done of them where memory ends before.
static enum nx_status commit(const struct mapping *mapping, uint64_t first, uint32_t count,
                             paddr_t *frames, uint32_t *done)
{
    uint64_t index = page_index_of(mapping, first);
    for (*done = 0; *done < count; (*done)++)
        TRY(memory_commit_page(mapping->memory, index + *done, &frames[*done]));
    return NX_OK;
}

// A copy of the mapping that contains `address`: its memory object stays until the kernel is left.
static bool look_up(struct address_space *space, uint64_t address, struct mapping *seen)
{
    lock_acquire(&space->lock);
    const struct mapping *mapping = find_containing(space, address);
    if (mapping != NULL)
        *seen = *mapping;
    lock_release(&space->lock);
    return mapping != NULL;
}

enum nx_status address_space_populate_some(struct address_space *space, uint64_t address,
                                           uint64_t *cursor, bool *done)
{
    struct mapping seen;
    *done = false;
    if (!look_up(space, address, &seen) || seen.start != address)
        return NX_ERR_NOT_FOUND;
    if (*cursor < seen.length) {
        uint64_t first = address + *cursor;
        paddr_t frames[ENTER_STEP];
        uint32_t count;
        enum nx_status status =
            commit(&seen, first, clip(&seen, first, ENTER_STEP), frames, &count);
        enum nx_status entered =
            count > 0 ? enter_pages(space, &seen, first, frames, count) : NX_OK;
        if (entered != NX_OK)
            return entered;
        *cursor += count * NX_PAGE_SIZE;
        if (status != NX_OK)
            return status;
    }
    *done = *cursor >= seen.length;
    return NX_OK;
}

// Unmaps up to a step's worth of pages from the end; true when the record was removed from the
// array. The lock is held.
static bool shrink(struct address_space *space, uint32_t index)
{
    struct mapping *mapping = space->mappings[index];
    uint64_t end = mapping->start + mapping->length;
    uint64_t start = round_down(end - 1, ARCH_TABLE_BYTES);
    if (start < mapping->start)
        start = mapping->start;
    // Where nothing was ever entered, up to a table's reach at a time.
    bool large = end - start > UNMAP_STEP * NX_PAGE_SIZE;
    if (!large || arch_space_has_table(&space->arch, vaddr(start))) {
        if (large)
            start = end - UNMAP_STEP * NX_PAGE_SIZE;
        if (arch_space_unmap(&space->arch, vaddr(start), (uint32_t)((end - start) / NX_PAGE_SIZE)))
            flush(space, start, end - start);
    }
    mapping->length = start - mapping->start;
    if (mapping->length > 0)
        return false;
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
    uint32_t index = find_index(space, address);
    struct mapping *mapping = index < space->mapping_count ? space->mappings[index] : NULL;
    bool found = mapping != NULL && mapping->start == address;
    if (found)
        *done = shrink(space, index);
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
        removed = shrink(space, space->mapping_count - 1);
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

// What a fault enters: *count pages from *first on.
struct fault_pages {
    uint64_t first;
    uint32_t count;
    paddr_t frames[ENTER_STEP]; // 0: not committed
};

// The page is committed: it and its neighbours that are, too.
static void choose_committed(const struct mapping *seen, uint64_t page, struct fault_pages *pages)
{
    pages->first = round_down(page, ENTER_STEP * NX_PAGE_SIZE);
    if (pages->first < seen->start)
        pages->first = seen->start;
    pages->count = clip(seen, pages->first, ENTER_STEP);
    uint64_t index = page_index_of(seen, pages->first);
    for (uint32_t i = 0; i < pages->count; i++)
        if (!memory_find_page(seen->memory, index + i, &pages->frames[i]))
            pages->frames[i] = paddr(0);
}

// Commits the page. Whoever goes through memory from the start gets ever more pages at once, up to
// a step's.
static enum nx_status choose_fresh(struct mapping *seen, uint64_t page, struct fault_pages *pages)
{
    bool goes_on = page == seen->next_fault && process_has_spare(seen->memory->object.charged_to);
    uint32_t window = goes_on ? seen->window * 2 : 1;
    seen->window = window < ENTER_STEP ? window : ENTER_STEP;
    pages->first = page;
    enum nx_status status =
        commit(seen, page, clip(seen, page, seen->window), pages->frames, &pages->count);
    seen->next_fault = page + pages->count * NX_PAGE_SIZE;
    return pages->count > 0 ? NX_OK : status;
}

enum nx_status address_space_resolve_fault(struct address_space *space, enum arch_fault_kind kind,
                                           uint64_t address)
{
    uint64_t page = round_down(address, NX_PAGE_SIZE);
    uint32_t access = access_of(kind);
    struct mapping seen;
    if (!look_up(space, address, &seen))
        return NX_ERR_NOT_FOUND;
    if ((seen.prot & access) != access)
        return NX_ERR_ACCESS_DENIED;
    struct fault_pages pages;
    enum nx_status status = NX_OK;
    if (memory_find_page(seen.memory, page_index_of(&seen, page), &pages.frames[0]))
        choose_committed(&seen, page, &pages);
    else
        status = choose_fresh(&seen, page, &pages);
    if (status == NX_OK)
        status = enter_pages(space, &seen, pages.first, pages.frames, pages.count);
    // Unmapped meanwhile: the access, tried again, says what there is now.
    if (status == NX_ERR_NOT_FOUND)
        return NX_OK;
    // Another hart may have entered it before, and this one cached its absence.
    arch_tlb_flush(&space->arch, vaddr(page), NX_PAGE_SIZE, 0);
    return status;
}
