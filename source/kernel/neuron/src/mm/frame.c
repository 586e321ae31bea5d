// SPDX-License-Identifier: Apache-2.0
// Physical frames: a buddy allocator over every RAM range of the machine.
//
// Free blocks are linked through their own first bytes; one bit per block and order says whether
// that block is free, which is all that merging needs. The bitmaps of a range are carved from it.
//
// Single frames go through a cache of each hart, so that two harts share no lock while neither runs
// out. A cache has a lock because a hart that finds the allocator empty empties all of them.
#include "mm/frame.h"

#include "arch/arch.h"
#include "arch_inline.h"
#include "core/hart.h"
#include "core/lock.h"
#include "core/machine.h"
#include "core/panic.h"
#include <string.h>

#define ORDERS (FRAME_ORDER_MAX + 1)

// At the start of each free block. Guarded by frame_lock.
struct free_block {
    struct free_block *next;
    struct free_block *previous;
};

// One RAM range, aligned outwards to the largest block so that block numbers are address bits.
struct zone {
    uint64_t base;
    uint64_t end;
    uint64_t *bitmap[ORDERS]; // bit n: block n of this order is free
};

static struct lock frame_lock = LOCK_INITIALIZER(LOCK_RANK_FRAME);
// All guarded by frame_lock.
static struct zone zones[MACHINE_MEMORY_RANGES_MAX];
static uint32_t zone_count;
static struct free_block *free_lists[ORDERS];
static uint64_t total_frames;
static uint64_t free_frames;

// Frames that a cache takes at once, as one block where there is one; and that it holds at most.
#define CACHE_REFILL_ORDER 4u
#define CACHE_MAX          (2u << CACHE_REFILL_ORDER)
// Frames that frame_prepare wants a hart to have: the tables that one entry may need.
#define FRAMES_AT_HAND 2u
// Frames that go back under one hold of the locks: each may merge through all orders.
#define CACHE_DRAIN 2u

// Single free frames of a hart, last in, first out. They count as free.
struct frame_cache {
    struct lock lock; // rank FRAME_CACHE; guards the rest
    uint32_t count;
    uint64_t frames[CACHE_MAX];
};
static struct frame_cache caches[NX_HARTS_MAX];

// Linker script: the image's first and past-the-end bytes.
extern char __kernel_start[];
extern char __kernel_end[];

static uint64_t block_size(uint32_t order)
{
    return NX_PAGE_SIZE << order;
}

static struct zone *zone_of(uint64_t address)
{
    for (uint32_t i = 0; i < zone_count; i++)
        if (address >= zones[i].base && address < zones[i].end)
            return &zones[i];
    panic("frame %lx is in no memory range", address);
}

static uint64_t block_number(const struct zone *zone, uint64_t address, uint32_t order)
{
    return (address - zone->base) / block_size(order);
}

static bool test_bit(const struct zone *zone, uint64_t address, uint32_t order)
{
    uint64_t number = block_number(zone, address, order);
    return (zone->bitmap[order][number / 64] >> (number % 64) & 1) != 0;
}

static void flip_bit(struct zone *zone, uint64_t address, uint32_t order)
{
    uint64_t number = block_number(zone, address, order);
    zone->bitmap[order][number / 64] ^= 1ull << (number % 64);
}

static void list_push(struct zone *zone, uint64_t address, uint32_t order)
{
    struct free_block *block = arch_direct_map(paddr(address));
    block->previous = NULL;
    block->next = free_lists[order];
    if (block->next != NULL)
        block->next->previous = block;
    free_lists[order] = block;
    flip_bit(zone, address, order);
}

static void list_remove(struct zone *zone, uint64_t address, uint32_t order)
{
    struct free_block *block = arch_direct_map(paddr(address));
    if (block->previous != NULL)
        block->previous->next = block->next;
    else
        free_lists[order] = block->next;
    if (block->next != NULL)
        block->next->previous = block->previous;
    flip_bit(zone, address, order);
}

// Frees a block and merges it upwards. The lock is held, or the machine is still single-hart.
static void free_locked(uint64_t address, uint32_t order)
{
    struct zone *zone = zone_of(address);
    ASSERT(!test_bit(zone, address, order));
    free_frames += 1ull << order;
    while (order < FRAME_ORDER_MAX) {
        uint64_t buddy = zone->base + ((address - zone->base) ^ block_size(order));
        if (buddy + block_size(order) > zone->end || !test_bit(zone, buddy, order))
            break;
        list_remove(zone, buddy, order);
        if (buddy < address)
            address = buddy;
        order++;
    }
    list_push(zone, address, order);
}

