// SPDX-License-Identifier: Apache-2.0
// EROFS reader: the contract. A read-only, allocation-free reader of uncompressed EROFS images.
//
// Typical sequence:
//     erofs_mount(&fs, &source, &refusal);
//     erofs_resolve(&fs, "fixtures/hello.txt", 18, EROFS_FOLLOW_FINAL, &inode);
//     erofs_read(&fs, &inode, 0, buffer, sizeof buffer, &got);      copies, or
//     erofs_map(&fs, &inode, 0, &extent);                           says where the bytes live
//
// The image is hostile until proven otherwise: every offset is checked against the file system's
// size before it is used, every loop is bounded by that size or by a constant below. Nothing is
// cached and nothing is written after mount, so any number of threads may share one `struct erofs`
// and its inodes as long as the source's read callback allows it. Stack use is below 4 KiB.
//
// Verification is the source's: all bytes that the library interprets come through source.read, and
// all bytes that erofs_map only points at are read by the caller. Both lie in [0, fs.size). A
// source that checks each block against a hash tree before it returns it therefore covers
// everything. What follows the file system in the image (hash tree, signed footer) starts at
// fs.size and is never looked at here.
//
// Status codes that any call may return, besides those listed with it:
//     the source's own error   as source.read returned it
//     NX_ERR_BAD_FORMAT        the image breaks the rules of the format
//     NX_ERR_UNSUPPORTED       well formed, but uses what this reader does not do
#ifndef EROFS_EROFS_H
#define EROFS_EROFS_H

#include <stddef.h>
#include <stdint.h>

#include "nexus/status.h"

#define EROFS_NAME_MAX    255u  // longest name of a directory entry, without terminator
#define EROFS_PATH_MAX    1024u // longest path and longest symbolic link target
#define EROFS_SYMLINK_MAX 40u   // symbolic links followed in one erofs_resolve

// Where the image's bytes come from.
struct erofs_source {
    // Fills all of `buffer` with the bytes at [offset, offset + length), or returns an error. Is
    // called with length > 0 and a range inside [0, size) only. A short read is an error.
    enum nx_status (*read)(void *context, uint64_t offset, void *buffer, size_t length);
    void *context; // passed to read, otherwise untouched
    uint64_t size; // bytes readable; the file system may be smaller
};

// Why an image or an inode is refused; the status says how, this says what to print.
enum erofs_refusal {
    EROFS_REFUSAL_NONE,
    EROFS_REFUSAL_SOURCE,     // the source could not be read
    EROFS_REFUSAL_TOO_SMALL,  // no room for a superblock
    EROFS_REFUSAL_MAGIC,      // not EROFS
    EROFS_REFUSAL_BLOCK_SIZE, // block size outside 512..4096, or directory blocks that differ
    EROFS_REFUSAL_CHECKSUM,   // the superblock's crc32c does not match
    EROFS_REFUSAL_FEATURE,    // feature_incompat has a bit that this reader does not know
    EROFS_REFUSAL_SIZE,       // the image ends before the file system does
    EROFS_REFUSAL_META_AREA,  // the inode area lies outside the file system
    EROFS_REFUSAL_ROOT,       // the root inode is damaged or not a directory
    EROFS_REFUSAL_COMPRESSED, // the file's data is compressed
    EROFS_REFUSAL_COUNT
};

enum erofs_type {
    EROFS_TYPE_UNKNOWN, // only in directory entries: the image does not say
    EROFS_TYPE_FILE,
    EROFS_TYPE_DIRECTORY,
    EROFS_TYPE_CHARACTER_DEVICE,
    EROFS_TYPE_BLOCK_DEVICE,
    EROFS_TYPE_FIFO,
    EROFS_TYPE_SOCKET,
    EROFS_TYPE_SYMLINK,
};

