// SPDX-License-Identifier: Apache-2.0
// EROFS data mapping: from file offsets to image offsets, and the copies that build on it.

#include <string.h>

#include "erofs/erofs_format.h"
#include "erofs/erofs_internal.h"

// Chunk map entries looked at in one call: 64 chunks of one block are 256 KiB, twice what one
// transfer can carry.
#define CHUNK_BATCH 64u

enum nx_status erofs_image_read(const struct erofs *fs, uint64_t offset, void *buffer,
                                size_t length)
{
    if (!erofs_range_fits(fs->size, offset, length)) {
        return NX_ERR_BAD_FORMAT;
    }
    return fs->source.read(fs->source.context, offset, buffer, length);
}

// erofs_inode_load has checked that all of it lies in the image.
static void flat_map(const struct erofs_inode *inode, uint64_t file_offset,
                     struct erofs_extent *extent)
{
    if (file_offset >= inode->inline_start) {
        extent->kind = EROFS_EXTENT_INLINE;
        extent->image_offset = inode->inline_offset + (file_offset - inode->inline_start);
        extent->length = inode->size - file_offset;
        return;
    }
    extent->kind = EROFS_EXTENT_DEVICE;
    extent->image_offset = inode->data_offset + file_offset;
    extent->length = inode->inline_start - file_offset;
}

// Block address of entry `index` of a piece of the chunk map.
static enum nx_status chunk_entry_decode(const struct erofs_inode *inode, const uint8_t *entries,
                                         uint64_t index, uint32_t *blkaddr)
{
    if (inode->chunk_entry_size == EROFS_BLOCK_MAP_ENTRY_SIZE) {
        struct erofs_le32 address;
        memcpy(&address, entries + index * sizeof(address), sizeof(address));
        *blkaddr = erofs_le32_get(address);
        return NX_OK;
    }
    struct erofs_inode_chunk_index entry;
    memcpy(&entry, entries + index * sizeof(entry), sizeof(entry));
    *blkaddr = erofs_le32_get(entry.blkaddr);
    if (erofs_le16_get(entry.device_id) != 0 && *blkaddr != EROFS_NULL_ADDR) {
        return NX_ERR_UNSUPPORTED;
    }
    return NX_OK;
}

// Counts how many entries from the first on form one run: all holes, or chunks back to back.
static enum nx_status chunk_run_count(const struct erofs *fs, const struct erofs_inode *inode,
                                      const uint8_t *entries, uint64_t count, uint32_t *first,
                                      uint64_t *run)
{
    uint64_t chunk_blocks = UINT64_C(1) << (inode->chunk_bits - fs->block_bits);
    enum nx_status status = chunk_entry_decode(inode, entries, 0, first);

    for (*run = 1; status == NX_OK && *run < count; (*run)++) {
        uint32_t blkaddr;
        status = chunk_entry_decode(inode, entries, *run, &blkaddr);
        if (status != NX_OK) {
            break;
        }
        uint64_t expected =
            *first == EROFS_NULL_ADDR ? EROFS_NULL_ADDR : *first + *run * chunk_blocks;
        if (blkaddr != expected || (blkaddr == EROFS_NULL_ADDR && *first != EROFS_NULL_ADDR)) {
            break;
        }
    }
    return status;
}

static enum nx_status chunked_map(const struct erofs *fs, const struct erofs_inode *inode,
                                  uint64_t file_offset, struct erofs_extent *extent)
{
    uint8_t entries[CHUNK_BATCH * sizeof(struct erofs_inode_chunk_index)];
    uint64_t chunk = file_offset >> inode->chunk_bits;
    uint64_t count = ((inode->size - 1) >> inode->chunk_bits) - chunk + 1;
    uint32_t first = EROFS_NULL_ADDR;
    uint64_t run;

    if (count > CHUNK_BATCH) {
        count = CHUNK_BATCH;
    }
    enum nx_status status =
        erofs_image_read(fs, inode->chunk_map_offset + chunk * inode->chunk_entry_size, entries,
                         (size_t)(count * inode->chunk_entry_size));
    if (status != NX_OK) {
        return status;
    }
    status = chunk_run_count(fs, inode, entries, count, &first, &run);
    if (status != NX_OK) {
        return status;
    }

    // The run ends at most one chunk (2^43 bytes) past a size below 2^63: no overflow.
    uint64_t start = chunk << inode->chunk_bits;
    uint64_t end = (chunk + run) << inode->chunk_bits;
    if (end > inode->size) {
        end = inode->size;
    }
    extent->length = end - file_offset;
    if (first == EROFS_NULL_ADDR) {
        extent->kind = EROFS_EXTENT_HOLE;
        extent->image_offset = 0;
        return NX_OK;
    }
    uint64_t run_offset = (uint64_t)first << fs->block_bits;
    uint64_t block_mask = erofs_block_size(fs) - 1;
    if (!erofs_range_fits(fs->size, run_offset, (end - start + block_mask) & ~block_mask)) {
        return NX_ERR_BAD_FORMAT;
    }
    extent->kind = EROFS_EXTENT_DEVICE;
    extent->image_offset = run_offset + (file_offset - start);
    return NX_OK;
}