static bool alloc_locked(uint32_t order, uint64_t *address)
{
    uint32_t from = order;
    while (from < ORDERS && free_lists[from] == NULL)
        from++;
    if (from == ORDERS)
        return false;
    *address = arch_direct_unmap(free_lists[from]).value;
    struct zone *zone = zone_of(*address);
    list_remove(zone, *address, from);
    while (from > order) {
        from--;
        list_push(zone, *address + block_size(from), from);
    }
    free_frames -= 1ull << order;
    return true;
}

void frame_zero(paddr_t frame)
{
    uint64_t *word = arch_direct_map(frame);
// So that a page costs little more than its 512 stores.
#pragma GCC unroll 64
    for (unsigned i = 0; i < NX_PAGE_SIZE / sizeof(*word); i++)
        word[i] = 0;
}

// --- Caches of single frames
// ----------------------------------------------------------------------

// The cache's lock is held. Out of line, like its counterpart, so that the usual case is short.
__attribute__((noinline)) static void cache_refill(struct frame_cache *cache)
{
    uint64_t first;
    bool found = false;
    uint32_t frames = 2u << CACHE_REFILL_ORDER;
    lock_acquire(&frame_lock);
    while (!found && frames > 1) {
        frames /= 2;
        found = alloc_locked((uint32_t)__builtin_ctz(frames), &first);
    }
    lock_release(&frame_lock);
    // The lowest comes out first.
    while (found && frames > 0)
        cache->frames[cache->count++] = first + --frames * NX_PAGE_SIZE;
}

// Gives some frames back. The cache's lock is held.
__attribute__((noinline)) static void cache_drain(struct frame_cache *cache)
{
    lock_acquire(&frame_lock);
    for (uint32_t i = 0; i < CACHE_DRAIN && cache->count > 0; i++)
        free_locked(cache->frames[--cache->count], 0);
    lock_release(&frame_lock);
}

static void drain_all(void)
{
    for (uint32_t i = 0; i < NX_HARTS_MAX * (CACHE_MAX / CACHE_DRAIN); i++) {
        struct frame_cache *cache = &caches[i % NX_HARTS_MAX];
        lock_acquire(&cache->lock);
        cache_drain(cache);
        lock_release(&cache->lock);
    }
}

static bool take_frame(uint64_t *address)
{
    struct frame_cache *cache = &caches[hart_self()->index.value];
    lock_acquire(&cache->lock);
    if (cache->count == 0)
        cache_refill(cache);
    bool found = cache->count > 0;
    if (found)
        *address = cache->frames[--cache->count];
    lock_release(&cache->lock);
    return found;
}

void frame_prepare(void)
{
    struct frame_cache *cache = &caches[hart_self()->index.value];
    lock_acquire(&cache->lock);
    if (cache->count < FRAMES_AT_HAND)
        cache_refill(cache);
    lock_release(&cache->lock);
}

static bool take_block(uint32_t order, uint64_t *address)
{
    lock_acquire(&frame_lock);
    bool found = alloc_locked(order, address);
    lock_release(&frame_lock);
    return found;
}

// Empties all caches; false: no frame is free anywhere.
__attribute__((noinline)) static bool collect(void)
{
    if (frame_free_count() == 0)
        return false;
    drain_all();
    return true;
}

enum nx_status frame_alloc_block(uint32_t order, paddr_t *first)
{
    if (order > FRAME_ORDER_MAX)
        return NX_ERR_NO_MEMORY;
    uint64_t address = 0;
    bool found = take_block(order, &address);
    if (!found && collect())
        found = take_block(order, &address);
    *first = paddr(address);
    return found ? NX_OK : NX_ERR_NO_MEMORY;
}

void frame_free_block(paddr_t first, uint32_t order)
{
    ASSERT(is_aligned(first.value, NX_PAGE_SIZE));
    lock_acquire(&frame_lock);
    free_locked(first.value, order);
    lock_release(&frame_lock);
}

enum nx_status frame_alloc(paddr_t *frame)
{
    // Again for as long as another hart takes what was drained.
    while (!take_frame(&frame->value))
        if (!collect())
            return NX_ERR_NO_MEMORY;
    frame_zero(*frame);
    return NX_OK;
}

void frame_free(paddr_t frame)
{
    ASSERT(is_aligned(frame.value, NX_PAGE_SIZE));
    struct frame_cache *cache = &caches[hart_self()->index.value];
    lock_acquire(&cache->lock);
    if (cache->count == CACHE_MAX)
        cache_drain(cache);
    cache->frames[cache->count++] = frame.value;
    lock_release(&cache->lock);
}

uint64_t frame_total_count(void)
{
    return total_frames;
}

