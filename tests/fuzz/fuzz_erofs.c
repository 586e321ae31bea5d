// SPDX-License-Identifier: Apache-2.0
// libFuzzer target: the input is an EROFS image; the walk uses every call on all of it and aborts
// on any broken promise. The superblock's checksum is put right when the input's first byte is odd,
// so that both sides of that check are reached (the first 1024 bytes of an image mean nothing).
//
// fuzz-sources: tests/host/erofs/erofs_walk.c

#include "erofs/erofs_walk.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size > 0 ? size : 1);

    if (copy == NULL) {
        return 0;
    }
    if (size > 0) {
        memcpy(copy, data, size);
    }
    if (size > 0 && (copy[0] & 1) != 0) {
        superblock_checksum_fix(copy, size);
    }
    struct memory_image image = {.bytes = copy, .size = size, .reads_left = 400};
    (void)erofs_walk(&image);
    free(copy);
    return 0;
}
