// SPDX-License-Identifier: Apache-2.0
// Memory for kernel objects: frames cut into equal slots, one list of partly used frames per size.
#include "object/pool.h"

#include "arch/arch.h"
#include "arch_inline.h"
#include "core/counter.h"
#include "core/lock.h"
#include "core/lock_inline.h"
#include "core/panic.h"
#include "mm/frame.h"
#include <string.h>

struct pool_slot {
    struct pool_slot *next;
};

// The header at the start of each frame. All fields are guarded by pool_lock.
struct pool_page {
    struct pool_page *next; // list of pages with a free slot
    struct pool_page *previous;
    struct pool_slot *free;
    uint32_t used;
    uint32_t class;
};

#define POOL_HEADER_SIZE 64u
_Static_assert(sizeof(struct pool_page) <= POOL_HEADER_SIZE, "slots start after the header");

// Slot sizes: multiples of 64 that leave little of a frame unused.
static const uint16_t pool_sizes[] = {64, 128, 256, 448, 640, 768, 960, 1344, 1984, 4032};
static struct pool_page *pool_partial[ARRAY_LENGTH(pool_sizes)];
static struct lock pool_lock = LOCK_INITIALIZER(LOCK_RANK_POOL);
// Changed under pool_lock.
_Atomic uint64_t pool_frames;
_Atomic uint64_t pool_bytes;

static uint32_t pool_class(size_t size)
{
    uint32_t class = 0;
    while (pool_sizes[class] < size)
        class ++;
    return class;
}

static void pool_link(struct pool_page *page)
{
    page->previous = NULL;
    page->next = pool_partial[page->class];
    if (page->next != NULL)
        page->next->previous = page;
    pool_partial[page->class] = page;
}

static void pool_unlink(struct pool_page *page)
{
    if (page->previous != NULL)
        page->previous->next = page->next;
    else
        pool_partial[page->class] = page->next;
    if (page->next != NULL)
        page->next->previous = page->previous;
}

static struct pool_page *pool_grow(uint32_t class)
{
    paddr_t frame;
    if (frame_alloc(&frame) != NX_OK)
        return NULL;
    struct pool_page *page = arch_direct_map(frame);
    page->class = class;
    size_t size = pool_sizes[class];
    for (size_t offset = POOL_HEADER_SIZE; offset + size <= NX_PAGE_SIZE; offset += size) {
        struct pool_slot *slot = (struct pool_slot *)(void *)((char *)page + offset);
        slot->next = page->free;
        page->free = slot;
    }
    pool_link(page);
    counter_add(&pool_frames, 1);
    return page;
}

void *pool_alloc(size_t size)
{
    ASSERT(size > 0 && size <= POOL_SIZE_MAX);
    uint32_t class = pool_class(size);
    lock_acquire_fast(&pool_lock);
    struct pool_page *page = pool_partial[class];
    if (page == NULL)
        page = pool_grow(class);
    struct pool_slot *slot = NULL;
    if (page != NULL) {
        slot = page->free;
        page->free = slot->next;
        page->used++;
        counter_add(&pool_bytes, pool_sizes[class]);
        if (page->free == NULL)
            pool_unlink(page);
    }
    lock_release_fast(&pool_lock);
    if (slot != NULL)
        memset(slot, 0, pool_sizes[class]);
    return slot;
}

void pool_free(void *memory)
{
    struct pool_page *page =
        (struct pool_page *)(void *)((uintptr_t)memory & ~(uintptr_t)(NX_PAGE_SIZE - 1));
    struct pool_slot *slot = memory;
    bool empty = false;
    lock_acquire_fast(&pool_lock);
    ASSERT(page->used > 0);
    if (page->free == NULL)
        pool_link(page);
    slot->next = page->free;
    page->free = slot;
    page->used--;
    counter_set(&pool_bytes, counter_read(&pool_bytes) - pool_sizes[page->class]);
    if (page->used == 0) {
        pool_unlink(page);
        counter_set(&pool_frames, counter_read(&pool_frames) - 1);
        empty = true;
    }
    lock_release_fast(&pool_lock);
    if (empty)
        frame_free(arch_direct_unmap(page));
}