uint64_t frame_free_count(void)
{
    lock_acquire(&frame_lock);
    uint64_t count = free_frames;
    lock_release(&frame_lock);
    for (uint32_t i = 0; i < NX_HARTS_MAX; i++) {
        lock_acquire(&caches[i].lock);
        count += caches[i].count;
        lock_release(&caches[i].lock);
    }
    return count;
}

// --- Boot
// -----------------------------------------------------------------------------------------

// The reserved ranges, the image, the device tree and the archive, rounded out to pages.
static struct physical_range kept[MACHINE_RESERVED_RANGES_MAX + 4];
static uint32_t kept_count;

static void keep(uint64_t base, uint64_t size)
{
    uint64_t start = round_down(base, NX_PAGE_SIZE);
    uint64_t end = size > UINT64_MAX - NX_PAGE_SIZE - base ? UINT64_MAX - NX_PAGE_SIZE
                                                           : round_up(base + size, NX_PAGE_SIZE);
    ASSERT(kept_count < ARRAY_LENGTH(kept));
    kept[kept_count++] = (struct physical_range){paddr(start), end - start};
}

// The first kept byte at or after `address`, and where that kept range ends; false if none.
static bool next_kept(uint64_t address, uint64_t *start, uint64_t *end)
{
    bool found = false;
    for (uint32_t i = 0; i < kept_count; i++) {
        uint64_t base = kept[i].base.value;
        uint64_t limit = base + kept[i].size;
        if (limit <= address || (found && base >= *start))
            continue;
        *start = base;
        *end = limit;
        found = true;
    }
    return found;
}

// Calls `use` for each maximal stretch of [start, end) that is not kept; stops when it returns
// true.
static void for_each_usable(uint64_t start, uint64_t end,
                            bool (*use)(struct zone *zone, uint64_t start, uint64_t end),
                            struct zone *zone)
{
    while (start < end) {
        uint64_t kept_start = end;
        uint64_t kept_end = end;
        if (!next_kept(start, &kept_start, &kept_end) || kept_start > end)
            kept_start = end;
        if (kept_start > start && use(zone, start, kept_start))
            return;
        start = kept_end > kept_start ? kept_end : end;
    }
}

static uint64_t bitmap_bytes(const struct zone *zone, uint32_t order)
{
    uint64_t blocks = (zone->end - zone->base) / block_size(order) + 1;
    return round_up(blocks, 64) / 8;
}

// Carves the zone's bitmaps from the first stretch that is large enough.
static bool carve_bitmaps(struct zone *zone, uint64_t start, uint64_t end)
{
    uint64_t bytes = 0;
    for (uint32_t order = 0; order < ORDERS; order++)
        bytes += bitmap_bytes(zone, order);
    if (end - start < bytes)
        return false;
    char *memory = arch_direct_map(paddr(start));
    memset(memory, 0, bytes);
    for (uint32_t order = 0; order < ORDERS; order++) {
        zone->bitmap[order] = (uint64_t *)(void *)memory;
        memory += bitmap_bytes(zone, order);
    }
    keep(start, bytes);
    return true;
}

// Frees a stretch in the largest aligned blocks that fit.
static bool free_stretch(struct zone *zone, uint64_t start, uint64_t end)
{
    total_frames += (end - start) / NX_PAGE_SIZE;
    while (start < end) {
        uint32_t order = FRAME_ORDER_MAX;
        while (!is_aligned(start - zone->base, block_size(order)) ||
               end - start < block_size(order))
            order--;
        free_locked(start, order);
        start += block_size(order);
    }
    return false;
}

void frame_init(void)
{
    for (uint32_t i = 0; i < NX_HARTS_MAX; i++)
        lock_init(&caches[i].lock, LOCK_RANK_FRAME_CACHE);
    for (uint32_t i = 0; i < machine.reserved_count; i++)
        keep(machine.reserved[i].base.value, machine.reserved[i].size);
    keep(arch_direct_unmap(__kernel_start).value, (uint64_t)(__kernel_end - __kernel_start));
    keep(machine.devicetree.value, machine.devicetree_size);
    keep(machine.archive.base.value, machine.archive.size);
    for (uint32_t i = 0; i < machine.memory_count; i++) {
        uint64_t start = round_up(machine.memory[i].base.value, NX_PAGE_SIZE);
        uint64_t end =
            round_down(machine.memory[i].base.value + machine.memory[i].size, NX_PAGE_SIZE);
        if (start >= end)
            continue;
        struct zone *zone = &zones[zone_count++];
        zone->base = round_down(start, block_size(FRAME_ORDER_MAX));
        zone->end = end;
        for_each_usable(start, end, carve_bitmaps, zone);
        if (zone->bitmap[0] == NULL) {
            zone_count--;
            continue;
        }
        for_each_usable(start, end, free_stretch, zone);
        kept_count--; // the bitmaps: they lie in no other range
    }
}
