// SPDX-License-Identifier: Apache-2.0
// The cache of the image's metadata: superblock, inodes, directories, chunk maps, inline tails.
//
// It holds lines of 32 KiB: eight 4 KiB blocks that are fetched by one request, so that what lies
// beside a wanted block (the next inode, the rest of the directory) is there already. Arriving is
// cheap and checking is not: a block is checked when it is first wanted. When a line cannot be
// fetched whole, the wanted block is fetched by itself: a damaged block takes no neighbour with it.
// The lines' memory and the ways to fill and to check them are the caller's; the line used longest
// ago makes room.
//
//     block_cache_init -> block_cache_read ...
//
// No locks: one owner calls. `fill` and `check` must not call back into the cache.
#ifndef PACKAGEFSD_BLOCK_CACHE_H
#define PACKAGEFSD_BLOCK_CACHE_H

#include "nexus/status.h"
#include "recency.h"
#include <stddef.h>
#include <stdint.h>

#define BLOCK_CACHE_BLOCK_BYTES 4096u
#define BLOCK_CACHE_LINE_BLOCKS 8u
#define BLOCK_CACHE_LINE_BYTES  (BLOCK_CACHE_BLOCK_BYTES * BLOCK_CACHE_LINE_BLOCKS)
#define BLOCK_CACHE_LINES       32u
#define BLOCK_CACHE_BYTES       (BLOCK_CACHE_LINE_BYTES * BLOCK_CACHE_LINES)
#define BLOCK_CACHE_BUCKETS     64u // a power of two

// Fetches [offset, offset + length) of the image to `place`. The range starts at a block and ends
// at a block's end or the image's; it lies in one line.
typedef enum nx_status (*block_cache_fill)(void *context, uint64_t offset, uint64_t length,
                                           uint8_t *place);
// Says whether a block that was fetched so may be used; the last one ends with the image.
typedef enum nx_status (*block_cache_check)(void *context, uint64_t offset, uint64_t length,
                                            const uint8_t *block);

struct block_cache_line {
    struct recency_link use;       // every line is in the list
    struct block_cache_line *next; // in its bucket's chain, while claimed
    uint64_t number;               // of the line in the image, while claimed
    bool claimed;
    uint8_t arrived; // mask of the blocks that are there
    uint8_t checked; // mask of those that may be used
};

struct block_cache {
    // Constant after init.
    uint8_t *memory; // BLOCK_CACHE_BYTES that nobody else can write to
    uint64_t size;   // bytes of the image
    block_cache_fill fill;
    block_cache_check check;
    void *context;

    // Owner only.
    struct block_cache_line lines[BLOCK_CACHE_LINES];
    struct block_cache_line *buckets[BLOCK_CACHE_BUCKETS];
    struct recency_list uses;
    struct block_cache_line *latest; // the line read last, or NULL: reads come in clusters
    uint64_t hits;                   // looks at a line that found all they wanted
    uint64_t misses;
};

void block_cache_init(struct block_cache *cache, void *memory, uint64_t size, block_cache_fill fill,
                      block_cache_check check, void *context);

// Copies [offset, offset + length) of the image. A failed fill or check fails this read alone; the
// next one fetches again.
//   NX_ERR_OUT_OF_RANGE  the range leaves the image
//   what `fill` and `check` return
NX_MUST_CHECK enum nx_status block_cache_read(struct block_cache *cache, uint64_t offset,
                                              void *buffer, size_t length);

#endif
