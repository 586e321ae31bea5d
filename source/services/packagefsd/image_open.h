// SPDX-License-Identifier: Apache-2.0
// Between image.c and image_open.c: transfers that an image needs before it is open.
#ifndef PACKAGEFSD_IMAGE_OPEN_H
#define PACKAGEFSD_IMAGE_OPEN_H

#include "image.h"

// Fetches a range of the disk, unverified, by way of the staging memory: multiples of a sector.
NX_MUST_CHECK enum nx_status image_fetch_raw(struct image *image, uint64_t offset, uint64_t length,
                                             uint8_t *place);

// The block cache's two halves: bringing a range, and verifying a block of it.
NX_MUST_CHECK enum nx_status image_cache_fill(void *context, uint64_t offset, uint64_t length,
                                              uint8_t *place);
NX_MUST_CHECK enum nx_status image_cache_check(void *context, uint64_t offset, uint64_t length,
                                               const uint8_t *block);

#endif
