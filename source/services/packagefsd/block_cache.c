// SPDX-License-Identifier: Apache-2.0
// The cache of the image's metadata.
#include "block_cache.h"
#include <string.h>

void block_cache_init(struct block_cache *cache, void *memory, uint64_t size, block_cache_fill fill,
                      block_cache_check check, void *context)
{
    *cache = (struct block_cache){
        .memory = memory,
        .size = size,
        .fill = fill,
        .check = check,
        .context = context,
    };
    recency_init(&cache->uses);
    for (uint32_t i = 0; i < BLOCK_CACHE_LINES; i++) {
        recency_add(&cache->uses, &cache->lines[i].use);
    }
}

static struct block_cache_line **bucket_of(struct block_cache *cache, uint64_t number)
{
    return &cache->buckets[number % BLOCK_CACHE_BUCKETS];
}

static struct block_cache_line *line_find(struct block_cache *cache, uint64_t number)
{
    struct block_cache_line *line = *bucket_of(cache, number);
    while (line != NULL && line->number != number) {
        line = line->next;
    }
    return line;
}

static void line_release(struct block_cache *cache, struct block_cache_line *line)
{
    struct block_cache_line **link = bucket_of(cache, line->number);
    while (*link != line) {
        link = &(*link)->next;
    }
    *link = line->next;
    line->claimed = false;
}

// The oldest line, emptied, now that of `number`.
static struct block_cache_line *line_claim(struct block_cache *cache, uint64_t number)
{
    struct block_cache_line *line =
        RECENCY_MEMBER(recency_oldest(&cache->uses), struct block_cache_line, use);
    struct block_cache_line **bucket = bucket_of(cache, number);

    if (line->claimed) {
        line_release(cache, line);
    }
    line->number = number;
    line->claimed = true;
    line->arrived = 0;
    line->checked = 0;
    line->next = *bucket;
    *bucket = line;
    return line;
}

// The line of `number`, the newest from here on; it may hold nothing yet.
static struct block_cache_line *line_get(struct block_cache *cache, uint64_t number)
{
    struct block_cache_line *line = cache->latest;

    if (line != NULL && line->number == number) {
        return line;
    }
    line = line_find(cache, number);
    if (line == NULL) {
        line = line_claim(cache, number);
    }
    recency_touch(&cache->uses, &line->use);
    cache->latest = line;
    return line;
}

static uint8_t *line_bytes(const struct block_cache *cache, const struct block_cache_line *line)
{
    return cache->memory + (uint64_t)(line - cache->lines) * BLOCK_CACHE_LINE_BYTES;
}

// The bytes of `count` blocks of the line from `block` on, as far as the image goes.
static uint64_t range_bytes(const struct block_cache *cache, const struct block_cache_line *line,
                            uint32_t block, uint32_t count, uint64_t *offset)
{
    uint64_t length = (uint64_t)count * BLOCK_CACHE_BLOCK_BYTES;

    *offset = line->number * BLOCK_CACHE_LINE_BYTES + (uint64_t)block * BLOCK_CACHE_BLOCK_BYTES;
    return length < cache->size - *offset ? length : cache->size - *offset;
}

static enum nx_status line_fetch(struct block_cache *cache, struct block_cache_line *line,
                                 uint32_t block, uint32_t count)
{
    uint64_t offset;
    uint64_t length = range_bytes(cache, line, block, count, &offset);

    enum nx_status status =
        cache->fill(cache->context, offset, length,
                    line_bytes(cache, line) + (uint64_t)block * BLOCK_CACHE_BLOCK_BYTES);
    if (status == NX_OK) {
        line->arrived |= (uint8_t)(((1u << count) - 1) << block);
    }
    return status;
}

// Makes one block of the line be there, checked.
static enum nx_status block_require(struct block_cache *cache, struct block_cache_line *line,
                                    uint32_t block)
{
    const uint8_t bit = (uint8_t)(1u << block);
    enum nx_status status = NX_OK;
    uint64_t offset;

    if ((line->checked & bit) != 0) {
        return NX_OK;
    }
    if ((line->arrived & bit) == 0) {
        status = line_fetch(cache, line, block, 1);
    }
    if (status == NX_OK) {
        uint64_t length = range_bytes(cache, line, block, 1, &offset);
        status = cache->check(cache->context, offset, length,
                              line_bytes(cache, line) + (uint64_t)block * BLOCK_CACHE_BLOCK_BYTES);
    }
    if (status == NX_OK) {
        line->checked |= bit;
    } else {
        line->arrived &= (uint8_t)~bit; // fetched again by the next read
    }
    return status;
}

// Makes the blocks [first, last] of the line be there, checked.
static enum nx_status line_require(struct block_cache *cache, struct block_cache_line *line,
                                   uint32_t first, uint32_t last)
{
    uint32_t wanted = ((1u << (last - first + 1)) - 1) << first;
    enum nx_status status = NX_OK;

    if ((line->arrived & wanted) == wanted) {
        cache->hits++;
    } else {
        cache->misses++;
    }
    if ((line->checked & wanted) == wanted) {
        return NX_OK;
    }
    // A line that holds some blocks was not to be had whole, and a failed transfer may overwrite
    // them.
    if (line->arrived == 0) {
        (void)!line_fetch(cache, line, 0, BLOCK_CACHE_LINE_BLOCKS); // or each block by itself
    }
    for (uint32_t block = first; block <= last && status == NX_OK; block++) {
        status = block_require(cache, line, block);
    }
    return status;
}

enum nx_status block_cache_read(struct block_cache *cache, uint64_t offset, void *buffer,
                                size_t length)
{
    uint8_t *out = buffer;

    if (offset > cache->size || length > cache->size - offset) {
        return NX_ERR_OUT_OF_RANGE;
    }
    while (length > 0) {
        struct block_cache_line *line = line_get(cache, offset / BLOCK_CACHE_LINE_BYTES);
        size_t skip = (size_t)(offset % BLOCK_CACHE_LINE_BYTES);
        size_t part = BLOCK_CACHE_LINE_BYTES - skip;
        if (part > length) {
            part = length;
        }
        enum nx_status status =
            line_require(cache, line, (uint32_t)(skip / BLOCK_CACHE_BLOCK_BYTES),
                         (uint32_t)((skip + part - 1) / BLOCK_CACHE_BLOCK_BYTES));
        if (status != NX_OK) {
            return status;
        }
        memcpy(out, line_bytes(cache, line) + skip, part);
        out += part;
        offset += part;
        length -= part;
    }
    return NX_OK;
}
