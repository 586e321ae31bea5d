// SPDX-License-Identifier: Apache-2.0
// The image behind pkg://: where its bytes come from, and the one door through which they enter.
//
//     disk: virtioblkd --DMA--> staging --copy--> private memory --hash--> cache, or copy to a file
//     no disk: fixtures --------copy------------> private memory --------> cache, or copy to a file
//
// What a device may write to is never believed and never shown: it is copied away first, then
// verified where only this program can write, then used. Nothing else of this program's memory is
// ever told to virtioblkd, so whoever writes late, or again, changes nothing that was verified
// (docs/adr/0012). The fixtures are part of the boot archive and trusted as it is: they have no
// signature, and none of their blocks counts as verified.
#ifndef PACKAGEFSD_IMAGE_H
#define PACKAGEFSD_IMAGE_H

#include "block_cache.h"
#include "hash_team.h"
#include "nexus/block.h"
#include "nexus/system.h"
#include "package_fs.capnp.h"
#include "verity/verity.h"

#define IMAGE_TRANSFER_BYTES  (NX_BLOCK_READ_SECTORS_MAX * NX_BLOCK_SECTOR_BYTES)
#define IMAGE_TRANSFER_BLOCKS (IMAGE_TRANSFER_BYTES / VERITY_BLOCK_BYTES)

struct image {
    // Constant after image_open.
    enum package_fs_source source;
    uint64_t size;               // bytes of the file system
    uint32_t unit;               // transfers start and end at multiples of this many bytes
    const uint8_t *content;      // fixtures only: the image
    struct verity_image signed_; // disk only: what the signature vouches for

    nx_handle staging; // disk only: what a device writes to, IMAGE_TRANSFER_BYTES
    const uint8_t *staged;
    uint8_t *private;         // IMAGE_TRANSFER_BYTES that only this program knows
    struct verity_tree *tree; // of the disk; all zero for the fixtures
    struct block_cache cache; // of metadata
    struct hash_team team;
    uint8_t digests[IMAGE_TRANSFER_BLOCKS][HASH_BYTES]; // of the transfer being verified
    uint64_t reads;                                     // requests to the block service
    uint64_t io_errors;
};

// Why an image is not mounted: two words for people.
struct image_refusal {
    const char *reason; // what is wrong with the image; NULL: nothing that is known
    const char *detail;
};

// The reason of an image in which something was found that has this status: one of
// verity_refusal_name's; NULL: such a failure says nothing about the image.
const char *image_fault_name(enum nx_status status);

// Opens the disk if this program was given one, else the fixtures of the boot archive. A disk is
// open once its signature was found good and its version new enough.
//   NX_ERR_NOT_FOUND  neither is there
//   others            *refusal says more
NX_MUST_CHECK enum nx_status image_open(struct image *image, struct image_refusal *refusal);

// Fetches [offset, offset + length) of the file system to `place`, which only this program can
// write to, and verifies it there. Offset and length are multiples of `unit`. On failure what
// `place` holds must not be used. A restart of virtioblkd on the way is waited for. Failures count
// as I/O errors.
//   NX_ERR_HASH  a block is not the one that was signed
NX_MUST_CHECK enum nx_status image_transfer(struct image *image, uint64_t offset, uint64_t length,
                                            uint8_t *place);

// The same for bytes that have arrived at `staged`, where a device can write: copies them to
// `private` and verifies them there. At most IMAGE_TRANSFER_BYTES.
NX_MUST_CHECK enum nx_status image_accept(struct image *image, uint64_t offset, uint64_t length,
                                          const uint8_t *staged);

// Copies metadata, through the cache. Any alignment. This is an erofs_source's read; `context` is
// the image.
NX_MUST_CHECK enum nx_status image_read(void *context, uint64_t offset, void *buffer,
                                        size_t length);

#endif
