// SPDX-License-Identifier: Apache-2.0
// The kernel's half of every address space: the direct map, built once by the boot hart.
//
// The kernel image is mapped page by page with its sections' permissions and without its guard
// pages, other RAM read-write with leaves as large as alignment allows, and the registers that the
// kernel itself drives. Nothing is writable and executable. Firmware's memory stays out: no kernel
// access to it can be right. Nobody else uses the tables while they are built, so there is no lock.
#include "asid.h"
#include "core/machine.h"
#include "core/panic.h"
#include "mm/frame.h"
#include "paging.h"
#include "stacks.h"

#define KERNEL_LEAF  (PTE_V | PTE_G | PTE_A | PTE_D)
#define KERNEL_RX    (KERNEL_LEAF | PTE_R | PTE_X)
#define KERNEL_R     (KERNEL_LEAF | PTE_R)
#define KERNEL_RW    (KERNEL_LEAF | PTE_R | PTE_W)
#define KERNEL_GUARD 0ul

// The direct map's extent in Sv39's upper half; physical memory beyond it is not used.
#define DIRECT_MAP_SIZE ((uint64_t)PAGE_TABLE_USER_ENTRIES << 30)

// A device tree may give a register window any size; this is more than the kernel can use of one.
#define WINDOW_SIZE_MAX (64ul << 20)

struct page_table kernel_root __attribute__((aligned(NX_PAGE_SIZE)));
uint64_t arch_kernel_satp;

// kernel.ld
extern const char __text_start[], __rodata_start[], __data_start[];
extern const char __kernel_start[], __kernel_end[];

static struct page_table *next_table(_Atomic uint64_t *entry)
{
    const uint64_t present = atomic_load_explicit(entry, memory_order_relaxed);

    if (pte_is_valid(present))
        return pte_is_leaf(present) ? NULL : pte_table(present);
    paddr_t frame;

    if (frame_alloc(&frame) != NX_OK)
        panic("no memory for the kernel's page tables");
    atomic_store_explicit(entry, pte_make(frame, PTE_V), memory_order_relaxed);
    return arch_direct_map(frame);
}

// The table for leaves of `leaf_level` around an address; NULL: a large leaf is there already. Out
// of line, so that its many registers burden only the few calls that need it.
__attribute__((noinline)) static struct page_table *find_table(uint64_t address, int leaf_level)
{
    struct page_table *table = &kernel_root;

    for (int level = PAGE_LEVEL_ROOT; table != NULL && level > leaf_level; level--)
        table = next_table(&table->entries[page_index(address, level)]);
    return table;
}

// Maps one page or, at level 1, one large page. What is mapped already stays as it is: ranges of a
// device tree may overlap.
static void map_leaf(uint64_t physical, int leaf_level, uint64_t flags)
{
    // Where the page before was mapped: mostly the place for this one, too.
    static uint64_t last_region = UINT64_MAX;
    static struct page_table *last_table;
    const uint64_t address = physical + ARCH_DIRECT_MAP_OFFSET;
    const bool known = leaf_level == 0 && address / LARGE_PAGE_SIZE == last_region;
    struct page_table *table = known ? last_table : find_table(address, leaf_level);

    if (table == NULL)
        return;
    if (leaf_level == 0) {
        last_region = address / LARGE_PAGE_SIZE;
        last_table = table;
    }
    _Atomic uint64_t *entry = &table->entries[page_index(address, leaf_level)];

    if (!pte_is_valid(atomic_load_explicit(entry, memory_order_relaxed)))
        atomic_store_explicit(entry, pte_make(paddr(physical), flags), memory_order_relaxed);
}

// --- The image -----------------------------------------------------------------------------------

static uint64_t physical_of(const void *symbol)
{
    return arch_direct_unmap(symbol).value;
}

static bool is_guard_page(uint64_t physical)
{
    for (unsigned i = 0; i < NX_HARTS_MAX; i++)
        if (physical == physical_of(arch_stacks[i].guard) ||
            physical == physical_of(arch_stacks[i].emergency_guard))
            return true;
    return false;
}

static uint64_t image_flags(uint64_t physical)
{
    if (physical < physical_of(__rodata_start))
        return KERNEL_RX;
    if (physical < physical_of(__data_start))
        return KERNEL_R;
    return is_guard_page(physical) ? KERNEL_GUARD : KERNEL_RW;
}

