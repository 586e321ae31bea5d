// SPDX-License-Identifier: Apache-2.0
// Sv39 page tables (privileged architecture 1.12, 4.4), and the kernel's half of every one.
#ifndef ARCH_PAGING_H
#define ARCH_PAGING_H

#include "arch_inline.h"
#include <stdatomic.h>

#define PTE_V (1ul << 0)
#define PTE_R (1ul << 1)
#define PTE_W (1ul << 2)
#define PTE_X (1ul << 3)
#define PTE_U (1ul << 4)
#define PTE_G (1ul << 5)
#define PTE_A (1ul << 6)
#define PTE_D (1ul << 7)

#define PTE_PPN_SHIFT 10
#define PTE_PPN_MASK  ((1ul << 44) - 1)

#define PAGE_TABLE_ENTRIES 512u
#define PAGE_LEVEL_ROOT    2
#define PAGE_LEVEL_LARGE   1 // leaves here map 2 MiB

#define LARGE_PAGE_SIZE (1ul << 21)

// The upper half of a root table is the kernel's.
#define PAGE_TABLE_USER_ENTRIES 256u

struct page_table {
    _Atomic uint64_t entries[PAGE_TABLE_ENTRIES];
};
_Static_assert(sizeof(struct page_table) == NX_PAGE_SIZE, "a table is one frame");

static inline unsigned page_index(uint64_t address, int level)
{
    return (unsigned)(address >> (12 + 9 * level)) & (PAGE_TABLE_ENTRIES - 1);
}

static inline bool pte_is_valid(uint64_t entry)
{
    return (entry & PTE_V) != 0;
}

static inline bool pte_is_leaf(uint64_t entry)
{
    return (entry & (PTE_R | PTE_W | PTE_X)) != 0;
}

static inline paddr_t pte_address(uint64_t entry)
{
    return paddr((entry >> PTE_PPN_SHIFT & PTE_PPN_MASK) << NX_PAGE_SHIFT);
}

static inline uint64_t pte_make(paddr_t address, uint64_t flags)
{
    return (address.value >> NX_PAGE_SHIFT) << PTE_PPN_SHIFT | flags;
}

static inline struct page_table *pte_table(uint64_t entry)
{
    return arch_direct_map(pte_address(entry));
}

static inline uint64_t satp_make(paddr_t root, uint32_t asid)
{
    return SATP_MODE_SV39 | (uint64_t)asid << SATP_ASID_SHIFT | root.value >> NX_PAGE_SHIFT;
}

// A new valid entry is ordered before the access that needs it, also where the absence of one may
// be cached (4.2.1; pitfall 12).
static inline void tlb_fence_page(uint64_t address, uint32_t asid)
{
    __asm__ volatile("sfence.vma %0, %1" ::"r"(address), "r"((uint64_t)asid) : "memory");
}

static inline void tlb_fence_asid(uint32_t asid)
{
    __asm__ volatile("sfence.vma zero, %0" ::"r"((uint64_t)asid) : "memory");
}

// Panics if a remote fence failed for `mask`: isolation is gone.
void tlb_check_remote(enum nx_status status, uint32_t mask);

// The kernel's own root table. Its upper half is constant after arch_kernel_table_build.
extern struct page_table kernel_root;

#endif
