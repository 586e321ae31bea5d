// SPDX-License-Identifier: Apache-2.0
// EROFS directories: reads entries one at a time, in order or by binary search.
//
// A directory is an array of blocks, each with its own dirents and names (erofs_format.h). Entries
// are read straight from the source into the caller's struct erofs_entry: no block buffer is
// needed, and each entry is checked by the one function that reads it, however it was reached.

#include <string.h>

#include "erofs/erofs_format.h"
#include "erofs/erofs_internal.h"

// One directory block whose dirent array is known to lie inside it.
struct directory_block {
    uint64_t offset; // of the block in the directory
    uint32_t size;   // bytes of it that belong to the directory
    uint32_t count;  // dirents, at least 1
};

static const enum erofs_type types_by_dirent[EROFS_FT_MAX] = {
    [EROFS_FT_UNKNOWN] = EROFS_TYPE_UNKNOWN,     [EROFS_FT_REG_FILE] = EROFS_TYPE_FILE,
    [EROFS_FT_DIR] = EROFS_TYPE_DIRECTORY,       [EROFS_FT_CHRDEV] = EROFS_TYPE_CHARACTER_DEVICE,
    [EROFS_FT_BLKDEV] = EROFS_TYPE_BLOCK_DEVICE, [EROFS_FT_FIFO] = EROFS_TYPE_FIFO,
    [EROFS_FT_SOCK] = EROFS_TYPE_SOCKET,         [EROFS_FT_SYMLINK] = EROFS_TYPE_SYMLINK,
};

static enum nx_status block_open(const struct erofs *fs, const struct erofs_inode *directory,
                                 uint64_t offset, struct directory_block *block)
{
    struct erofs_dirent first;
    uint64_t left = directory->size - offset;

    block->offset = offset;
    block->size = (uint32_t)(left < erofs_block_size(fs) ? left : erofs_block_size(fs));
    if (block->size < sizeof(first)) {
        return NX_ERR_BAD_FORMAT;
    }
    enum nx_status status = erofs_data_read(fs, directory, offset, &first, sizeof(first));
    if (status != NX_OK) {
        return status;
    }
    uint32_t names = erofs_le16_get(first.nameoff);
    if (names == 0 || names % sizeof(first) != 0 || names >= block->size) {
        return NX_ERR_BAD_FORMAT;
    }
    block->count = names / (uint32_t)sizeof(first);
    return NX_OK;
}

// Reads the name at [nameoff, end) of the block. Only a block's last name may be followed by
// padding: it ends at the first zero byte.
static enum nx_status name_load(const struct erofs *fs, const struct erofs_inode *directory,
                                const struct directory_block *block, uint32_t nameoff, uint32_t end,
                                bool is_last, struct erofs_entry *entry)
{
    if (nameoff < block->count * sizeof(struct erofs_dirent) || end > block->size ||
        nameoff >= end) {
        return NX_ERR_BAD_FORMAT;
    }
    uint32_t length = end - nameoff;
    if (length > EROFS_NAME_MAX) {
        length = EROFS_NAME_MAX + 1; // one more than fits: a last name's zero must be among them
    }
    enum nx_status status =
        erofs_data_read(fs, directory, block->offset + nameoff, entry->name, length);
    if (status != NX_OK) {
        return status;
    }
    const char *zero = memchr(entry->name, 0, length);
    if (zero != NULL && is_last) {
        length = (uint32_t)(zero - entry->name);
    } else if (zero != NULL) {
        return NX_ERR_BAD_FORMAT;
    }
    if (length == 0 || length > EROFS_NAME_MAX || memchr(entry->name, '/', length) != NULL) {
        return NX_ERR_BAD_FORMAT;
    }
    entry->name[length] = '\0';
    entry->name_length = length;
    return NX_OK;
}

static enum nx_status entry_load(const struct erofs *fs, const struct erofs_inode *directory,
                                 const struct directory_block *block, uint32_t index,
                                 struct erofs_entry *entry)
{
    struct erofs_dirent dirents[2]; // the entry and the one whose name follows
    bool is_last = index + 1 == block->count;

