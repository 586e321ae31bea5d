// SPDX-License-Identifier: Apache-2.0
// EROFS on-disk format: structures, field names and constants as the format's documentation has
// them (Linux Documentation/filesystems/erofs.rst, "On-disk details").
//
// Every multi-byte field is little-endian and held as bytes, so that a structure may lie at any
// address, has no padding, and cannot be read without saying its byte order.
#ifndef EROFS_EROFS_FORMAT_H
#define EROFS_EROFS_FORMAT_H

#include <stddef.h>
#include <stdint.h>

struct erofs_le16 {
    uint8_t byte[2];
};

struct erofs_le32 {
    uint8_t byte[4];
};

struct erofs_le64 {
    uint8_t byte[8];
};

static inline uint16_t erofs_le16_get(struct erofs_le16 value)
{
    return (uint16_t)(value.byte[0] | (value.byte[1] << 8));
}

static inline uint32_t erofs_le32_get(struct erofs_le32 value)
{
    return (uint32_t)value.byte[0] | ((uint32_t)value.byte[1] << 8) |
           ((uint32_t)value.byte[2] << 16) | ((uint32_t)value.byte[3] << 24);
}

static inline uint64_t erofs_le64_get(struct erofs_le64 value)
{
    uint64_t result = 0;
    for (unsigned int i = 0; i < 8; i++) {
        result |= (uint64_t)value.byte[i] << (8 * i);
    }
    return result;
}

// --- Superblock --------------------------------------------------------------------------------

#define EROFS_SUPER_OFFSET   1024u
#define EROFS_SUPER_MAGIC_V1 0xE0F5E1E2u

// feature_compat: a reader that does not know a bit may ignore it.
#define EROFS_FEATURE_COMPAT_SB_CHKSUM 0x00000001u

// feature_incompat: a reader that does not know a bit must refuse the image. ZERO_PADDING only says
// how compressed clusters are padded.
#define EROFS_FEATURE_INCOMPAT_ZERO_PADDING 0x00000001u
#define EROFS_FEATURE_INCOMPAT_CHUNKED_FILE 0x00000004u

struct erofs_super_block {
    struct erofs_le32 magic;
    struct erofs_le32 checksum; // crc32c from offset 1024 to the end of that block, field as 0
    struct erofs_le32 feature_compat;
    uint8_t blkszbits;   // block size is 1 << blkszbits
    uint8_t sb_extslots; // superblock size is 128 + 16 * sb_extslots
    struct erofs_le16 root_nid;
    struct erofs_le64 inos;       // number of inodes
    struct erofs_le64 build_time; // mtime of every compact inode, seconds since 1970
    struct erofs_le32 build_time_nsec;
    struct erofs_le32 blocks;       // size of the file system
    struct erofs_le32 meta_blkaddr; // block where the inode area (nid 0) starts
    struct erofs_le32 xattr_blkaddr;
    uint8_t uuid[16];
    uint8_t volume_name[16];
    struct erofs_le32 feature_incompat;
    struct erofs_le16 available_compr_algs;
    struct erofs_le16 extra_devices;
    struct erofs_le16 devt_slotoff;
    uint8_t dirblkbits; // directory block size is block size << dirblkbits
    uint8_t xattr_prefix_count;
    struct erofs_le32 xattr_prefix_start;
    struct erofs_le64 packed_nid;
    uint8_t xattr_filter_reserved;
    uint8_t reserved2[23];
};

_Static_assert(sizeof(struct erofs_super_block) == 128, "EROFS superblock is 128 bytes");
_Static_assert(offsetof(struct erofs_super_block, blkszbits) == 12, "blkszbits at 12");
_Static_assert(offsetof(struct erofs_super_block, root_nid) == 14, "root_nid at 14");
_Static_assert(offsetof(struct erofs_super_block, build_time) == 24, "build_time at 24");
_Static_assert(offsetof(struct erofs_super_block, blocks) == 36, "blocks at 36");
_Static_assert(offsetof(struct erofs_super_block, meta_blkaddr) == 40, "meta_blkaddr at 40");
_Static_assert(offsetof(struct erofs_super_block, feature_incompat) == 80, "incompat at 80");
_Static_assert(offsetof(struct erofs_super_block, dirblkbits) == 90, "dirblkbits at 90");

// --- Inodes ------------------------------------------------------------------------------------

#define EROFS_ISLOTBITS 5u // an inode's offset in the inode area is nid << EROFS_ISLOTBITS

// i_format
#define EROFS_I_VERSION_MASK     0x0001u
#define EROFS_I_DATALAYOUT_SHIFT 1u
#define EROFS_I_DATALAYOUT_MASK  0x0007u
#define EROFS_I_ALL              0x000fu

#define EROFS_INODE_LAYOUT_COMPACT  0u
#define EROFS_INODE_LAYOUT_EXTENDED 1u

#define EROFS_INODE_FLAT_PLAIN         0u
#define EROFS_INODE_COMPRESSED_FULL    1u
#define EROFS_INODE_FLAT_INLINE        2u
#define EROFS_INODE_COMPRESSED_COMPACT 3u
#define EROFS_INODE_CHUNK_BASED        4u

