// SPDX-License-Identifier: Apache-2.0
// Which pages of a file are valid: one bit a page. Page numbers count from 0; ranges are half open.
#ifndef PACKAGEFSD_PAGE_MAP_H
#define PACKAGEFSD_PAGE_MAP_H

#include <stdbool.h>
#include <stdint.h>

struct page_map {
    uint64_t *bits; // PAGE_MAP_WORDS(pages) words, the caller's
    uint64_t pages; // constant
    uint64_t valid; // pages whose bit is set
};

struct page_run {
    uint64_t first;
    uint64_t end;
};

#define PAGE_MAP_WORDS(pages) (((pages) + 63) / 64)

// `bits` are all zero and stay the caller's.
void page_map_init(struct page_map *map, uint64_t *bits, uint64_t pages);

// The first run of pages in [first, end) that are not valid; false: all of them are.
// end <= map->pages.
bool page_map_missing(const struct page_map *map, uint64_t first, uint64_t end,
                      struct page_run *run);

// How many pages from the first on are valid without a gap.
uint64_t page_map_valid_prefix(const struct page_map *map);

// Marks [first, end) valid; some may be already. end <= map->pages.
void page_map_set(struct page_map *map, uint64_t first, uint64_t end);

// Marks [first, end) not valid. end <= map->pages.
void page_map_clear(struct page_map *map, uint64_t first, uint64_t end);

// Whether a page of [first, end) is valid. end <= map->pages.
bool page_map_any(const struct page_map *map, uint64_t first, uint64_t end);

#endif
