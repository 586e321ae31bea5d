// SPDX-License-Identifier: Apache-2.0
// The image behind pkg://: disk or fixtures, transfers and their verification.
#include "image.h"
#include "nexus/block.h"
#include "nexus/log.h"
#include "nexus/process.h"
#include "window.h"

// ---- Verification -------------------------------------------------------------------------------

// The image format has no hash tree yet, so every range is let through and none is counted as
// verified: Report.verifiedBlocks is 0.
enum nx_status image_verify(const struct image *image, uint64_t offset, uint64_t length,
                            nx_handle memory, uint64_t place)
{
    (void)image;
    (void)offset;
    (void)length;
    (void)memory;
    (void)place;
    return NX_OK;
}

// ---- Transfers ----------------------------------------------------------------------------------

static enum nx_status disk_fetch(struct image *image, uint64_t offset, uint64_t length,
                                 nx_handle memory, uint64_t place)
{
    const uint64_t largest = (uint64_t)NX_BLOCK_READ_SECTORS_MAX * NX_BLOCK_SECTOR_BYTES;
    char reason[NX_BLOCK_REASON_BYTES];

    while (length > 0) {
        uint64_t part = length < largest ? length : largest;
        image->reads++;
        enum nx_status status =
            nx_block_read(offset / NX_BLOCK_SECTOR_BYTES, (uint32_t)(part / NX_BLOCK_SECTOR_BYTES),
                          memory, place, reason);
        if (status != NX_OK) {
            return status;
        }
        offset += part;
        place += part;
        length -= part;
    }
    return NX_OK;
}

static enum nx_status fixtures_fetch(const struct image *image, uint64_t offset, uint64_t length,
                                     nx_handle memory, uint64_t place)
{
    struct window window;
    enum nx_status status = window_open(memory, place, length, &window);

    if (status == NX_OK) {
        memcpy(window.bytes, image->content + offset, length);
        window_close(&window);
    }
    return status;
}

// One line for the 1st, 2nd, 4th, 8th, ... error: a broken disk does not drown the log.
static void error_note(struct image *image, uint64_t offset, enum nx_status status)
{
    image->io_errors++;
    if ((image->io_errors & (image->io_errors - 1)) == 0) {
        nx_log("pkgfs: read error offset=%llu reason=%s errors=%llu", (unsigned long long)offset,
               nx_status_text(status), (unsigned long long)image->io_errors);
    }
}

enum nx_status image_transfer(struct image *image, uint64_t offset, uint64_t length,
                              nx_handle memory, uint64_t place)
{
    if (offset > image->size || length > image->size - offset || length == 0) {
        return NX_ERR_OUT_OF_RANGE;
    }
    enum nx_status status = image->source == PACKAGE_FS_SOURCE_VIRTIO_BLK
                                ? disk_fetch(image, offset, length, memory, place)
                                : fixtures_fetch(image, offset, length, memory, place);
    if (status == NX_OK) {
        status = image_verify(image, offset, length, memory, place);
    }
    if (status != NX_OK && status != NX_ERR_NO_MEMORY) {
        error_note(image, offset, status);
    }
    return status;
}

// ---- Metadata -----------------------------------------------------------------------------------

static enum nx_status cache_fill(void *context, uint64_t offset, uint64_t length, uint64_t place)
{
    struct image *image = context;
    return image_transfer(image, offset, length, image->cache_memory, place);
}

enum nx_status image_read(void *context, uint64_t offset, void *buffer, size_t length)
{
    struct image *image = context;
    return block_cache_read(&image->cache, offset, buffer, length);
}

// ---- Opening ------------------------------------------------------------------------------------

static enum nx_status disk_open(struct image *image)
{
    struct nx_block_facts facts;
    enum nx_status status = nx_block_info(&facts);

    if (status != NX_OK) {
        return status;
    }
    // The sizes come from a device: sector sizes that no cache line is a multiple of are refused.
    if (facts.sector_size < NX_BLOCK_SECTOR_BYTES ||
        BLOCK_CACHE_BLOCK_BYTES % facts.sector_size != 0 ||
        facts.sectors > UINT64_MAX / facts.sector_size) {
        return NX_ERR_UNSUPPORTED;
    }
    image->source = PACKAGE_FS_SOURCE_VIRTIO_BLK;
    image->unit = facts.sector_size;
    image->size = facts.sectors * facts.sector_size;
    return NX_OK;
}

static enum nx_status fixtures_open(struct image *image)
{
    const struct nx_start_info *start = nx_start();
    nx_handle fixtures = nx_start_handle(NX_START_FIXTURES);
    uint64_t skip = start->fixtures_offset % NX_PAGE_SIZE;
    void *address;

    if (fixtures == NX_HANDLE_NONE || start->fixtures_bytes == 0) {
        return NX_ERR_NOT_FOUND;
    }
    enum nx_status status =
        nx_map(fixtures, start->fixtures_offset - skip,
               NX_PAGE_ROUND_UP(skip + start->fixtures_bytes), NX_PROT_READ, &address);
    if (status == NX_OK) {
        image->source = PACKAGE_FS_SOURCE_FIXTURES;
        image->unit = 1;
        image->size = start->fixtures_bytes;
        image->content = (const uint8_t *)address + skip;
    }
    return status;
}

enum nx_status image_open(struct image *image)
{
    void *address;
    enum nx_status status =
        nx_start_handle(NX_START_BLOCK) != NX_HANDLE_NONE ? disk_open(image) : fixtures_open(image);

    if (status == NX_OK) {
        status = nx_memory_new(BLOCK_CACHE_BYTES, 0, &image->cache_memory, &address);
    }
    if (status == NX_OK) {
        block_cache_init(&image->cache, address, image->size, cache_fill, image);
    }
    return status;
}
