// SPDX-License-Identifier: Apache-2.0
// User address spaces: Sv39 tables of 4 KiB leaves below the shared upper half, and their flushes.
//
// The caller's address space lock guards a space's tables against other writers. Entries are atomic
// words because the hardware of other harts reads them meanwhile.
#include "arch_inline.h"
#include "asid.h"
#include "core/hart.h"
#include "core/panic.h"
#include "mm/frame.h"
#include "paging.h"
#include "sbi.h"

// Entries that a scan for tables looks at together.
#define SCAN_ENTRIES 16u

// Past this many pages one fence for the whole space costs less than one a page, each of which may
// make simple hardware forget everything.
#define FLUSH_PAGES_MAX 8u

// Tables that one step of destruction frees.
#define DESTROY_STEP 16u

static struct page_table *root_of(const struct arch_space *space)
{
    return arch_direct_map(space->root);
}

enum nx_status arch_space_create(struct arch_space *space)
{
    TRY(frame_alloc(&space->root));
    struct page_table *root = root_of(space);

    for (unsigned i = PAGE_TABLE_USER_ENTRIES; i < PAGE_TABLE_ENTRIES; i++)
        root->entries[i] = kernel_root.entries[i];
    space->asid = asid_alloc();
    space->satp = satp_make(space->root, space->asid);
    return NX_OK;
}

// Whether SCAN_ENTRIES entries hold nothing: most of a sparse table is passed over this way.
static bool are_empty(_Atomic uint64_t *entries)
{
    uint64_t any = 0;

#pragma GCC unroll 16
    for (unsigned i = 0; i < SCAN_ENTRIES; i++)
        any |= atomic_load_explicit(&entries[i], memory_order_relaxed);
    return any == 0;
}

// The table that the first valid entry from *cursor on names; NULL: none is up to `count`.
static struct page_table *next_child(struct page_table *table, unsigned count, uint32_t *cursor)
{
    for (; *cursor < count; ++*cursor) {
        while (*cursor % SCAN_ENTRIES == 0 && *cursor < count &&
               are_empty(&table->entries[*cursor]))
            *cursor += SCAN_ENTRIES;
        const uint64_t entry =
            *cursor < count ? atomic_load_explicit(&table->entries[*cursor], memory_order_relaxed)
                            : 0;

        if (pte_is_valid(entry)) {
            ASSERT(!pte_is_leaf(entry));
            return pte_table(entry);
        }
    }
    return NULL;
}

bool arch_space_destroy_some(struct arch_space *space, uint32_t *tables)
{
    ASSERT(csr_read(satp) != space->satp);
    struct page_table *middle =
        next_child(root_of(space), PAGE_TABLE_USER_ENTRIES, &space->root_cursor);

    if (middle == NULL) {
        frame_free(space->root);
        asid_free(space->asid);
        *space = (struct arch_space){0};
        return true;
    }
    struct page_table *leaf = NULL;

    for (*tables = 0; *tables < DESTROY_STEP; ++*tables) {
        leaf = next_child(middle, PAGE_TABLE_ENTRIES, &space->middle_cursor);
        if (leaf == NULL)
            break;
        space->middle_cursor++;
        frame_free(arch_direct_unmap(leaf));
    }
    if (leaf == NULL) {
        space->middle_cursor = 0;
        space->root_cursor++;
        frame_free(arch_direct_unmap(middle));
        ++*tables;
    }
    return false;
}

// The entry of the 4 KiB leaf for `address`, or NULL if a table on the way is missing.
static _Atomic uint64_t *find_entry(const struct arch_space *space, uint64_t address)
{
    struct page_table *table = root_of(space);

    for (int level = PAGE_LEVEL_ROOT; level > 0; level--) {
        const uint64_t entry =
            atomic_load_explicit(&table->entries[page_index(address, level)], memory_order_relaxed);

        if (!pte_is_valid(entry))
            return NULL;
        table = pte_table(entry);
    }
    return &table->entries[page_index(address, 0)];
}

// As find_entry; makes the tables that are missing.
static enum nx_status make_entry(const struct arch_space *space, uint64_t address, uint32_t *tables,
                                 _Atomic uint64_t **found)
{
    struct page_table *table = root_of(space);

    for (int level = PAGE_LEVEL_ROOT; level > 0; level--) {
        _Atomic uint64_t *slot = &table->entries[page_index(address, level)];
        uint64_t entry = atomic_load_explicit(slot, memory_order_relaxed);

        if (!pte_is_valid(entry)) {
            paddr_t frame;
            TRY(frame_alloc(&frame));
            entry = pte_make(frame, PTE_V);
            // Release order: another hart's walk sees the table zeroed.
            atomic_store_explicit(slot, entry, memory_order_release);
            (*tables)++;
        }
        table = pte_table(entry);
    }
    *found = &table->entries[page_index(address, 0)];
    return NX_OK;
}

