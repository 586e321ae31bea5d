// SPDX-License-Identifier: Apache-2.0
// The cache of file contents: per file one memory object whose pages are the file's, filled on
// demand and shared with clients read-only. Only verified bytes are ever written there, and only by
// this program: nobody else has a handle with the right to write.
//
// A file is in the cache from its first open until it is evicted. Closing it only makes it a better
// candidate. Eviction drops this program's handles: clients that hold the object keep their pages,
// valid as they were. What they cannot do any more is fetch: the file's token is void, the answer
// NX_ERR_BAD_HANDLE, and the client opens the file anew. Tokens are never reused, not even by the
// next instance of this program, so nobody is told of pages that are valid in an object that is not
// his. A token is good only for a client that has the file open: none can use, or close, what
// others have opened.
//
// Who reads a file in sequence is read ahead of (read_ahead.h, file_ahead.h), so the disk works
// while he does. A file with reads on their way is not evicted.
//
// No locks: one thread.
#ifndef PACKAGEFSD_FILE_CACHE_H
#define PACKAGEFSD_FILE_CACHE_H

#include "erofs/erofs.h"
#include "file_ahead.h"
#include "image.h"
#include "page_map.h"
#include "read_ahead.h"
#include "recency.h"

#define FILES_MAX       256u  // files in the cache; a power of two
#define FILE_PAGES_MAX  8192u // valid pages of all files together: 32 MiB
#define FETCH_BYTES_MAX (4ul << 20)

// A client is a badge: nexus-init's are the numbers of its programs, and the children of a program
// have its badge. 0 is a handle without one.
#define FILE_CLIENTS_MAX 16u

struct file {
    struct recency_link use; // in one of the cache's lists
    struct file *next;       // in its bucket's chain, while in the cache
    uint64_t token;          // 0: not in the cache
    uint64_t opens;          // opens minus closes, of all clients
    uint64_t opens_of[FILE_CLIENTS_MAX];
    struct erofs_inode inode;
    nx_handle memory; // the object, with every right
    nx_handle shared; // the same without the right to write: what clients get copies of
    struct page_map map;
    struct page_map coming; // pages that flights are bringing
    struct read_ahead reader;
    uint32_t flights;
};

struct file_cache {
    struct image *image;
    const struct erofs *fs;
    struct file files[FILES_MAX];
    struct file *buckets[FILES_MAX]; // by node
    struct recency_list unused;      // not in the cache
    struct recency_list idle;        // evicted first
    struct recency_list opened;
    struct file_ahead ahead;
    uint64_t serial;     // of the next token
    uint64_t pages;      // valid or coming, of all files
    uint64_t open_files; // files in `opened`
    uint64_t hits;       // fetches that found every page valid
    uint64_t misses;
};

struct file_range {
    uint64_t offset;
    uint64_t length;
};

void file_cache_init(struct file_cache *cache, struct image *image, const struct erofs *fs);

// Opens the regular file `inode`, which is not empty, for a client. *file is valid until the next
// call that may evict: open and fetch.
//   NX_ERR_UNSUPPORTED    its data is compressed
//   NX_ERR_TOO_LARGE      larger than a memory object can be
//   NX_ERR_ACCESS_DENIED  nobody has that badge
//   NX_ERR_NO_MEMORY
NX_MUST_CHECK enum nx_status file_cache_open(struct file_cache *cache,
                                             const struct erofs_inode *inode, uint64_t client,
                                             struct file **file);

// The file of a token that this client has open; NULL: void, or another's.
struct file *file_cache_find(struct file_cache *cache, uint64_t token, uint64_t client);

// Bytes from the start of the file that are valid.
uint64_t file_cache_valid(const struct file *file);

// Closes a file that this client has open.
void file_cache_close(struct file_cache *cache, struct file *file, uint64_t client);

// Makes a range valid, cut at the end of the file; *valid says what is valid, which may be more.
//   NX_ERR_OUT_OF_RANGE  offset is past the end
//   NX_ERR_TOO_LARGE     length is over FETCH_BYTES_MAX
//   NX_ERR_NO_MEMORY     the file itself fills the cache
//   what reading the image returns
NX_MUST_CHECK enum nx_status file_cache_fetch(struct file_cache *cache, struct file *file,
                                              uint64_t offset, uint64_t length,
                                              struct file_range *valid);

// file_fill.c: copies verified bytes into the file's memory object. NX_ERR_NO_MEMORY: its pages
// could not be had.
NX_MUST_CHECK enum nx_status file_store(const struct file *file, uint64_t offset,
                                        const uint8_t *bytes, uint64_t length);

// file_fill.c: brings the bytes of a run of pages into the file's memory object: whole blocks by
// image_transfer, inline tails from the metadata; holes stay zero, as do bytes past the end of the
// file.
NX_MUST_CHECK enum nx_status file_fill(struct image *image, const struct erofs *fs,
                                       const struct file *file, struct page_run run);

#endif