static void map_image(void)
{
    for (uint64_t at = physical_of(__kernel_start); at < physical_of(__kernel_end);
         at += NX_PAGE_SIZE) {
        const uint64_t flags = image_flags(at);

        if (flags != KERNEL_GUARD)
            map_leaf(at, 0, flags);
    }
}

// --- RAM -----------------------------------------------------------------------------------------

static bool overlaps(uint64_t start, uint64_t end, uint64_t base, uint64_t size)
{
    return size != 0 && start < base + size && base < end;
}

static bool overlaps_image(uint64_t start, uint64_t end)
{
    const uint64_t base = physical_of(__kernel_start);

    return overlaps(start, end, base, physical_of(__kernel_end) - base);
}

// Memory that is not the kernel's, such as the firmware's.
static bool overlaps_reserved(uint64_t start, uint64_t end)
{
    for (uint32_t i = 0; i < machine.reserved_count; i++)
        if (overlaps(start, end, machine.reserved[i].base.value, machine.reserved[i].size))
            return true;
    return false;
}

// Not firmware's but the loader's, which may have reserved it to protect what it gives the kernel.
static bool overlaps_gift(uint64_t start, uint64_t end)
{
    return overlaps(start, end, machine.devicetree.value, machine.devicetree_size) ||
           overlaps(start, end, machine.archive.base.value, machine.archive.size);
}

static void map_pages(uint64_t start, uint64_t end)
{
    // The whole first: mostly the image and firmware do not meet.
    const bool image = overlaps_image(start, end);
    const bool reserved = overlaps_reserved(start, end);

    for (uint64_t at = start; at < end; at += NX_PAGE_SIZE)
        if (!(image && overlaps_image(at, at + NX_PAGE_SIZE)) &&
            !(reserved && overlaps_reserved(at, at + NX_PAGE_SIZE) &&
              !overlaps_gift(at, at + NX_PAGE_SIZE)))
            map_leaf(at, 0, KERNEL_RW);
}

static bool may_be_large(uint64_t start, uint64_t end)
{
    if (!is_aligned(start, LARGE_PAGE_SIZE) || end - start != LARGE_PAGE_SIZE ||
        overlaps_image(start, end))
        return false;
    return !overlaps_reserved(start, end);
}

static void map_memory(const struct physical_range *memory)
{
    uint64_t end = memory->base.value + memory->size;

    end = round_down(end < DIRECT_MAP_SIZE ? end : DIRECT_MAP_SIZE, NX_PAGE_SIZE);
    for (uint64_t at = round_up(memory->base.value, NX_PAGE_SIZE); at < end;) {
        const uint64_t boundary = round_down(at, LARGE_PAGE_SIZE) + LARGE_PAGE_SIZE;
        const uint64_t next = boundary < end ? boundary : end;

        if (may_be_large(at, next))
            map_leaf(at, PAGE_LEVEL_LARGE, KERNEL_RW);
        else
            map_pages(at, next);
        at = next;
    }
}

// --- Registers -----------------------------------------------------------------------------------

static void map_window(const struct physical_range *window)
{
    const uint64_t size = window->size < WINDOW_SIZE_MAX ? window->size : WINDOW_SIZE_MAX;
    const uint64_t start = round_down(window->base.value, NX_PAGE_SIZE);

    if (start >= DIRECT_MAP_SIZE || size > DIRECT_MAP_SIZE - start)
        return;
    const uint64_t end = round_up(window->base.value + size, NX_PAGE_SIZE);

    for (uint64_t at = start; at < end;) {
        const bool large = is_aligned(at, LARGE_PAGE_SIZE) && end - at >= LARGE_PAGE_SIZE;

        map_leaf(at, large ? PAGE_LEVEL_LARGE : 0, KERNEL_RW);
        at += large ? LARGE_PAGE_SIZE : NX_PAGE_SIZE;
    }
}

void arch_kernel_table_build(void)
{
    map_image();
    for (uint32_t i = 0; i < machine.memory_count; i++)
        map_memory(&machine.memory[i]);
    if (machine.has_uart)
        map_window(&machine.uart);
    if (machine.has_plic)
        map_window(&machine.plic);
    arch_kernel_satp = satp_make(arch_direct_unmap(&kernel_root), 0);
    arch_tlb_flush_all_local();
    csr_write(satp, arch_kernel_satp);
    arch_tlb_flush_all_local();
    asid_probe();
}