// How a file's bytes are laid out in the image.
enum erofs_layout {
    EROFS_LAYOUT_FLAT_PLAIN,  // whole blocks in one run
    EROFS_LAYOUT_FLAT_INLINE, // the same, but the last block's bytes follow the inode
    EROFS_LAYOUT_CHUNKED,     // equal chunks anywhere, or holes
    EROFS_LAYOUT_COMPRESSED,  // can be listed and stat'ed, not read
    EROFS_LAYOUT_NONE,        // devices, fifos, sockets: no data
};

// A mounted file system. Constant after erofs_mount.
struct erofs {
    struct erofs_source source;
    uint64_t size;        // bytes from superblock's `blocks`; hash tree and footer start here
    uint64_t meta_offset; // image offset of nid 0
    uint64_t root_nid;
    uint64_t inode_count; // as the image claims
    uint64_t build_time;  // seconds since 1970
    uint32_t build_time_nsec;
    uint32_t block_bits; // 9..12
    uint8_t uuid[16];
};

// A loaded inode; the public half is what stat reports. A value: copy freely, nothing to release.
struct erofs_inode {
    uint64_t nid;  // identity within the image
    uint64_t size; // bytes
    uint64_t mtime;
    uint32_t mtime_nsec;
    uint32_t nlink;
    uint32_t uid;
    uint32_t gid;
    uint16_t mode; // POSIX type and permission bits
    enum erofs_type type;
    enum erofs_layout layout;

    // Private to the library: where the data lives, checked by erofs_inode_load.
    uint64_t data_offset;   // flat: image offset of the first whole block
    uint64_t inline_start;  // flat: file offset from which the bytes are inline; size if none
    uint64_t inline_offset; // flat inline: image offset of those bytes
    uint64_t chunk_map_offset;
    uint32_t chunk_bits;
    uint32_t chunk_entry_size; // 4 or 8
};

enum erofs_extent_kind {
    EROFS_EXTENT_DEVICE, // at image_offset; block-aligned when the file offset is
    EROFS_EXTENT_HOLE,   // zeros; image_offset is 0 and means nothing
    EROFS_EXTENT_INLINE, // at image_offset, any alignment, within one block of metadata: copy it
};

// Where a run of file bytes lives. For DEVICE the image block that holds the run's last byte lies
// wholly inside the file system, so whole blocks may be transferred; bytes of that block past the
// end of the file are not the file's (zero them before handing out a page).
struct erofs_extent {
    enum erofs_extent_kind kind;
    uint64_t image_offset;
    uint64_t length; // file bytes, at least 1, never past the end of the file
};

struct erofs_entry {
    uint64_t nid; // not yet checked: erofs_inode_load does
    enum erofs_type type;
    uint32_t name_length;          // 1..EROFS_NAME_MAX
    char name[EROFS_NAME_MAX + 1]; // zero-terminated; holds no '/' and no zero byte
};

// What erofs_resolve does when the path's last component is a symbolic link.
enum erofs_final_link {
    EROFS_FOLLOW_FINAL,
    EROFS_KEEP_FINAL, // as lstat does; a trailing slash follows all the same
};

// Checks the superblock and the root inode and fills `fs`, which keeps a copy of `source` (the
// context stays the caller's). `refusal` is always set. On failure `fs` must not be used.
//   NX_ERR_TRUNCATED  the source is smaller than the superblock or the file system
//   NX_ERR_HASH       the superblock's checksum does not match
NX_MUST_CHECK enum nx_status erofs_mount(struct erofs *fs, const struct erofs_source *source,
                                         enum erofs_refusal *refusal);

// A short name for messages: "bad-magic", "compressed"; "unknown" for other values.
const char *erofs_refusal_name(enum erofs_refusal refusal);

// Loads and checks the inode `nid`, including that its data or its chunk map lies in the image.
//   NX_ERR_OUT_OF_RANGE  no such inode can exist
NX_MUST_CHECK enum nx_status erofs_inode_load(const struct erofs *fs, uint64_t nid,
                                              struct erofs_inode *inode);

