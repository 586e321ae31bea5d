// SPDX-License-Identifier: Apache-2.0
// The cache of the image's metadata: superblock, inodes, directories, chunk maps, inline tails.
//
// It holds lines of 32 KiB: eight 4 KiB blocks that are fetched by one request, so that what lies
// beside a wanted block (the next inode, the rest of the directory) is there already. When a line
// cannot be fetched whole, the wanted block is fetched by itself: a damaged block takes no
// neighbour with it. The lines' memory and the way to fill them are the caller's; the line used
// longest ago makes room.
//
//     block_cache_init -> block_cache_read ...
//
// No locks: one owner calls. `fill` must not call back into the cache.
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

struct block_cache_line {
    struct recency_link use;       // every line is in the list
    struct block_cache_line *next; // in its bucket's chain, while claimed
    uint64_t number;               // of the line in the image, while claimed
    bool claimed;
    uint8_t blocks; // mask of the blocks that are there
};

struct block_cache {
    // Constant after init.
    const uint8_t *memory; // BLOCK_CACHE_BYTES
    uint64_t size;         // bytes of the image
    // Fetches [offset, offset + length) of the image to `place` bytes into the memory. The range
    // starts at a block and ends at a block's end or the image's; it lies in one line.
    enum nx_status (*fill)(void *context, uint64_t offset, uint64_t length, uint64_t place);
    void *context;

    // Owner only.
    struct block_cache_line lines[BLOCK_CACHE_LINES];
    struct block_cache_line *buckets[BLOCK_CACHE_BUCKETS];
    struct recency_list uses;
    struct block_cache_line *latest; // the line read last, or NULL: reads come in clusters
    uint64_t hits;                   // looks at a line that found all they wanted
    uint64_t misses;
};

void block_cache_init(struct block_cache *cache, const void *memory, uint64_t size,
                      enum nx_status (*fill)(void *context, uint64_t offset, uint64_t length,
                                             uint64_t place),
                      void *context);

// Copies [offset, offset + length) of the image. A failed fill fails this read alone; the next one
// tries again.
//   NX_ERR_OUT_OF_RANGE  the range leaves the image
//   what `fill` returns
NX_MUST_CHECK enum nx_status block_cache_read(struct block_cache *cache, uint64_t offset,
                                              void *buffer, size_t length);

#endif
