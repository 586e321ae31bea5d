// SPDX-License-Identifier: Apache-2.0
// Memory images for the EROFS reader's tests, and a walk that uses every call on everything an
// image claims to hold, within a work bound. Shared by the host tests and the fuzz target.
//
// The walk checks what must be true of any image, however broken, and aborts otherwise: no read
// leaves the image, extents lie in the file system and in the file, names keep their rules.
#ifndef TESTS_EROFS_WALK_H
#define TESTS_EROFS_WALK_H

#include <stddef.h>
#include <stdint.h>

#include "erofs/erofs.h"

struct memory_image {
    const uint8_t *bytes; // heap memory of exactly `size` bytes, so that ASan sees an overrun
    size_t size;
    uint64_t reads_left; // reads answered before the source fails with NX_ERR_IO
};

struct walk_result {
    enum nx_status mount_status;
    enum erofs_refusal refusal;
    uint32_t inodes;  // loaded without error
    uint32_t errors;  // calls that failed on a mounted image
    uint32_t entries; // directory entries seen
    uint64_t bytes;   // file bytes read
};

// A source that reads `image`; each read costs one of image->reads_left.
struct erofs_source memory_image_source(struct memory_image *image);

// Mounts and walks `image` until everything is seen or reads_left is used up. A mounted image's
// size is cut to its file system's.
struct walk_result erofs_walk(struct memory_image *image);

// CRC-32C, an independent reading of the format's checksum rule: recomputes the
// superblock's checksum in place when the image is large enough to have one.
void superblock_checksum_fix(uint8_t *bytes, size_t size);

#endif