    enum nx_status status =
        erofs_data_read(fs, directory, block->offset + index * sizeof(dirents[0]), dirents,
                        is_last ? sizeof(dirents[0]) : sizeof(dirents));
    if (status != NX_OK) {
        return status;
    }
    if (dirents[0].file_type >= EROFS_FT_MAX) {
        return NX_ERR_BAD_FORMAT;
    }
    entry->nid = erofs_le64_get(dirents[0].nid);
    entry->type = types_by_dirent[dirents[0].file_type];
    uint32_t end = is_last ? block->size : erofs_le16_get(dirents[1].nameoff);
    return name_load(fs, directory, block, erofs_le16_get(dirents[0].nameoff), end, is_last, entry);
}

enum nx_status erofs_directory_next(const struct erofs *fs, const struct erofs_inode *directory,
                                    uint64_t *cookie, struct erofs_entry *entry)
{
    struct directory_block block;

    if (directory->type != EROFS_TYPE_DIRECTORY) {
        return NX_ERR_NOT_DIRECTORY;
    }
    if (*cookie >= directory->size) {
        return NX_ERR_NOT_FOUND;
    }
    // A cookie is the directory offset of a dirent.
    uint64_t in_block = *cookie & (erofs_block_size(fs) - 1);
    enum nx_status status = block_open(fs, directory, *cookie - in_block, &block);
    if (status != NX_OK) {
        return status;
    }
    uint32_t index = (uint32_t)(in_block / sizeof(struct erofs_dirent));
    if (in_block % sizeof(struct erofs_dirent) != 0 || index >= block.count) {
        return NX_ERR_INVALID_ARGUMENT;
    }
    status = entry_load(fs, directory, &block, index, entry);
    if (status != NX_OK) {
        return status;
    }
    if (index + 1 < block.count) {
        *cookie += sizeof(struct erofs_dirent);
    } else {
        *cookie = block.offset + erofs_block_size(fs);
    }
    return NX_OK;
}

// The order in which the format sorts names: unsigned bytes, a prefix before what it starts.
static int name_compare(const char *name, size_t length, const struct erofs_entry *entry)
{
    size_t common = length < entry->name_length ? length : entry->name_length;
    int order = memcmp(name, entry->name, common);
    if (order != 0) {
        return order;
    }
    return (length > entry->name_length) - (length < entry->name_length);
}

// Finds the last block whose first name is not after `name`. `entry` serves as scratch.
static enum nx_status block_search(const struct erofs *fs, const struct erofs_inode *directory,
                                   const char *name, size_t length, struct directory_block *found,
                                   struct erofs_entry *entry)
{
    uint64_t low = 0; // block 0 is the answer until a later one is seen to be better
    uint64_t high = (directory->size - 1) >> fs->block_bits;

    while (low < high) {
        uint64_t middle = high - (high - low) / 2;
        enum nx_status status = block_open(fs, directory, middle << fs->block_bits, found);
        if (status == NX_OK) {
            status = entry_load(fs, directory, found, 0, entry);
        }
        if (status != NX_OK) {
            return status;
        }
        if (name_compare(name, length, entry) < 0) {
            high = middle - 1;
        } else {
            low = middle;
        }
    }
    return block_open(fs, directory, low << fs->block_bits, found);
}

static enum nx_status name_check(const char *name, size_t length)
{
    if (length == 0 || memchr(name, 0, length) != NULL || memchr(name, '/', length) != NULL) {
        return NX_ERR_INVALID_ARGUMENT;
    }
    return length > EROFS_NAME_MAX ? NX_ERR_NAME_TOO_LONG : NX_OK;
}

enum nx_status erofs_directory_lookup(const struct erofs *fs, const struct erofs_inode *directory,
                                      const char *name, size_t length, struct erofs_entry *entry)
{
    struct directory_block block;

    if (directory->type != EROFS_TYPE_DIRECTORY) {
        return NX_ERR_NOT_DIRECTORY;
    }
    enum nx_status status = name_check(name, length);
    if (status != NX_OK) {
        return status;
    }
    if (directory->size == 0) {
        return NX_ERR_NOT_FOUND;
    }
    status = block_search(fs, directory, name, length, &block, entry);
    if (status != NX_OK) {
        return status;
    }
    uint32_t low = 0;
    uint32_t high = block.count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        status = entry_load(fs, directory, &block, middle, entry);
        if (status != NX_OK) {
            return status;
        }
        int order = name_compare(name, length, entry);
        if (order == 0) {
            return NX_OK;
        }
        if (order < 0) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return NX_ERR_NOT_FOUND;
}
