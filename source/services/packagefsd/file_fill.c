// SPDX-License-Identifier: Apache-2.0
// Bringing a run of a file's pages into its memory object.
#include "file_cache.h"
#include "window.h"

// Blocks of the image, whole: the last one may reach past the end of the file, but not past the
// page that the end is in, as a block is no larger than a page.
static enum nx_status blocks_fill(struct image *image, const struct erofs *fs,
                                  const struct file *file, const struct erofs_extent *extent,
                                  uint64_t offset, uint64_t length)
{
    uint64_t block_mask = (UINT64_C(1) << fs->block_bits) - 1;
    uint64_t whole = (length + block_mask) & ~block_mask;
    struct window window;

    enum nx_status status =
        image_transfer(image, extent->image_offset, whole, file->memory, offset);
    if (status != NX_OK || whole == length) {
        return status;
    }
    // What follows the file's last byte in its block is not the file's.
    status = window_open(file->memory, offset + length, whole - length, &window);
    if (status == NX_OK) {
        memset(window.bytes, 0, whole - length);
        window_close(&window);
    }
    return status;
}

static enum nx_status inline_fill(struct image *image, const struct file *file,
                                  const struct erofs_extent *extent, uint64_t offset,
                                  uint64_t length)
{
    struct window window;

    enum nx_status status = window_open(file->memory, offset, length, &window);
    if (status == NX_OK) {
        status = image_read(image, extent->image_offset, window.bytes, length);
        window_close(&window);
    }
    return status;
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
        }
        if (status != NX_OK) {
            return status;
        }
        offset += length;
    }
    return NX_OK;
}
