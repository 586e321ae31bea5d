// SPDX-License-Identifier: Apache-2.0
// The cache's reads on their way.
#include "file_cache.h"

void file_ahead_init(struct file_cache *cache)
{
    struct file_ahead *ahead = &cache->ahead;

    *ahead = (struct file_ahead){0};
    image_ahead_init(&ahead->image, cache->image);
    for (uint32_t i = 0; i < FLIGHTS_MAX; i++) {
        ahead->flights[i].next = ahead->free;
        ahead->free = &ahead->flights[i];
    }
}

// ---- Starting -----------------------------------------------------------------------------------

// The first pages of [first, end) that are neither valid nor coming. False: there are none.
static bool run_wanted(const struct file *file, struct page_run within, struct page_run *run)
{
    struct page_run missing;

    while (page_map_missing(&file->map, within.first, within.end, &missing)) {
        if (page_map_missing(&file->coming, missing.first, missing.end, run)) {
            return true;
        }
        within.first = missing.end;
    }
    return false;
}

// Cuts the run to what one request can bring: whole pages of one extent on the disk. Pages that are
// not such (holes, inline tails) are left to the fetch that asks for them; *skip says how many.
static bool run_cut(const struct file_cache *cache, const struct file *file, struct page_run *run,
                    uint64_t *image_offset, uint64_t *skip)
{
    struct erofs_extent extent;
    uint64_t pages = run->end - run->first;

    *skip = 1;
    if (erofs_map(cache->fs, &file->inode, run->first * NX_PAGE_SIZE, &extent) != NX_OK) {
        return false;
    }
    uint64_t covered = extent.length / NX_PAGE_SIZE;
    *skip = covered > 0 ? covered : 1;
    if (extent.kind != EROFS_EXTENT_DEVICE || covered == 0 ||
        extent.image_offset % cache->image->unit != 0) {
        return false;
    }
    pages = pages < covered ? pages : covered;
    pages = pages < FLIGHT_PAGES_MAX ? pages : FLIGHT_PAGES_MAX;
    run->end = run->first + pages;
    *image_offset = extent.image_offset;
    return true;
}

static bool flight_start(struct file_cache *cache, struct file *file, struct page_run run,
                         uint64_t image_offset)
{
    struct flight *flight = cache->ahead.free;
    uint64_t pages = run.end - run.first;

    if (flight == NULL || cache->pages + pages > FILE_PAGES_MAX) {
        return false;
    }
    flight->read = (struct image_read){
        .offset = image_offset,
        .length = pages * NX_PAGE_SIZE,
        .place = (uint64_t)(flight - cache->ahead.flights) * IMAGE_TRANSFER_BYTES,
    };
    if (!image_ahead_start(&cache->ahead.image, &flight->read)) {
        return false;
    }
    cache->ahead.free = flight->next;
    flight->file = file;
    flight->run = run;
    file->flights++;
    page_map_set(&file->coming, run.first, run.end);
    cache->pages += pages;
    return true;
}

uint64_t file_ahead_start(struct file_cache *cache, struct file *file, struct page_run run)
{
    // The last page may hold bytes past the end of the file, which are not the file's to show.
    uint64_t whole = file->inode.size / NX_PAGE_SIZE;
    struct page_run within = {run.first, run.end < whole ? run.end : whole};
    struct page_run wanted;
    uint64_t image_offset;
    uint64_t skip;

    if (!run_wanted(file, within, &wanted)) {
        return run.end;
    }
    if (!image_ahead_ready(&cache->ahead.image)) {
        return run.first;
    }
    bool going = true;
    while (going && run_wanted(file, within, &wanted)) {
        if (!run_cut(cache, file, &wanted, &image_offset, &skip)) {
            within.first = wanted.first + skip;
        } else {
            going = flight_start(cache, file, wanted, image_offset);
            within.first = going ? wanted.end : wanted.first;
        }
    }
    image_ahead_submit(&cache->ahead.image);
    return going ? run.end : within.first;
}

// ---- Landing ------------------------------------------------------------------------------------

static void flight_end(struct file_cache *cache, struct flight *flight, enum nx_status status)
{
    struct file *file = flight->file;
    struct page_run run = flight->run;

    page_map_clear(&file->coming, run.first, run.end);
    if (status == NX_OK) {
        page_map_set(&file->map, run.first, run.end);
    } else {
        cache->pages -= run.end - run.first;
        read_ahead_stop(&file->reader);
    }
    file->flights--;
    flight->file = NULL;
    flight->next = cache->ahead.free;
    cache->ahead.free = flight;
}

void file_ahead_land(struct file_cache *cache)
{
    struct image_read *read;
    enum nx_status status;

    while ((read = image_ahead_take(&cache->ahead.image, &status)) != NULL) {
        struct flight *flight = (struct flight *)(void *)read;
        if (status == NX_OK) {
            status = file_store(flight->file, flight->run.first * NX_PAGE_SIZE,
                                cache->image->private, read->length);
        }
        flight_end(cache, flight, status);
    }
}

bool file_ahead_wait(struct file_cache *cache)
{
    struct file_ahead *ahead = &cache->ahead;
    bool any = false;

    for (uint32_t i = 0; i < FLIGHTS_MAX && !any; i++) {
        any = ahead->flights[i].file != NULL;
    }
    if (!any) {
        return false;
    }
    if (image_ahead_wait(&ahead->image) == NX_OK) {
        file_ahead_land(cache);
        return true;
    }
    for (uint32_t i = 0; i < FLIGHTS_MAX; i++) { // none of them will ever land
        if (ahead->flights[i].file != NULL) {
            flight_end(cache, &ahead->flights[i], NX_ERR_IO);
        }
    }
    return true;
}

void file_ahead_settle(struct file_cache *cache, const struct file *file, struct page_run run)
{
    while (page_map_any(&file->coming, run.first, run.end) && file_ahead_wait(cache)) {
    }
}
