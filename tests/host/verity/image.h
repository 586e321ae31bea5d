// SPDX-License-Identifier: Apache-2.0
// A signed image in memory, and the reader that packagefsd is: footer, tree, then blocks, each used
// only once it has been checked.
#ifndef TEST_VERITY_IMAGE_H
#define TEST_VERITY_IMAGE_H

#include "verity/verity.h"

struct memory_image {
    uint8_t *bytes;
    uint64_t size;
    uint64_t failing; // the block at this offset cannot be read; none when UINT64_MAX
};

// How far a reader comes with an image.
struct verdict {
    enum verity_refusal refusal;
    const char *detail;
    uint64_t good;   // blocks handed out
    uint64_t errors; // blocks that were not
    uint64_t wrong;  // blocks handed out that are not those of `original`
};

// Reads the whole file, with malloc; ends the program when it cannot.
struct memory_image image_load(const char *path);
struct verity_trust trust_load(const char *path);

// As packagefsd: opens the image, then reads every block of its data. `original` is what the blocks
// should be.
struct verdict image_read_all(const struct memory_image *image, const struct verity_trust *trust,
                              const uint8_t *original);

// A source over the image.
struct verity_source image_source(const struct memory_image *image);

#endif