// Why erofs_map and erofs_read answer NX_ERR_UNSUPPORTED for this inode, or EROFS_REFUSAL_NONE.
enum erofs_refusal erofs_inode_refusal(const struct erofs_inode *inode);

// Says where the file bytes from `file_offset` on live: one contiguous run, as long as it can be
// said with one bounded look at the metadata. Reads no file data.
//   NX_ERR_OUT_OF_RANGE  file_offset is not below the file's size
NX_MUST_CHECK enum nx_status erofs_map(const struct erofs *fs, const struct erofs_inode *inode,
                                       uint64_t file_offset, struct erofs_extent *extent);

// Copies up to `length` bytes from `file_offset`; `*got` is less than `length` only at the end of
// the file, 0 from there on. On failure *got is 0 and the buffer's content is unspecified.
//   NX_ERR_IS_DIRECTORY, NX_ERR_WRONG_TYPE  not a regular file
NX_MUST_CHECK enum nx_status erofs_read(const struct erofs *fs, const struct erofs_inode *inode,
                                        uint64_t file_offset, void *buffer, size_t length,
                                        size_t *got);

// Copies a symbolic link's target, not terminated; `*length` is its size, 1..EROFS_PATH_MAX.
//   NX_ERR_WRONG_TYPE     not a symbolic link
//   NX_ERR_TOO_LARGE      `capacity` is less than the target's size
//   NX_ERR_NAME_TOO_LONG  the target is longer than EROFS_PATH_MAX
NX_MUST_CHECK enum nx_status erofs_readlink(const struct erofs *fs, const struct erofs_inode *inode,
                                            char *buffer, size_t capacity, size_t *length);

// Yields the next entry, "." and ".." included, in the image's order. `*cookie` starts as 0, is
// advanced on success, and may be kept and resumed from at any later time; a value that never came
// from here is refused or yields some entry of this directory.
//   NX_ERR_NOT_DIRECTORY
//   NX_ERR_NOT_FOUND         no more entries
//   NX_ERR_INVALID_ARGUMENT  the cookie names no place in this directory
NX_MUST_CHECK enum nx_status erofs_directory_next(const struct erofs *fs,
                                                  const struct erofs_inode *directory,
                                                  uint64_t *cookie, struct erofs_entry *entry);

// Finds one name (`length` bytes, no terminator needed) by binary search. In an image whose
// directories are not sorted a name may be missed; nothing else can go wrong.
//   NX_ERR_NOT_DIRECTORY
//   NX_ERR_NOT_FOUND
//   NX_ERR_NAME_TOO_LONG     longer than EROFS_NAME_MAX
//   NX_ERR_INVALID_ARGUMENT  empty, or holds '/' or a zero byte
NX_MUST_CHECK enum nx_status erofs_directory_lookup(const struct erofs *fs,
                                                    const struct erofs_inode *directory,
                                                    const char *name, size_t length,
                                                    struct erofs_entry *entry);

// Walks `path` (`length` bytes) from the root and loads the inode it ends at. A leading slash
// changes nothing; an empty path is the root; repeated slashes count as one; "." and ".." mean what
// POSIX says and ".." at the root stays there. Links may be relative or absolute, the latter from
// this file system's root.
//   NX_ERR_NOT_FOUND         a component does not exist
//   NX_ERR_NOT_DIRECTORY     a component that a slash follows is something else
//   NX_ERR_NAME_TOO_LONG     a component over EROFS_NAME_MAX, or the path, links expanded, over
//                            EROFS_PATH_MAX
//   NX_ERR_TOO_LARGE         more than EROFS_SYMLINK_MAX links: a loop
//   NX_ERR_INVALID_ARGUMENT  the path holds a zero byte
NX_MUST_CHECK enum nx_status erofs_resolve(const struct erofs *fs, const char *path, size_t length,
                                           enum erofs_final_link final_link,
                                           struct erofs_inode *inode);

#endif
