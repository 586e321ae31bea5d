// SPDX-License-Identifier: Apache-2.0
// Bringing a run of a file's pages into its memory object: verified bytes only, since clients may
// have it mapped already.
#include "file_cache.h"
#include "window.h"
#include <string.h>

enum nx_status file_store(const struct file *file, uint64_t offset, const uint8_t *bytes,
                          uint64_t length)
{
    struct window window;
    enum nx_status status = window_open(file->memory, offset, length, &window);

    if (status == NX_OK) {
        memcpy(window.bytes, bytes, length);
        window_close(&window);
    }
    return status;
}

// Blocks of the image, whole ones; of the last one only what is the file's is stored.
static enum nx_status blocks_fill(struct image *image, const struct erofs *fs,
                                  const struct file *file, const struct erofs_extent *extent,
                                  uint64_t offset, uint64_t length)
{
    uint64_t block_mask = (UINT64_C(1) << fs->block_bits) - 1;
    uint64_t from = extent->image_offset;
    enum nx_status status = NX_OK;

    while (length > 0 && status == NX_OK) {
        uint64_t part = length < IMAGE_TRANSFER_BYTES ? length : IMAGE_TRANSFER_BYTES;
        status = image_transfer(image, from, (part + block_mask) & ~block_mask, image->private);
        if (status == NX_OK) {
            status = file_store(file, offset, image->private, part);
        }
        from += part;
        offset += part;
        length -= part;
    }
    return status;
}

// Inline tails are shorter than a block.
static enum nx_status inline_fill(struct image *image, const struct file *file,
                                  const struct erofs_extent *extent, uint64_t offset,
                                  uint64_t length)
{
    if (length > IMAGE_TRANSFER_BYTES) {
        return NX_ERR_BAD_FORMAT;
    }
    enum nx_status status = image_read(image, extent->image_offset, image->private, length);
    return status == NX_OK ? file_store(file, offset, image->private, length) : status;
}

enum nx_status file_fill(struct image *image, const struct erofs *fs, const struct file *file,
                         struct page_run run)
{
    uint64_t offset = run.first * NX_PAGE_SIZE;
    uint64_t end = run.end * NX_PAGE_SIZE;

    if (end > file->inode.size) {
        end = file->inode.size;
    }
    while (offset < end) {
        struct erofs_extent extent;
        enum nx_status status = erofs_map(fs, &file->inode, offset, &extent);
        if (status != NX_OK) {
            return status;
        }
        uint64_t length = extent.length < end - offset ? extent.length : end - offset;
        if (extent.kind == EROFS_EXTENT_DEVICE) {
            status = blocks_fill(image, fs, file, &extent, offset, length);
        } else if (extent.kind == EROFS_EXTENT_INLINE) {
            status = inline_fill(image, file, &extent, offset, length);
        } else { // zeros: there even when this program's budget is gone with it
            status = nx_memory_commit(file->memory, offset, NX_PAGE_ROUND_UP(length));
        }
        if (status != NX_OK) {
            return status;
        }
        offset += length;
    }
    return NX_OK;
}
