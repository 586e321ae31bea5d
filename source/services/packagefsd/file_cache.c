// SPDX-License-Identifier: Apache-2.0
// The cache of file contents.
#include "file_cache.h"
#include "nexus/clock.h"
#include "nexus/memory.h"
#include <stdlib.h>
#include <string.h>

// Fetches are widened to this: one request of the block service.
#define CHUNK_PAGES 32u
// After an eviction the kernel is given so long to take the pages back.
#define RECLAIM_LOOKS    20u
#define RECLAIM_INTERVAL NX_MILLISECOND

#define SHARED_RIGHTS (NX_RIGHT_READ | NX_RIGHT_EXECUTE | NX_RIGHT_TRANSFER | NX_RIGHT_DUPLICATE)

// Tokens start at the machine's time, far enough apart that an instance never reaches the start of
// the next.
#define SERIALS_PER_TICK_SHIFT 8

void file_cache_init(struct file_cache *cache, struct image *image, const struct erofs *fs)
{
    *cache = (struct file_cache){.image = image, .fs = fs};
    cache->serial = nx_clock_ticks() << SERIALS_PER_TICK_SHIFT;
    recency_init(&cache->unused);
    recency_init(&cache->idle);
    recency_init(&cache->opened);
    for (uint32_t i = 0; i < FILES_MAX; i++) {
        recency_add(&cache->unused, &cache->files[i].use);
    }
    file_ahead_init(cache);
}

static struct file **bucket_of(struct file_cache *cache, uint64_t node)
{
    return &cache->buckets[node % FILES_MAX];
}

static struct file *node_find(struct file_cache *cache, uint64_t node)
{
    struct file *file = *bucket_of(cache, node);
    while (file != NULL && file->inode.nid != node) {
        file = file->next;
    }
    return file;
}

// A token is a serial number and, in its low bits, the place of the file.
struct file *file_cache_find(struct file_cache *cache, uint64_t token, uint64_t client)
{
    struct file *file = &cache->files[token % FILES_MAX];
    bool known = token != 0 && file->token == token;
    return known && client < FILE_CLIENTS_MAX && file->opens_of[client] > 0 ? file : NULL;
}

// ---- Making room --------------------------------------------------------------------------------

static void file_evict(struct file_cache *cache, struct file *file)
{
    struct file **link = bucket_of(cache, file->inode.nid);
    while (*link != file) {
        link = &(*link)->next;
    }
    *link = file->next;
    cache->pages -= file->map.valid;
    cache->open_files -= file->opens > 0;
    nx_handle_drop(file->shared);
    nx_handle_drop(file->memory);
    free(file->map.bits);
    recency_remove(&file->use);
    file->token = 0;
    recency_add(&cache->unused, &file->use);
}

static bool evict_from(struct file_cache *cache, struct recency_list *list, const struct file *keep)
{
    for (struct recency_link *link = recency_oldest(list); link != NULL;
         link = recency_next_oldest(list, link)) {
        struct file *file = RECENCY_MEMBER(link, struct file, use);
        if (file != keep && file->flights == 0) {
            file_evict(cache, file);
            return true;
        }
    }
    return false;
}

// Evicts the file that is missed least, closed ones before open ones, but not `keep`. Files with
// flights are waited for when there is no other.
static bool evict_one(struct file_cache *cache, const struct file *keep)
{
    do {
        if (evict_from(cache, &cache->idle, keep) || evict_from(cache, &cache->opened, keep)) {
            return true;
        }
    } while (file_ahead_wait(cache));
    return false;
}

// After NX_ERR_NO_MEMORY: makes room, or waits for what was evicted, which the kernel takes back a
// little later. False: there is no more to be had. *looks is 0 at first.
static bool room_make(struct file_cache *cache, const struct file *keep, uint32_t *looks)
{
    if (evict_one(cache, keep)) {
        *looks = RECLAIM_LOOKS;
    } else if (*looks == 0) {
        return false;
    }
    (*looks)--;
    nx_sleep(RECLAIM_INTERVAL);
    return true;
}

