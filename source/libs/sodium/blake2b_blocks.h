// SPDX-License-Identifier: Apache-2.0
// BLAKE2b with 64 bytes of digest over input that comes in whole blocks of 128 bytes, which are
// taken from where they lie. libsodium's own functions copy each into a buffer first.
#ifndef SODIUM_BLAKE2B_BLOCKS_H
#define SODIUM_BLAKE2B_BLOCKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// A hash between two blocks. After the last one `words` is the digest, on a little-endian machine.
struct blake2b_chain {
    uint64_t words[8];
    uint64_t bytes; // taken so far
};

// Goes on from `from` (NULL: from the start) with `count` blocks, at least one, that lie on a
// multiple of eight bytes; `is_last`: no more will come. `to` may be `from`.
typedef void blake2b_blocks_function(const struct blake2b_chain *from, const void *blocks,
                                     size_t count, bool is_last, struct blake2b_chain *to);

blake2b_blocks_function blake2b_blocks;
// The same for harts that have Zbb.
blake2b_blocks_function blake2b_blocks_zbb;

#endif
