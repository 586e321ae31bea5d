// SPDX-License-Identifier: Apache-2.0
// What paths lead to: the inode at the end of a path's walk, by the exact bytes of the path.
//
// The image never changes, so an entry is right for ever; the one used longest ago makes room. A
// failed walk is not remembered: a client that asks for names that do not exist pushes nobody's
// entry out. Paths longer than PATH_CACHE_BYTES are walked each time.
//
//     path_cache_init -> path_key_make -> path_cache_find, else walk and path_cache_add
//
// No locks: one owner calls.
#ifndef PACKAGEFSD_PATH_CACHE_H
#define PACKAGEFSD_PATH_CACHE_H

#include "erofs/erofs.h"
#include "recency.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PATH_CACHE_ENTRIES 128u
#define PATH_CACHE_BUCKETS 128u // a power of two
#define PATH_CACHE_BYTES   96u
#define PATH_CACHE_WORDS   (PATH_CACHE_BYTES / sizeof(uint64_t))

// A path, and what becomes of a symbolic link at its end, ready to be compared by words.
struct path_key {
    uint64_t hash;
    uint32_t length; // bytes
    enum erofs_final_link final_link;
    uint64_t words[PATH_CACHE_WORDS]; // the bytes, zeros up to the end of the last word
};

struct path_cache_entry {
    struct recency_link use;       // every entry is in the list
    struct path_cache_entry *next; // in its bucket's chain, while claimed
    bool claimed;
    struct path_key key;
    struct erofs_inode inode;
};

struct path_cache {
    struct path_cache_entry entries[PATH_CACHE_ENTRIES];
    struct path_cache_entry *buckets[PATH_CACHE_BUCKETS];
    struct recency_list uses;
    uint64_t hits;
    uint64_t misses;
};

void path_cache_init(struct path_cache *cache);

// False: the path is longer than the cache remembers.
bool path_key_make(struct path_key *key, const char *path, size_t length,
                   enum erofs_final_link final_link);

// The inode that the path leads to, or NULL. Valid until the next add.
const struct erofs_inode *path_cache_find(struct path_cache *cache, const struct path_key *key);

// Remembers a path that path_cache_find did not know. Returns the cache's copy of the inode, valid
// until the next add.
const struct erofs_inode *path_cache_add(struct path_cache *cache, const struct path_key *key,
                                         const struct erofs_inode *inode);

#endif
