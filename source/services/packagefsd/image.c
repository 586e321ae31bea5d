// SPDX-License-Identifier: Apache-2.0
// The image behind pkg://: transfers from disk or fixtures, and their verification.
#include "image.h"
#include "image_open.h"
#include "nexus/log.h"
#include "nexus/process.h"
#include <string.h>

const char *image_fault_name(enum nx_status status)
{
    switch (status) {
    case NX_ERR_HASH:
        return verity_refusal_name(VERITY_REFUSED_HASH);
    case NX_ERR_TRUNCATED:
        return verity_refusal_name(VERITY_REFUSED_TRUNCATED);
    case NX_ERR_BAD_FORMAT:
    case NX_ERR_UNSUPPORTED:
    case NX_ERR_OUT_OF_RANGE:
        return verity_refusal_name(VERITY_REFUSED_FORMAT);
    default:
        return NULL;
    }
}

// ---- Transfers ----------------------------------------------------------------------------------

enum nx_status image_fetch_raw(struct image *image, uint64_t offset, uint64_t length,
                               uint8_t *place)
{
    char reason[NX_BLOCK_REASON_BYTES];

    while (length > 0) {
        uint64_t part = length < IMAGE_TRANSFER_BYTES ? length : IMAGE_TRANSFER_BYTES;
        image->reads++;
        enum nx_status status =
            nx_block_read(offset / NX_BLOCK_SECTOR_BYTES, (uint32_t)(part / NX_BLOCK_SECTOR_BYTES),
                          image->staging, 0, reason);
        if (status != NX_OK) {
            // No failure of the way to an image is to be taken for one of the image.
            return image_fault_name(status) != NULL ? NX_ERR_IO : status;
        }
        memcpy(place, image->staged, part);
        offset += part;
        place += part;
        length -= part;
    }
    return NX_OK;
}

static enum nx_status fetch(struct image *image, uint64_t offset, uint64_t length, uint8_t *place)
{
    if (image->source == PACKAGE_FS_SOURCE_VIRTIO_BLK) {
        return image_fetch_raw(image, offset, length, place);
    }
    memcpy(place, image->content + offset, length);
    return NX_OK;
}

// On several harts; the tree itself is looked at by this one.
static enum nx_status verify_together(struct image *image, uint64_t first, uint32_t count,
                                      const uint8_t *bytes)
{
    enum nx_status status = NX_OK;

    hash_team_run(&image->team, image->tree, bytes, count, image->digests);
    for (uint32_t i = 0; i < count && status == NX_OK; i++) {
        status = verity_tree_judge(image->tree, first + i, image->digests[i]);
    }
    return status;
}

static enum nx_status verify(struct image *image, uint64_t offset, uint64_t length,
                             const uint8_t *bytes)
{
    uint64_t first = offset / VERITY_BLOCK_BYTES;
    uint64_t count = (length + VERITY_BLOCK_BYTES - 1) / VERITY_BLOCK_BYTES;
    enum nx_status status = NX_OK;

    if (image->source != PACKAGE_FS_SOURCE_VIRTIO_BLK) {
        return NX_OK;
    }
    if (count <= IMAGE_TRANSFER_BLOCKS && hash_team_is_worth(&image->team, (uint32_t)count)) {
        return verify_together(image, first, (uint32_t)count, bytes);
    }
    for (uint64_t i = 0; i < count && status == NX_OK; i++) {
        status = verity_tree_check(image->tree, first + i, bytes + i * VERITY_BLOCK_BYTES);
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

static bool is_inside(const struct image *image, uint64_t offset, uint64_t length)
{
    return offset <= image->size && length <= image->size - offset && length > 0 &&
           offset % image->unit == 0 && length % image->unit == 0;
}

enum nx_status image_transfer(struct image *image, uint64_t offset, uint64_t length, uint8_t *place)
{
    if (!is_inside(image, offset, length)) {
        return NX_ERR_OUT_OF_RANGE;
    }
    enum nx_status status = fetch(image, offset, length, place);
    if (status == NX_OK) {
        status = verify(image, offset, length, place);
    }
    if (status != NX_OK) {
        error_note(image, offset, status);
    }
    return status;
}

enum nx_status image_accept(struct image *image, uint64_t offset, uint64_t length,
                            const uint8_t *staged)
{
    if (!is_inside(image, offset, length) || length > IMAGE_TRANSFER_BYTES) {
        return NX_ERR_OUT_OF_RANGE;
    }
    memcpy(image->private, staged, length);
    return verify(image, offset, length, image->private);
}

// ---- Metadata -----------------------------------------------------------------------------------

enum nx_status image_cache_fill(void *context, uint64_t offset, uint64_t length, uint8_t *place)
{
    struct image *image = context;
    enum nx_status status = fetch(image, offset, length, place);

    if (status != NX_OK) {
        error_note(image, offset, status);
    }
    return status;
}

enum nx_status image_cache_check(void *context, uint64_t offset, uint64_t length,
                                 const uint8_t *block)
{
    struct image *image = context;
    enum nx_status status = verify(image, offset, length, block);

    if (status != NX_OK) {
        error_note(image, offset, status);
    }
    return status;
}

enum nx_status image_read(void *context, uint64_t offset, void *buffer, size_t length)
{
    struct image *image = context;
    return block_cache_read(&image->cache, offset, buffer, length);
}