// ---- Opening and closing ------------------------------------------------------------------------

static enum nx_status objects_create(struct file *file)
{
    uint64_t pages = NX_PAGE_ROUND_UP(file->inode.size) / NX_PAGE_SIZE;
    uint64_t *bits = calloc(2 * PAGE_MAP_WORDS(pages), sizeof(*bits));

    if (bits == NULL) {
        return NX_ERR_NO_MEMORY;
    }
    enum nx_status status = nx_memory_create(pages * NX_PAGE_SIZE, 0, &file->memory);
    if (status != NX_OK) {
        goto free_bits;
    }
    status = nx_handle_duplicate(file->memory, SHARED_RIGHTS, 0, &file->shared);
    if (status != NX_OK) {
        goto drop_memory;
    }
    page_map_init(&file->map, bits, pages);
    page_map_init(&file->coming, bits + PAGE_MAP_WORDS(pages), pages);
    file->reader = (struct read_ahead){0};
    return NX_OK;

drop_memory:
    nx_handle_drop(file->memory);
free_bits:
    free(bits);
    return status;
}

// Puts the file into the cache, in a place that is not in use.
static enum nx_status file_insert(struct file_cache *cache, const struct erofs_inode *inode,
                                  struct file **out)
{
    if (recency_oldest(&cache->unused) == NULL && !evict_one(cache, NULL)) {
        return NX_ERR_NO_MEMORY;
    }
    struct file *file = RECENCY_MEMBER(recency_oldest(&cache->unused), struct file, use);
    file->inode = *inode;
    enum nx_status status = objects_create(file);
    uint32_t looks = 0;
    while (status == NX_ERR_NO_MEMORY && room_make(cache, NULL, &looks)) {
        status = objects_create(file);
    }
    if (status != NX_OK) {
        return status;
    }
    struct file **bucket = bucket_of(cache, inode->nid);
    file->token = cache->serial++ * FILES_MAX + (uint64_t)(file - cache->files);
    file->opens = 0;
    memset(file->opens_of, 0, sizeof(file->opens_of));
    file->next = *bucket;
    *bucket = file;
    recency_touch(&cache->idle, &file->use);
    *out = file;
    return NX_OK;
}

enum nx_status file_cache_open(struct file_cache *cache, const struct erofs_inode *inode,
                               uint64_t client, struct file **out)
{
    if (client >= FILE_CLIENTS_MAX) {
        return NX_ERR_ACCESS_DENIED;
    }
    if (erofs_inode_refusal(inode) != EROFS_REFUSAL_NONE) {
        return NX_ERR_UNSUPPORTED;
    }
    if (inode->size > NX_MEMORY_SIZE_MAX) {
        return NX_ERR_TOO_LARGE;
    }
    struct file *file = node_find(cache, inode->nid);
    if (file == NULL) {
        enum nx_status status = file_insert(cache, inode, &file);
        if (status != NX_OK) {
            return status;
        }
    }
    cache->open_files += file->opens == 0;
    file->opens++;
    file->opens_of[client]++;
    recency_touch(&cache->opened, &file->use);
    *out = file;
    return NX_OK;
}

uint64_t file_cache_valid(const struct file *file)
{
    uint64_t bytes = page_map_valid_prefix(&file->map) * NX_PAGE_SIZE;
    return bytes < file->inode.size ? bytes : file->inode.size;
}

void file_cache_close(struct file_cache *cache, struct file *file, uint64_t client)
{
    file->opens_of[client]--;
    file->opens--;
    if (file->opens == 0) {
        cache->open_files--;
        recency_touch(&cache->idle, &file->use);
    }
}

// ---- Fetching -----------------------------------------------------------------------------------

// Fills one run. Pages are the scarce thing: of this cache, and of this process.
static enum nx_status run_fill(struct file_cache *cache, struct file *file, struct page_run run)
{
    uint64_t pages = run.end - run.first;

