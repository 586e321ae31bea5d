// SPDX-License-Identifier: Apache-2.0
// The footer of a package image and the superblock of a dm-verity tree, byte by byte. All numbers
// are little-endian.
#ifndef VERITY_FOOTER_FORMAT_H
#define VERITY_FOOTER_FORMAT_H

#include <stdint.h>

#define FOOTER_MAGIC        "NXPKGFTR"
#define FOOTER_MAGIC_BYTES  8u
#define FOOTER_VERSION      1u
#define FOOTER_HEADER_BYTES 512u // what is signed; the signature follows
#define FOOTER_HASH_NAME    "blake2b-512"
#define FOOTER_UUID_BYTES   16u

struct footer_header {
    uint8_t magic[FOOTER_MAGIC_BYTES];
    uint32_t footer_version;
    uint32_t header_bytes;
    uint64_t image_version;
    uint64_t data_bytes;
    uint64_t tree_offset;
    uint64_t tree_bytes;
    uint64_t image_bytes;
    uint32_t data_block_bytes;
    uint32_t hash_block_bytes;
    char hash_name[32];
    uint8_t uuid[FOOTER_UUID_BYTES];
    uint8_t key_id[8];
    uint32_t salt_bytes;
    uint32_t digest_bytes;
    uint8_t salt[128];
    uint8_t root[64];
    uint8_t reserved[192]; // zero
};
_Static_assert(sizeof(struct footer_header) == FOOTER_HEADER_BYTES, "no gaps");

#define SUPERBLOCK_MAGIC     "verity\0"
#define SUPERBLOCK_VERSION   1u
#define SUPERBLOCK_HASH_TYPE 1u // salt before the block
#define SUPERBLOCK_SALT_MAX  256u

// As veritysetup writes it; the rest of its block is zero.
struct verity_superblock {
    uint8_t magic[8];
    uint32_t version;
    uint32_t hash_type;
    uint8_t uuid[FOOTER_UUID_BYTES];
    char hash_name[32];
    uint32_t data_block_bytes;
    uint32_t hash_block_bytes;
    uint64_t data_blocks;
    uint16_t salt_bytes;
    uint8_t reserved1[6];
    uint8_t salt[SUPERBLOCK_SALT_MAX];
    uint8_t reserved2[168];
};
_Static_assert(sizeof(struct verity_superblock) == 512, "no gaps");

// The one UUID of every image: it tells nothing.
#define FOOTER_UUID                                                                                \
    {                                                                                              \
        0x6e, 0x65, 0x78, 0x75, 0x73, 0x00, 0x4b, 0x70, 0x80, 0x67, 0x66, 0x73, 0x76, 0x72, 0x31,  \
            0x32                                                                                   \
    }

#endif
