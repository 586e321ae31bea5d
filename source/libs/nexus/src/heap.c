// SPDX-License-Identifier: Apache-2.0
// The heap under malloc: a reserved range of the address space that grows page by page.
//
// Pages are committed as they are handed out, so that malloc fails where the process's budget ends,
// rather than a later access. picolibc's malloc holds its lock around sbrk, which is all the
// locking that this needs.
#include "nexus/memory.h"
#include <errno.h>
#include <stdbool.h>
#include <unistd.h>

#define HEAP_BYTES_MAX (64ul << 20) // reserved: the process's budget is the limit
// Left of the budget for the stack's growth and for what the kernel needs to map pages that are
// committed: its tables, one page for every 512, twice (the memory object's and the page table).
#define RESERVE_PAGES   24ul
#define PAGES_PER_TABLE 256ul

static char *heap_base; // NULL until the first sbrk
static nx_handle heap_memory;
static size_t heap_used;
static size_t heap_committed; // whole pages from heap_base on

static bool budget_allows(uint64_t pages)
{
    struct nx_process_facts facts;
    uint64_t needed = pages + pages / PAGES_PER_TABLE + RESERVE_PAGES;
    return nx_process_info(NX_HANDLE_NONE, &facts) == NX_OK &&
           facts.pages_used + needed <= facts.pages_budget;
}

static bool heap_commit(size_t used)
{
    size_t wanted = NX_PAGE_ROUND_UP(used);
    if (wanted <= heap_committed) {
        return true;
    }
    size_t more = wanted - heap_committed;
    if (!budget_allows(more / NX_PAGE_SIZE) ||
        nx_memory_commit(heap_memory, heap_committed, more) != NX_OK) {
        return false;
    }
    heap_committed = wanted;
    return true;
}

static bool heap_reserve(void)
{
    void *base;
    if (heap_base == NULL && nx_memory_new(HEAP_BYTES_MAX, 0, &heap_memory, &base) == NX_OK) {
        heap_base = base;
    }
    return heap_base != NULL;
}

void *sbrk(ptrdiff_t increment)
{
    bool fits = increment >= 0 ? (size_t)increment <= HEAP_BYTES_MAX - heap_used
                               : (size_t)-increment <= heap_used;
    if (!fits || !heap_reserve() || !heap_commit(heap_used + (size_t)increment)) {
        errno = ENOMEM;
        return (void *)-1;
    }
    char *previous = heap_base + heap_used;
    heap_used += (size_t)increment;
    return previous;
}
