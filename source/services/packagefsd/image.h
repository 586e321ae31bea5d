// SPDX-License-Identifier: Apache-2.0
// The image behind pkg://: where its bytes come from, and the one door through which they enter.
//
//     disk: virtioblkd ----DMA----+
//                                 +--> image_transfer --> image_verify --> cache or file pages
//     no disk: fixtures --copy----+
//
// Everything that packagefsd interprets or hands out goes through image_transfer, or when it is
// read ahead through image_ahead.h, and so through image_verify.
#ifndef PACKAGEFSD_IMAGE_H
#define PACKAGEFSD_IMAGE_H

#include "block_cache.h"
#include "nexus/system.h"
#include "package_fs.capnp.h"

struct image {
    // Constant after image_open.
    enum package_fs_source source;
    uint64_t size;          // bytes
    uint32_t unit;          // transfers start and end at multiples of this many bytes
    const uint8_t *content; // fixtures only: the image

    nx_handle cache_memory;
    struct block_cache cache; // of metadata
    uint64_t reads;           // requests to the block service
    uint64_t io_errors;
};

// Opens the disk if this program was given one, else the fixtures of the boot archive.
//   NX_ERR_NOT_FOUND  neither is there
NX_MUST_CHECK enum nx_status image_open(struct image *image);

// Fetches [offset, offset + length) of the image to `place` in a memory object of ours. Offset,
// length and place are multiples of `unit`. On failure what the range holds is unspecified. A
// restart of virtioblkd on the way is waited for.
//   NX_ERR_NO_MEMORY  the object's pages could not be had: nothing to do with the image
//   others            counted as I/O errors
NX_MUST_CHECK enum nx_status image_transfer(struct image *image, uint64_t offset, uint64_t length,
                                            nx_handle memory, uint64_t place);

// THE PLACE FOR BLOCK VERIFICATION. Called for each range of the image after it has arrived and
// before anything uses it, with where it lies now: `place` bytes into `memory`, an object of ours.
// The range is whole blocks of the file system, or ends at the end of the image. NX_OK lets it be
// used; anything else (NX_ERR_HASH) makes the transfer fail, and the range is not used.
NX_MUST_CHECK enum nx_status image_verify(const struct image *image, uint64_t offset,
                                          uint64_t length, nx_handle memory, uint64_t place);

// Copies metadata, through the cache. Any alignment. This is an erofs_source's read; `context` is
// the image.
NX_MUST_CHECK enum nx_status image_read(void *context, uint64_t offset, void *buffer,
                                        size_t length);

#endif