// Accessed and dirty are set from the start: nothing here reads them, and harts that do not update
// them would fault.
static uint64_t leaf_flags(uint32_t prot)
{
    uint64_t flags = PTE_V | PTE_U | PTE_A;

    ASSERT((prot & (ARCH_PROT_WRITE | ARCH_PROT_EXECUTE)) != (ARCH_PROT_WRITE | ARCH_PROT_EXECUTE));
    // Writable without readable is a reserved encoding.
    flags |= (prot & (ARCH_PROT_READ | ARCH_PROT_WRITE)) != 0 ? PTE_R : 0;
    flags |= (prot & ARCH_PROT_WRITE) != 0 ? PTE_W | PTE_D : 0;
    flags |= (prot & ARCH_PROT_EXECUTE) != 0 ? PTE_X : 0;
    ASSERT(pte_is_leaf(flags));
    return flags;
}

static bool in_one_table(uint64_t first, uint32_t count)
{
    return count > 0 && count <= PAGE_TABLE_ENTRIES &&
           page_index(first, 0) + count <= PAGE_TABLE_ENTRIES;
}

enum nx_status arch_space_map(struct arch_space *space, vaddr_t first, const paddr_t *frames,
                              uint32_t count, uint32_t prot, uint32_t *tables)
{
    _Atomic uint64_t *entry;
    const uint64_t flags = leaf_flags(prot);

    ASSERT(first.value >= NX_USER_BASE && first.value < NX_USER_END);
    ASSERT(is_aligned(first.value, NX_PAGE_SIZE) && in_one_table(first.value, count));
    TRY(make_entry(space, first.value, tables, &entry));
    for (uint32_t i = 0; i < count; i++) {
        if (frames[i].value != 0 &&
            !pte_is_valid(atomic_load_explicit(&entry[i], memory_order_relaxed))) {
            // Release order: a walk that sees the entry sees the page's content.
            atomic_store_explicit(&entry[i], pte_make(frames[i], flags), memory_order_release);
        }
    }
    return NX_OK;
}

bool arch_space_unmap(struct arch_space *space, vaddr_t first, uint32_t count)
{
    _Atomic uint64_t *entry = find_entry(space, first.value);
    uint64_t any = 0;

    ASSERT(in_one_table(first.value, count));
    for (uint32_t i = 0; entry != NULL && i < count; i++) {
        any |= atomic_load_explicit(&entry[i], memory_order_relaxed);
        // Hardware changes no entry: accessed and dirty are set from the start.
        atomic_store_explicit(&entry[i], 0, memory_order_relaxed);
    }
    return any != 0;
}

bool arch_space_has_table(const struct arch_space *space, vaddr_t address)
{
    return find_entry(space, address.value) != NULL;
}

// --- Flushes -------------------------------------------------------------------------------------

void tlb_check_remote(enum nx_status status, uint32_t mask)
{
    if (status != NX_OK)
        panic("the firmware refuses a remote fence: status=%d harts=0x%x", (int)status, mask);
}

void arch_tlb_flush(const struct arch_space *space, vaddr_t address, uint64_t length,
                    uint32_t remote_mask)
{
    const uint64_t start = round_down(address.value, NX_PAGE_SIZE);
    const uint64_t end = round_up(address.value + length, NX_PAGE_SIZE);

    if (end - start > FLUSH_PAGES_MAX * NX_PAGE_SIZE)
        tlb_fence_asid(space->asid);
    else
        for (uint64_t at = start; at < end; at += NX_PAGE_SIZE)
            tlb_fence_page(at, space->asid);
    if (remote_mask != 0) {
        tlb_check_remote(sbi_remote_sfence_vma_asid(remote_mask, start, end - start, space->asid),
                         remote_mask);
    }
}

void arch_fetch_fence(uint32_t remote_mask)
{
    __asm__ volatile("fence rw, rw\n\tfence.i" ::: "memory");
    if (remote_mask != 0)
        tlb_check_remote(sbi_remote_fence_i(remote_mask), remote_mask);
}