// i_u: raw_blkaddr (flat layouts), rdev (device nodes), or in its low half the chunk format.
struct erofs_inode_compact {
    struct erofs_le16 i_format;
    struct erofs_le16 i_xattr_icount;
    struct erofs_le16 i_mode;
    struct erofs_le16 i_nlink;
    struct erofs_le32 i_size;
    struct erofs_le32 i_reserved;
    struct erofs_le32 i_u;
    struct erofs_le32 i_ino;
    struct erofs_le16 i_uid;
    struct erofs_le16 i_gid;
    struct erofs_le32 i_reserved2;
};

struct erofs_inode_extended {
    struct erofs_le16 i_format;
    struct erofs_le16 i_xattr_icount;
    struct erofs_le16 i_mode;
    struct erofs_le16 i_reserved;
    struct erofs_le64 i_size;
    struct erofs_le32 i_u;
    struct erofs_le32 i_ino;
    struct erofs_le32 i_uid;
    struct erofs_le32 i_gid;
    struct erofs_le64 i_mtime;
    struct erofs_le32 i_mtime_nsec;
    struct erofs_le32 i_nlink;
    uint8_t i_reserved2[16];
};

_Static_assert(sizeof(struct erofs_inode_compact) == 32, "compact inode is 32 bytes");
_Static_assert(offsetof(struct erofs_inode_compact, i_size) == 8, "i_size at 8");
_Static_assert(offsetof(struct erofs_inode_compact, i_u) == 16, "i_u at 16");
_Static_assert(sizeof(struct erofs_inode_extended) == 64, "extended inode is 64 bytes");
_Static_assert(offsetof(struct erofs_inode_extended, i_u) == 16, "i_u at 16");
_Static_assert(offsetof(struct erofs_inode_extended, i_mtime) == 32, "i_mtime at 32");
_Static_assert(offsetof(struct erofs_inode_extended, i_nlink) == 44, "i_nlink at 44");

// i_mode, as POSIX has it
#define EROFS_S_IFMT   0170000u
#define EROFS_S_IFSOCK 0140000u
#define EROFS_S_IFLNK  0120000u
#define EROFS_S_IFREG  0100000u
#define EROFS_S_IFBLK  0060000u
#define EROFS_S_IFDIR  0040000u
#define EROFS_S_IFCHR  0020000u
#define EROFS_S_IFIFO  0010000u

// --- Extended attributes -----------------------------------------------------------------------

// The area that follows an inode when i_xattr_icount is not 0; its size is that of this header plus
// (i_xattr_icount - 1) entries of EROFS_XATTR_ENTRY_SIZE bytes.
struct erofs_xattr_ibody_header {
    struct erofs_le32 h_name_filter;
    uint8_t h_shared_count;
    uint8_t h_reserved2[7];
};

#define EROFS_XATTR_ENTRY_SIZE 4u

_Static_assert(sizeof(struct erofs_xattr_ibody_header) == 12, "xattr header is 12 bytes");

// --- Chunks ------------------------------------------------------------------------------------

// Chunk format: chunk size is block size << (format & EROFS_CHUNK_FORMAT_BLKBITS_MASK).
#define EROFS_CHUNK_FORMAT_BLKBITS_MASK 0x001fu
#define EROFS_CHUNK_FORMAT_INDEXES      0x0020u
#define EROFS_CHUNK_FORMAT_ALL          (EROFS_CHUNK_FORMAT_BLKBITS_MASK | EROFS_CHUNK_FORMAT_INDEXES)

#define EROFS_NULL_ADDR 0xffffffffu // block address of a hole

// Without EROFS_CHUNK_FORMAT_INDEXES the map is an array of bare block addresses.
#define EROFS_BLOCK_MAP_ENTRY_SIZE 4u

struct erofs_inode_chunk_index {
    struct erofs_le16 advise;
    struct erofs_le16 device_id; // 0 is the image itself
    struct erofs_le32 blkaddr;
};

_Static_assert(sizeof(struct erofs_inode_chunk_index) == 8, "chunk index is 8 bytes");

// --- Directories -------------------------------------------------------------------------------

// A directory block is an array of dirents, then their names back to back. The first dirent's
// nameoff is the array's size; names are sorted within and across blocks as unsigned bytes.
struct erofs_dirent {
    struct erofs_le64 nid;
    struct erofs_le16 nameoff; // from the start of the directory block
    uint8_t file_type;         // EROFS_FT_*
    uint8_t reserved;
};

_Static_assert(sizeof(struct erofs_dirent) == 12, "dirent is 12 bytes");
_Static_assert(offsetof(struct erofs_dirent, nameoff) == 8, "nameoff at 8");

#define EROFS_NAME_LEN 255u // longest name, without a terminator

#define EROFS_FT_UNKNOWN  0u
#define EROFS_FT_REG_FILE 1u
#define EROFS_FT_DIR      2u
#define EROFS_FT_CHRDEV   3u
#define EROFS_FT_BLKDEV   4u
#define EROFS_FT_FIFO     5u
#define EROFS_FT_SOCK     6u
#define EROFS_FT_SYMLINK  7u
#define EROFS_FT_MAX      8u

#endif
