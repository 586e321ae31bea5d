// SPDX-License-Identifier: Apache-2.0
// Writes small EROFS images by byte offsets: a second reading of the format that shares no
// structure with the reader, for shapes that mkfs.erofs does not make.
#ifndef TESTS_EROFS_HANDMADE_H
#define TESTS_EROFS_HANDMADE_H

#include <stddef.h>
#include <stdint.h>

#define HANDMADE_SIZE  65536u // bytes of the file system
#define HANDMADE_SUPER 1024u
#define HANDMADE_META  4096u  // image offset of nid 0
#define HANDMADE_DATA  32768u // image offset from which tests put file data

#define ROOT_NID   1u
#define HELLO_NID  16u
#define HELLO_TEXT "hello, hand"

struct handmade {
    uint8_t *bytes;
    size_t size;
};

enum { PLAIN = 0, INLINE = 2, CHUNKED = 4 };

// A compact inode's fields; zero where not named.
struct handmade_inode {
    unsigned int layout;
    unsigned int xattr_icount;
    unsigned int mode;
    uint32_t size;
    uint32_t i_u;
};

struct handmade_entry {
    const char *name;
    uint64_t nid;
    unsigned int type;
};

// An image with a valid superblock (checksum on) and a root directory that holds ".", ".." and
// "hello", an inline file of HELLO_TEXT.
struct handmade handmade_make(unsigned int block_bits);
void handmade_free(struct handmade *image);

// Little-endian stores of `width` bytes at an image offset.
void handmade_put(struct handmade *image, size_t offset, unsigned int width, uint64_t value);
void handmade_seal(struct handmade *image); // recomputes the superblock's checksum

size_t handmade_inode_offset(uint64_t nid);
void handmade_inode_put(struct handmade *image, uint64_t nid, struct handmade_inode inode);

// Writes one directory block's dirents and names at an image offset; returns the bytes used.
uint32_t handmade_entries_put(struct handmade *image, size_t offset,
                              const struct handmade_entry *entries, size_t count);

// Replaces the root directory by one block of `entries`, sorted by the caller; returns the image
// offset of its first dirent.
size_t handmade_root_put(struct handmade *image, const struct handmade_entry *entries,
                         size_t count);

#endif
