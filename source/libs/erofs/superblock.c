// SPDX-License-Identifier: Apache-2.0
// EROFS superblock: checks an image before anything else in it is believed.

#include <string.h>

#include "erofs/erofs_format.h"
#include "erofs/erofs_internal.h"

#define BLOCK_BITS_MIN 9u
#define BLOCK_BITS_MAX 12u

#define FEATURE_INCOMPAT_KNOWN                                                                     \
    (EROFS_FEATURE_INCOMPAT_ZERO_PADDING | EROFS_FEATURE_INCOMPAT_CHUNKED_FILE)

static const char *const refusal_names[EROFS_REFUSAL_COUNT] = {
    [EROFS_REFUSAL_NONE] = "none",
    [EROFS_REFUSAL_SOURCE] = "source-unreadable",
    [EROFS_REFUSAL_TOO_SMALL] = "too-small",
    [EROFS_REFUSAL_MAGIC] = "bad-magic",
    [EROFS_REFUSAL_BLOCK_SIZE] = "block-size",
    [EROFS_REFUSAL_CHECKSUM] = "superblock-checksum",
    [EROFS_REFUSAL_FEATURE] = "unknown-feature",
    [EROFS_REFUSAL_SIZE] = "image-ends-early",
    [EROFS_REFUSAL_META_AREA] = "inode-area-outside",
    [EROFS_REFUSAL_ROOT] = "root-inode",
    [EROFS_REFUSAL_COMPRESSED] = "compressed",
};

// CRC-32C, reflected polynomial 0x82f63b78, four bits a step: 64 bytes of table are enough for the
// one block that is ever summed.
static uint32_t crc32c_update(uint32_t crc, const uint8_t *data, size_t length)
{
    static const uint32_t table[16] = {
        0x00000000, 0x105ec76f, 0x20bd8ede, 0x30e349b1, 0x417b1dbc, 0x5125dad3,
        0x61c69362, 0x7198540d, 0x82f63b78, 0x92a8fc17, 0xa24bb5a6, 0xb21572c9,
        0xc38d26c4, 0xd3d3e1ab, 0xe330a81a, 0xf36e6f75,
    };

    for (size_t i = 0; i < length; i++) {
        crc ^= data[i];
        crc = (crc >> 4) ^ table[crc & 15];
        crc = (crc >> 4) ^ table[crc & 15];
    }
    return crc;
}

// The sum covers the bytes from the superblock to the end of its block (one block when blocks are
// no larger than the superblock's offset), the checksum field as zero, and is not inverted at the
// end.
static enum nx_status checksum_verify(const struct erofs_source *source, uint32_t block_bits,
                                      uint32_t expected)
{
    uint8_t piece[512];
    uint64_t length = UINT64_C(1) << block_bits;
    uint32_t crc = UINT32_MAX;

    if (length > EROFS_SUPER_OFFSET) {
        length -= EROFS_SUPER_OFFSET;
    }
    if (!erofs_range_fits(source->size, EROFS_SUPER_OFFSET, length)) {
        return NX_ERR_TRUNCATED;
    }
    for (uint64_t done = 0; done < length; done += sizeof(piece)) {
        enum nx_status status =
            source->read(source->context, EROFS_SUPER_OFFSET + done, piece, sizeof(piece));
        if (status != NX_OK) {
            return status;
        }
        if (done == 0) {
            memset(piece + offsetof(struct erofs_super_block, checksum), 0,
                   sizeof(struct erofs_le32));
        }
        crc = crc32c_update(crc, piece, sizeof(piece));
    }
    return crc == expected ? NX_OK : NX_ERR_HASH;
}

