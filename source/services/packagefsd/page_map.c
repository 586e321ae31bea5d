// SPDX-License-Identifier: Apache-2.0
// Which pages of a file are valid.
#include "page_map.h"

#define WORD_BITS 64u

void page_map_init(struct page_map *map, uint64_t *bits, uint64_t pages)
{
    *map = (struct page_map){.bits = bits, .pages = pages};
}

// The first page in [first, end) whose bit is `wanted`; `end` when there is none.
static uint64_t page_find(const struct page_map *map, uint64_t first, uint64_t end, bool wanted)
{
    while (first < end) {
        uint64_t word = map->bits[first / WORD_BITS];
        uint64_t matches = (wanted ? word : ~word) >> (first % WORD_BITS);
        if (matches != 0) {
            uint64_t found = first + (uint64_t)__builtin_ctzll(matches);
            return found < end ? found : end;
        }
        first += WORD_BITS - first % WORD_BITS;
    }
    return end;
}

bool page_map_missing(const struct page_map *map, uint64_t first, uint64_t end,
                      struct page_run *run)
{
    run->first = page_find(map, first, end, false);
    run->end = page_find(map, run->first, end, true);
    return run->first < end;
}

uint64_t page_map_valid_prefix(const struct page_map *map)
{
    return map->valid == map->pages ? map->pages : page_find(map, 0, map->pages, false);
}

bool page_map_any(const struct page_map *map, uint64_t first, uint64_t end)
{
    return page_find(map, first, end, true) < end;
}

// The bits of [*first, end) that lie in the word of *first; *first moves behind them.
static uint64_t word_mask(uint64_t *first, uint64_t end)
{
    uint64_t in_word = WORD_BITS - *first % WORD_BITS;
    uint64_t count = end - *first < in_word ? end - *first : in_word;
    uint64_t mask = (~UINT64_C(0) >> (WORD_BITS - count)) << (*first % WORD_BITS);

    *first += count;
    return mask;
}

void page_map_set(struct page_map *map, uint64_t first, uint64_t end)
{
    while (first < end) {
        uint64_t *word = &map->bits[first / WORD_BITS];
        uint64_t mask = word_mask(&first, end);
        map->valid += (uint64_t)__builtin_popcountll(mask & ~*word);
        *word |= mask;
    }
}

void page_map_clear(struct page_map *map, uint64_t first, uint64_t end)
{
    while (first < end) {
        uint64_t *word = &map->bits[first / WORD_BITS];
        uint64_t mask = word_mask(&first, end);
        map->valid -= (uint64_t)__builtin_popcountll(mask & *word);
        *word &= ~mask;
    }
}