enum nx_status erofs_map(const struct erofs *fs, const struct erofs_inode *inode,
                         uint64_t file_offset, struct erofs_extent *extent)
{
    if (inode->layout == EROFS_LAYOUT_COMPRESSED || inode->layout == EROFS_LAYOUT_NONE) {
        return NX_ERR_UNSUPPORTED;
    }
    if (file_offset >= inode->size) {
        return NX_ERR_OUT_OF_RANGE;
    }
    if (inode->layout == EROFS_LAYOUT_CHUNKED) {
        return chunked_map(fs, inode, file_offset, extent);
    }
    flat_map(inode, file_offset, extent);
    return NX_OK;
}

enum nx_status erofs_data_read(const struct erofs *fs, const struct erofs_inode *inode,
                               uint64_t file_offset, void *buffer, size_t length)
{
    uint8_t *out = buffer;

    if (!erofs_range_fits(inode->size, file_offset, length)) {
        return NX_ERR_OUT_OF_RANGE;
    }
    while (length > 0) {
        struct erofs_extent extent;
        enum nx_status status = erofs_map(fs, inode, file_offset, &extent);
        if (status != NX_OK) {
            return status;
        }
        size_t part = extent.length < length ? (size_t)extent.length : length;
        if (extent.kind == EROFS_EXTENT_HOLE) {
            memset(out, 0, part);
        } else {
            status = erofs_image_read(fs, extent.image_offset, out, part);
            if (status != NX_OK) {
                return status;
            }
        }
        out += part;
        file_offset += part;
        length -= part;
    }
    return NX_OK;
}

enum nx_status erofs_read(const struct erofs *fs, const struct erofs_inode *inode,
                          uint64_t file_offset, void *buffer, size_t length, size_t *got)
{
    *got = 0;
    if (inode->type == EROFS_TYPE_DIRECTORY) {
        return NX_ERR_IS_DIRECTORY;
    }
    if (inode->type != EROFS_TYPE_FILE) {
        return NX_ERR_WRONG_TYPE;
    }
    if (inode->layout == EROFS_LAYOUT_COMPRESSED) {
        return NX_ERR_UNSUPPORTED;
    }
    if (file_offset >= inode->size) {
        return NX_OK;
    }
    if (length > inode->size - file_offset) {
        length = (size_t)(inode->size - file_offset);
    }
    enum nx_status status = erofs_data_read(fs, inode, file_offset, buffer, length);
    if (status == NX_OK) {
        *got = length;
    }
    return status;
}

enum nx_status erofs_readlink(const struct erofs *fs, const struct erofs_inode *inode, char *buffer,
                              size_t capacity, size_t *length)
{
    *length = 0;
    if (inode->type != EROFS_TYPE_SYMLINK) {
        return NX_ERR_WRONG_TYPE;
    }
    if (inode->size == 0) {
        return NX_ERR_BAD_FORMAT;
    }
    if (inode->size > EROFS_PATH_MAX) {
        return NX_ERR_NAME_TOO_LONG;
    }
    if (inode->size > capacity) {
        return NX_ERR_TOO_LARGE;
    }
    size_t size = (size_t)inode->size;
    enum nx_status status = erofs_data_read(fs, inode, 0, buffer, size);
    if (status != NX_OK) {
        return status;
    }
    if (memchr(buffer, 0, size) != NULL) {
        return NX_ERR_BAD_FORMAT;
    }
    *length = size;
    return NX_OK;
}
