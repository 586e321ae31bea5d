// SPDX-License-Identifier: Apache-2.0
// Page tables and translation caches of the fake machine.
//
// Tables are real: three levels in frames of RAM. Each hart caches translations and forgets them
// only when told to, so that an unmap without its flush lets a program reach memory that it lost.
#include "fake.h"
#include "fake_private.h"

#include "arch_inline.h"
#include "core/hart.h"
#include "mm/frame.h"

#define ENTRIES     512u
#define ENTRY_VALID (1ull << 3) // below it the permissions, above it the frame
#define ROOT_LEVEL  2

static _Atomic uint64_t *entry_of(paddr_t table, uint64_t address, int level)
{
    _Atomic uint64_t *entries = arch_direct_map(table);
    return &entries[address >> (NX_PAGE_SHIFT + 9 * level) & (ENTRIES - 1)];
}

static paddr_t frame_of(uint64_t entry)
{
    return paddr(round_down(entry, NX_PAGE_SIZE));
}

// The leaf's entry; missing tables are made and counted in *tables unless that is NULL.
static enum nx_status find_leaf(paddr_t table, uint64_t address, uint32_t *tables,
                                _Atomic uint64_t **leaf)
{
    *leaf = NULL;
    for (int level = ROOT_LEVEL; level > 0; level--) {
        _Atomic uint64_t *entry = entry_of(table, address, level);
        // Acquire: pairs with the release below, as a hardware walk sees a new table zeroed.
        uint64_t value = atomic_load_explicit(entry, memory_order_acquire);
        if (value == 0) {
            paddr_t frame;
            if (tables == NULL)
                return NX_OK;
            enum nx_status status = frame_alloc(&frame);
            if (status != NX_OK)
                return status;
            value = frame.value | ENTRY_VALID;
            atomic_store_explicit(entry, value, memory_order_release);
            (*tables)++;
        }
        table = frame_of(value);
    }
    *leaf = entry_of(table, address, 0);
    return NX_OK;
}

// Identifiers are never used twice, so a translation that outlives its space harms nobody.
static _Atomic uint64_t last_identifier;

enum nx_status arch_space_create(struct arch_space *space)
{
    space->identifier = atomic_fetch_add(&last_identifier, 1) + 1;
    return frame_alloc(&space->root);
}

static uint32_t free_tables(paddr_t table, int level)
{
    uint32_t freed = 1;
    for (uint64_t i = 0; i < ENTRIES; i++) {
        uint64_t entry =
            atomic_load_explicit(entry_of(table, i << NX_PAGE_SHIFT, 0), memory_order_relaxed);
        if (entry == 0)
            continue;
        FAKE_CHECK(level > 0); // a leaf is left
        freed += free_tables(frame_of(entry), level - 1);
    }
    frame_free(table);
    return freed;
}

bool arch_space_destroy_some(struct arch_space *space, uint32_t *tables)
{
    for (uint32_t i = 0; i < hart_count(); i++) {
        struct arch_hart *arch = &harts[i].arch;
        pthread_mutex_lock(&arch->tlb_lock);
        FAKE_CHECK(arch->active.identifier != space->identifier);
        pthread_mutex_unlock(&arch->tlb_lock);
    }
    *tables = free_tables(space->root, ROOT_LEVEL) - 1;
    space->root = paddr(0);
    return true;
}

enum nx_status arch_space_map(struct arch_space *space, vaddr_t first, const paddr_t *frames,
                              uint32_t count, uint32_t prot, uint32_t *tables)
{
    FAKE_CHECK((prot & (ARCH_PROT_WRITE | ARCH_PROT_EXECUTE)) !=
               (ARCH_PROT_WRITE | ARCH_PROT_EXECUTE));
    FAKE_CHECK(first.value % ARCH_TABLE_BYTES + count * NX_PAGE_SIZE <= ARCH_TABLE_BYTES);
    _Atomic uint64_t *leaf;
    enum nx_status status = find_leaf(space->root, first.value, tables, &leaf);
    if (status != NX_OK)
        return status;
    for (uint32_t i = 0; i < count; i++)
        if (frames[i].value != 0 && atomic_load_explicit(&leaf[i], memory_order_relaxed) == 0)
            atomic_store_explicit(&leaf[i], frames[i].value | ENTRY_VALID | prot,
                                  memory_order_release);
    return NX_OK;
}