// The checks that need nothing but the superblock's own 128 bytes.
static enum nx_status super_block_check(const struct erofs_super_block *super,
                                        enum erofs_refusal *refusal)
{
    if (erofs_le32_get(super->magic) != EROFS_SUPER_MAGIC_V1) {
        *refusal = EROFS_REFUSAL_MAGIC;
        return NX_ERR_BAD_FORMAT;
    }
    if (super->blkszbits < BLOCK_BITS_MIN) {
        *refusal = EROFS_REFUSAL_BLOCK_SIZE;
        return NX_ERR_BAD_FORMAT;
    }
    if (super->blkszbits > BLOCK_BITS_MAX || super->dirblkbits != 0) {
        *refusal = EROFS_REFUSAL_BLOCK_SIZE;
        return NX_ERR_UNSUPPORTED;
    }
    if ((erofs_le32_get(super->feature_incompat) & ~FEATURE_INCOMPAT_KNOWN) != 0) {
        *refusal = EROFS_REFUSAL_FEATURE;
        return NX_ERR_UNSUPPORTED;
    }
    return NX_OK;
}

static enum nx_status super_block_load(const struct erofs_source *source,
                                       struct erofs_super_block *super, enum erofs_refusal *refusal)
{
    if (!erofs_range_fits(source->size, EROFS_SUPER_OFFSET, sizeof(*super))) {
        *refusal = EROFS_REFUSAL_TOO_SMALL;
        return NX_ERR_TRUNCATED;
    }
    enum nx_status status =
        source->read(source->context, EROFS_SUPER_OFFSET, super, sizeof(*super));
    if (status != NX_OK) {
        *refusal = EROFS_REFUSAL_SOURCE;
        return status;
    }
    status = super_block_check(super, refusal);
    if (status != NX_OK) {
        return status;
    }
    if ((erofs_le32_get(super->feature_compat) & EROFS_FEATURE_COMPAT_SB_CHKSUM) == 0) {
        return NX_OK;
    }
    status = checksum_verify(source, super->blkszbits, erofs_le32_get(super->checksum));
    if (status == NX_ERR_HASH) {
        *refusal = EROFS_REFUSAL_CHECKSUM;
    } else if (status == NX_ERR_TRUNCATED) {
        *refusal = EROFS_REFUSAL_SIZE;
    } else if (status != NX_OK) {
        *refusal = EROFS_REFUSAL_SOURCE;
    }
    return status;
}

enum nx_status erofs_mount(struct erofs *fs, const struct erofs_source *source,
                           enum erofs_refusal *refusal)
{
    struct erofs_super_block super;
    struct erofs_inode root;

    *refusal = EROFS_REFUSAL_NONE;
    enum nx_status status = super_block_load(source, &super, refusal);
    if (status != NX_OK) {
        return status;
    }

    // 32-bit block numbers times at most 4 KiB: neither product can overflow 64 bits.
    *fs = (struct erofs){
        .source = *source,
        .size = (uint64_t)erofs_le32_get(super.blocks) << super.blkszbits,
        .meta_offset = (uint64_t)erofs_le32_get(super.meta_blkaddr) << super.blkszbits,
        .root_nid = erofs_le16_get(super.root_nid),
        .inode_count = erofs_le64_get(super.inos),
        .build_time = erofs_le64_get(super.build_time),
        .build_time_nsec = erofs_le32_get(super.build_time_nsec),
        .block_bits = super.blkszbits,
    };
    memcpy(fs->uuid, super.uuid, sizeof(fs->uuid));

    if (fs->size > source->size) {
        *refusal = EROFS_REFUSAL_SIZE;
        return NX_ERR_TRUNCATED;
    }
    if (fs->meta_offset >= fs->size) {
        *refusal = EROFS_REFUSAL_META_AREA;
        return NX_ERR_BAD_FORMAT;
    }
    status = erofs_inode_load(fs, fs->root_nid, &root);
    if (status == NX_OK && root.type != EROFS_TYPE_DIRECTORY) {
        status = NX_ERR_BAD_FORMAT;
    }
    if (status != NX_OK) {
        *refusal = EROFS_REFUSAL_ROOT;
    }
    return status;
}

const char *erofs_refusal_name(enum erofs_refusal refusal)
{
    if ((unsigned int)refusal >= EROFS_REFUSAL_COUNT) {
        return "unknown";
    }
    return refusal_names[refusal];
}
