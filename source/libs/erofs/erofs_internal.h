// SPDX-License-Identifier: Apache-2.0
// EROFS reader: what its source files share and its users do not see.
#ifndef EROFS_EROFS_INTERNAL_H
#define EROFS_EROFS_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "erofs/erofs.h"

static inline uint64_t erofs_block_size(const struct erofs *fs)
{
    return UINT64_C(1) << fs->block_bits;
}

// Whether [offset, offset + length) lies in an object of `size` bytes; cannot overflow.
static inline bool erofs_range_fits(uint64_t size, uint64_t offset, uint64_t length)
{
    return offset <= size && length <= size - offset;
}

// Reads image bytes, all of them inside the file system.
//   NX_ERR_BAD_FORMAT  the range leaves the file system
NX_MUST_CHECK enum nx_status erofs_image_read(const struct erofs *fs, uint64_t offset, void *buffer,
                                              size_t length);

// Reads exactly `length` bytes of any inode's data: files, directories and links alike.
//   NX_ERR_OUT_OF_RANGE  the range leaves the inode's size
NX_MUST_CHECK enum nx_status erofs_data_read(const struct erofs *fs,
                                             const struct erofs_inode *inode, uint64_t file_offset,
                                             void *buffer, size_t length);

#endif