bool arch_space_unmap(struct arch_space *space, vaddr_t first, uint32_t count)
{
    _Atomic uint64_t *leaf;
    bool any = false;
    FAKE_CHECK(first.value % ARCH_TABLE_BYTES + count * NX_PAGE_SIZE <= ARCH_TABLE_BYTES);
    if (find_leaf(space->root, first.value, NULL, &leaf) != NX_OK || leaf == NULL)
        return false;
    for (uint32_t i = 0; i < count; i++)
        any |= atomic_exchange_explicit(&leaf[i], 0, memory_order_relaxed) != 0;
    return any;
}

bool arch_space_has_table(const struct arch_space *space, vaddr_t address)
{
    _Atomic uint64_t *leaf;
    return find_leaf(space->root, address.value, NULL, &leaf) == NX_OK && leaf != NULL;
}

bool fake_space_query(const struct arch_space *space, vaddr_t address, paddr_t *frame,
                      uint32_t *prot)
{
    _Atomic uint64_t *leaf;
    if (find_leaf(space->root, address.value, NULL, &leaf) != NX_OK || leaf == NULL)
        return false;
    uint64_t entry = atomic_load_explicit(leaf, memory_order_acquire);
    *frame = frame_of(entry);
    *prot = (uint32_t)entry & (ARCH_PROT_READ | ARCH_PROT_WRITE | ARCH_PROT_EXECUTE);
    return entry != 0;
}

static void flush_hart(struct hart *hart, uint64_t identifier, uint64_t start, uint64_t end)
{
    pthread_mutex_lock(&hart->arch.tlb_lock);
    for (uint32_t i = 0; i < FAKE_TLB_ENTRIES; i++) {
        struct fake_translation *entry = &hart->arch.tlb[i];
        if (entry->identifier == identifier && entry->page >= start && entry->page < end)
            entry->identifier = 0;
    }
    pthread_mutex_unlock(&hart->arch.tlb_lock);
}

static _Atomic uint64_t remote_flushes;

uint64_t fake_remote_flushes(void)
{
    return atomic_load(&remote_flushes);
}

void arch_tlb_flush(const struct arch_space *space, vaddr_t address, uint64_t length,
                    uint32_t remote_mask)
{
    uint32_t mask = remote_mask | hart_bit(hart_self());
    atomic_fetch_add(&remote_flushes, remote_mask != 0);
    for (uint32_t i = 0; i < hart_count(); i++)
        if ((mask & (1u << i)) != 0)
            flush_hart(&harts[i], space->identifier, address.value, address.value + length);
}

void arch_tlb_flush_all_local(void)
{
    pthread_mutex_lock(&hart_self()->arch.tlb_lock);
    for (uint32_t i = 0; i < FAKE_TLB_ENTRIES; i++)
        hart_self()->arch.tlb[i].identifier = 0;
    pthread_mutex_unlock(&hart_self()->arch.tlb_lock);
}

void arch_space_activate(const struct arch_space *space)
{
    struct arch_hart *arch = arch_hart_of(arch_hart_self());
    pthread_mutex_lock(&arch->tlb_lock);
    arch->active = space != NULL ? *space : (struct arch_space){0};
    pthread_mutex_unlock(&arch->tlb_lock);
}

void arch_fetch_fence(uint32_t remote_mask)
{
    (void)remote_mask;
}

bool fake_user_access(struct hart *hart, uint64_t address, uint32_t prot, uint64_t *value)
{
    struct arch_hart *arch = &hart->arch;
    uint64_t page = round_down(address, NX_PAGE_SIZE);
    // Held over the access: a flush that has returned means that no access is under way.
    pthread_mutex_lock(&arch->tlb_lock);
    const struct arch_space space = arch->active;
    struct fake_translation *entry = &arch->tlb[page / NX_PAGE_SIZE % FAKE_TLB_ENTRIES];
    if (entry->identifier != space.identifier || entry->page != page ||
        (entry->prot & prot) != prot) {
        paddr_t frame;
        uint32_t granted;
        if (space.root.value == 0 || !fake_space_query(&space, vaddr(page), &frame, &granted) ||
            (granted & prot) != prot) {
            pthread_mutex_unlock(&arch->tlb_lock);
            return false;
        }
        *entry = (struct fake_translation){space.identifier, page, frame.value, granted};
    }
    _Atomic uint64_t *word = arch_direct_map(paddr(entry->frame + address % NX_PAGE_SIZE));
    if (prot == ARCH_PROT_WRITE)
        atomic_store_explicit(word, *value, memory_order_relaxed);
    else
        *value = atomic_load_explicit(word, memory_order_relaxed);
    pthread_mutex_unlock(&arch->tlb_lock);
    return true;
}
