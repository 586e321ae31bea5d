// SPDX-License-Identifier: Apache-2.0
// EROFS inodes: decodes both on-disk forms and checks, once, that the data they describe exists.

#include "erofs/erofs_format.h"
#include "erofs/erofs_internal.h"

// What the two on-disk forms have in common besides the fields of struct erofs_inode.
struct inode_header {
    uint64_t end;         // image offset of the byte after the fixed part
    uint16_t format;      // i_format
    uint16_t xattr_count; // i_xattr_icount
    uint32_t i_u;
};

static const enum erofs_type types_by_mode[16] = {
    [EROFS_S_IFIFO >> 12] = EROFS_TYPE_FIFO,
    [EROFS_S_IFCHR >> 12] = EROFS_TYPE_CHARACTER_DEVICE,
    [EROFS_S_IFDIR >> 12] = EROFS_TYPE_DIRECTORY,
    [EROFS_S_IFBLK >> 12] = EROFS_TYPE_BLOCK_DEVICE,
    [EROFS_S_IFREG >> 12] = EROFS_TYPE_FILE,
    [EROFS_S_IFLNK >> 12] = EROFS_TYPE_SYMLINK,
    [EROFS_S_IFSOCK >> 12] = EROFS_TYPE_SOCKET,
};

static void compact_decode(const struct erofs *fs, const struct erofs_inode_compact *disk,
                           struct erofs_inode *inode, struct inode_header *header)
{
    inode->size = erofs_le32_get(disk->i_size);
    inode->mtime = fs->build_time;
    inode->mtime_nsec = fs->build_time_nsec;
    inode->nlink = erofs_le16_get(disk->i_nlink);
    inode->uid = erofs_le16_get(disk->i_uid);
    inode->gid = erofs_le16_get(disk->i_gid);
    inode->mode = erofs_le16_get(disk->i_mode);
    header->end += sizeof(*disk);
    header->xattr_count = erofs_le16_get(disk->i_xattr_icount);
    header->i_u = erofs_le32_get(disk->i_u);
}

static void extended_decode(const struct erofs_inode_extended *disk, struct erofs_inode *inode,
                            struct inode_header *header)
{
    inode->size = erofs_le64_get(disk->i_size);
    inode->mtime = erofs_le64_get(disk->i_mtime);
    inode->mtime_nsec = erofs_le32_get(disk->i_mtime_nsec);
    inode->nlink = erofs_le32_get(disk->i_nlink);
    inode->uid = erofs_le32_get(disk->i_uid);
    inode->gid = erofs_le32_get(disk->i_gid);
    inode->mode = erofs_le16_get(disk->i_mode);
    header->end += sizeof(*disk);
    header->xattr_count = erofs_le16_get(disk->i_xattr_icount);
    header->i_u = erofs_le32_get(disk->i_u);
}

static enum nx_status inode_decode(const struct erofs *fs, uint64_t offset,
                                   struct erofs_inode *inode, struct inode_header *header)
{
    union {
        struct erofs_le16 i_format; // first field of both forms
        struct erofs_inode_compact compact;
        struct erofs_inode_extended extended;
    } disk;

    enum nx_status status = erofs_image_read(fs, offset, &disk.compact, sizeof(disk.compact));
    if (status != NX_OK) {
        return status;
    }
    header->end = offset;
    header->format = erofs_le16_get(disk.i_format);
    if ((header->format & ~EROFS_I_ALL) != 0) {
        return NX_ERR_UNSUPPORTED;
    }
    if ((header->format & EROFS_I_VERSION_MASK) == EROFS_INODE_LAYOUT_COMPACT) {
        compact_decode(fs, &disk.compact, inode, header);
        return NX_OK;
    }
    status = erofs_image_read(fs, offset, &disk.extended, sizeof(disk.extended));
    if (status != NX_OK) {
        return status;
    }
    extended_decode(&disk.extended, inode, header);
    return NX_OK;
}

static uint64_t xattr_area_size(uint16_t count)
{
    if (count == 0) {
        return 0;
    }
    return sizeof(struct erofs_xattr_ibody_header) +
           (count - 1u) * (uint64_t)EROFS_XATTR_ENTRY_SIZE;
}

// Number of 1 << bits sized units that hold `size` bytes.
static uint64_t units_for(uint64_t size, uint32_t bits)
{
    return (size >> bits) + ((size & ((UINT64_C(1) << bits) - 1)) != 0);
}

// Whole blocks in one run from i_u on, then, for the inline layout, the last block's bytes at
// `tail_offset`. An empty file's i_u means nothing.
static enum nx_status flat_check(const struct erofs *fs, uint32_t i_u, uint64_t tail_offset,
                                 struct erofs_inode *inode)
{
    uint64_t blocks = units_for(inode->size, fs->block_bits);

