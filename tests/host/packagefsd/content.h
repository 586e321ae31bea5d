// SPDX-License-Identifier: Apache-2.0
// What is in a package image: every object by its path, with its attributes and its bytes.
#ifndef TEST_PACKAGEFSD_CONTENT_H
#define TEST_PACKAGEFSD_CONTENT_H

#include "erofs/erofs.h"
#include "packagefsd/file_cache.h"

#define NODES_MAX 512u

struct node {
    char path[EROFS_PATH_MAX];
    struct erofs_inode inode;
    uint8_t *bytes; // of a file; of a link its target; of a directory its entries
    size_t length;
};

struct content {
    struct node nodes[NODES_MAX];
    uint32_t count;
};

// How a reader fared with one image.
struct faring {
    uint64_t right;  // answers that are what they should be
    uint64_t errors; // refusals to answer, as an I/O error
};

// Everything that is in the file system, by the EROFS reader alone: verifies nothing. Ends the test
// when something cannot be read.
void content_collect(struct content *content, const uint8_t *image, uint64_t size);
void content_free(struct content *content);

// Asks packagefsd's layers for all of it: files in pieces of `piece` bytes. Ends the test when an
// answer is wrong: not the right bytes and no I/O error either.
struct faring content_ask(const struct content *content, const struct erofs *fs,
                          struct file_cache *cache, uint64_t piece);

// Ends the test unless whoever has a file of the cache mapped sees right bytes or zeros, and right
// ones where pages are valid.
void content_look(const struct content *content, const struct file_cache *cache);

#endif