    while (cache->pages + pages > FILE_PAGES_MAX) {
        if (!evict_one(cache, file)) {
            return NX_ERR_NO_MEMORY;
        }
    }
    enum nx_status status = file_fill(cache->image, cache->fs, file, run);
    // Evicted pages that clients still hold count against this process until they let go.
    uint32_t looks = 0;
    while (status == NX_ERR_NO_MEMORY && room_make(cache, file, &looks)) {
        status = file_fill(cache->image, cache->fs, file, run);
    }
    if (status == NX_OK) {
        page_map_set(&file->map, run.first, run.end);
        cache->pages += pages;
    }
    return status;
}

// Makes all pages of `wanted` valid: what is coming is waited for, the rest is read.
static enum nx_status pages_fetch(struct file_cache *cache, struct file *file,
                                  struct page_run wanted)
{
    struct page_run missing;
    struct page_run run;

    while (page_map_missing(&file->map, wanted.first, wanted.end, &missing)) {
        if (!page_map_missing(&file->coming, missing.first, missing.end, &run)) {
            file_ahead_settle(cache, file, missing);
            continue;
        }
        enum nx_status status = run_fill(cache, file, run);
        if (status != NX_OK) {
            return status;
        }
    }
    return NX_OK;
}

// Starts what a sequential reader will ask for next.
static void read_on(struct file_cache *cache, struct file *file, struct page_run asked)
{
    struct page_run run = read_ahead_note(&file->reader, asked, file->map.pages);

    if (run.first < run.end && file_ahead_start(cache, file, run) < run.end) {
        read_ahead_stop(&file->reader);
    }
}

// Makes `asked` valid, and with it all of `wide` if that can be had. Returns what is valid.
static enum nx_status run_fetch(struct file_cache *cache, struct file *file, struct page_run asked,
                                struct page_run *wide)
{
    // A reader whose pages are on their way is served last: the disk must not run dry.
    bool ahead = page_map_any(&file->coming, wide->first, wide->end);

    if (ahead) {
        read_on(cache, file, asked);
    }
    if (wide->end - wide->first > FLIGHT_PAGES_MAX) {
        (void)file_ahead_start(cache, file, *wide); // several requests at once
    }
    enum nx_status status = pages_fetch(cache, file, *wide);
    if (status != NX_OK) {
        // Whatever was wrong may lie beside what was asked for.
        *wide = asked;
        status = pages_fetch(cache, file, asked);
    }
    if (status == NX_OK && !ahead) {
        read_on(cache, file, asked);
    }
    return status;
}

enum nx_status file_cache_fetch(struct file_cache *cache, struct file *file, uint64_t offset,
                                uint64_t length, struct file_range *valid)
{
    uint64_t size = file->inode.size;

    if (offset > size) {
        return NX_ERR_OUT_OF_RANGE;
    }
    if (length > size - offset) {
        length = size - offset;
    }
    if (length > FETCH_BYTES_MAX) {
        return NX_ERR_TOO_LARGE;
    }
    struct page_run asked = {offset / NX_PAGE_SIZE,
                             NX_PAGE_ROUND_UP(offset + length) / NX_PAGE_SIZE};
    struct page_run run;
    recency_touch(&cache->opened, &file->use);
    file_ahead_land(cache);
    if (length == 0 || !page_map_missing(&file->map, asked.first, asked.end, &run)) {
        cache->hits++;
        *valid = (struct file_range){offset, length};
        if (length > 0) {
            read_on(cache, file, asked);
        }
        return NX_OK;
    }
    cache->misses++;
    struct page_run wide = {asked.first / CHUNK_PAGES * CHUNK_PAGES,
                            (asked.end + CHUNK_PAGES - 1) / CHUNK_PAGES * CHUNK_PAGES};
    wide.end = wide.end < file->map.pages ? wide.end : file->map.pages;
    enum nx_status status = run_fetch(cache, file, asked, &wide);
    if (status == NX_OK) {
        uint64_t end = wide.end * NX_PAGE_SIZE < size ? wide.end * NX_PAGE_SIZE : size;
        *valid = (struct file_range){wide.first * NX_PAGE_SIZE, end - wide.first * NX_PAGE_SIZE};
    }
    return status;
}