    inode->inline_start = inode->size;
    if (inode->layout == EROFS_LAYOUT_FLAT_INLINE && blocks != 0) {
        blocks--;
        inode->inline_start = blocks << fs->block_bits;
        inode->inline_offset = tail_offset;

        // The format keeps a tail inside its inode's last metadata block.
        uint64_t tail = inode->size - inode->inline_start;
        uint64_t in_block = tail_offset & (erofs_block_size(fs) - 1);
        if (tail > erofs_block_size(fs) - in_block ||
            !erofs_range_fits(fs->size, tail_offset, tail)) {
            return NX_ERR_BAD_FORMAT;
        }
    }
    if (blocks == 0) {
        return NX_OK;
    }
    inode->data_offset = (uint64_t)i_u << fs->block_bits;
    if (inode->data_offset > fs->size ||
        blocks > (fs->size - inode->data_offset) >> fs->block_bits) {
        return NX_ERR_BAD_FORMAT;
    }
    return NX_OK;
}

static enum nx_status chunked_check(const struct erofs *fs, uint32_t i_u, uint64_t after_inode,
                                    struct erofs_inode *inode)
{
    uint32_t format = i_u & UINT16_MAX;

    if ((format & ~EROFS_CHUNK_FORMAT_ALL) != 0) {
        return NX_ERR_UNSUPPORTED;
    }
    inode->chunk_bits = fs->block_bits + (format & EROFS_CHUNK_FORMAT_BLKBITS_MASK);
    inode->chunk_entry_size = (format & EROFS_CHUNK_FORMAT_INDEXES) != 0
                                  ? (uint32_t)sizeof(struct erofs_inode_chunk_index)
                                  : EROFS_BLOCK_MAP_ENTRY_SIZE;

    // The map is aligned to its entries. `after_inode` is inside the image, far from overflow.
    uint64_t mask = inode->chunk_entry_size - 1u;
    inode->chunk_map_offset = (after_inode + mask) & ~mask;

    uint64_t chunks = units_for(inode->size, inode->chunk_bits);
    if (inode->chunk_map_offset > fs->size ||
        chunks > (fs->size - inode->chunk_map_offset) / inode->chunk_entry_size) {
        return NX_ERR_BAD_FORMAT;
    }
    return NX_OK;
}

static enum nx_status layout_decode(const struct erofs *fs, const struct inode_header *header,
                                    struct erofs_inode *inode)
{
    uint64_t after_inode = header->end + xattr_area_size(header->xattr_count);

    if (after_inode > fs->size) {
        return NX_ERR_BAD_FORMAT;
    }
    if (inode->type != EROFS_TYPE_FILE && inode->type != EROFS_TYPE_DIRECTORY &&
        inode->type != EROFS_TYPE_SYMLINK) {
        inode->layout = EROFS_LAYOUT_NONE;
        return NX_OK;
    }
    switch ((header->format >> EROFS_I_DATALAYOUT_SHIFT) & EROFS_I_DATALAYOUT_MASK) {
    case EROFS_INODE_FLAT_PLAIN:
        inode->layout = EROFS_LAYOUT_FLAT_PLAIN;
        return flat_check(fs, header->i_u, after_inode, inode);
    case EROFS_INODE_FLAT_INLINE:
        inode->layout = EROFS_LAYOUT_FLAT_INLINE;
        return flat_check(fs, header->i_u, after_inode, inode);
    case EROFS_INODE_CHUNK_BASED:
        inode->layout = EROFS_LAYOUT_CHUNKED;
        return chunked_check(fs, header->i_u, after_inode, inode);
    case EROFS_INODE_COMPRESSED_FULL:
    case EROFS_INODE_COMPRESSED_COMPACT:
        inode->layout = EROFS_LAYOUT_COMPRESSED;
        return NX_OK;
    default:
        return NX_ERR_UNSUPPORTED;
    }
}

enum nx_status erofs_inode_load(const struct erofs *fs, uint64_t nid, struct erofs_inode *inode)
{
    struct inode_header header;

    if (nid >= (fs->size - fs->meta_offset) >> EROFS_ISLOTBITS) {
        return NX_ERR_OUT_OF_RANGE;
    }
    *inode = (struct erofs_inode){.nid = nid};
    enum nx_status status =
        inode_decode(fs, fs->meta_offset + (nid << EROFS_ISLOTBITS), inode, &header);
    if (status != NX_OK) {
        return status;
    }
    inode->type = types_by_mode[(inode->mode & EROFS_S_IFMT) >> 12];
    if (inode->type == EROFS_TYPE_UNKNOWN) {
        return NX_ERR_BAD_FORMAT;
    }
    // File offsets are signed 64-bit for every client; this also keeps rounding up from wrapping.
    if (inode->size > INT64_MAX) {
        return NX_ERR_BAD_FORMAT;
    }
    return layout_decode(fs, &header, inode);
}

enum erofs_refusal erofs_inode_refusal(const struct erofs_inode *inode)
{
    return inode->layout == EROFS_LAYOUT_COMPRESSED ? EROFS_REFUSAL_COMPRESSED : EROFS_REFUSAL_NONE;
}
