// SPDX-License-Identifier: Apache-2.0
// Whole blocks through libsodium's BLAKE2b compression, which is told that its words lie aligned.
//
// libsodium declares the state of a hash packed and reads its input by memcpy, both of which GCC
// makes accesses to single bytes for a machine that may not take unaligned words. Here the state is
// aligned to 64 bytes, be it that of this file or a crypto_generichash_blake2b_state, and the input
// lies aligned, too. In host tests a word that lies otherwise is a trap.
//
// Compiled twice: the second time for harts with Zbb, with other names for the two functions.
#include "sodium/blake2b_blocks.h"
#include "crypto_generichash/blake2b/ref/blake2.h"
#include "private/common.h"

_Static_assert(offsetof(blake2b_state, h) % sizeof(uint64_t) == 0, "words lie aligned");
_Static_assert(offsetof(blake2b_state, t) % sizeof(uint64_t) == 0, "words lie aligned");
_Static_assert(offsetof(blake2b_state, f) % sizeof(uint64_t) == 0, "words lie aligned");
_Static_assert(offsetof(blake2b_state, buf) % sizeof(uint64_t) == 0, "words lie aligned");

typedef blake2b_state aligned_blake2b_state __attribute__((aligned(64)));
typedef uint64_t aligned_word __attribute__((may_alias));

#define blake2b_state aligned_blake2b_state
#undef LOAD64_LE
#define LOAD64_LE(bytes) (*(const aligned_word *)(const void *)(bytes))

// NOLINTNEXTLINE(bugprone-suspicious-include): the function itself
#include "crypto_generichash/blake2b/ref/blake2b-compress-ref.c"

void BLAKE2B_BLOCKS(const struct blake2b_chain *from, const void *blocks, size_t count,
                    bool is_last, struct blake2b_chain *to)
{
    const uint8_t *at = blocks;
    aligned_blake2b_state state;

    if (from == NULL) {
        (void)!blake2b_init(&state, BLAKE2B_OUTBYTES);
    } else {
        memcpy(state.h, from->words, sizeof(state.h));
        state.t[0] = from->bytes;
        state.t[1] = 0; // nobody hashes 16 EiB
        state.f[0] = 0;
        state.f[1] = 0;
    }
    for (size_t i = 0; i < count; i++, at += BLAKE2B_BLOCKBYTES) {
        state.t[0] += BLAKE2B_BLOCKBYTES;
        if (is_last && i + 1 == count) {
            state.f[0] = UINT64_MAX;
        }
        (void)!blake2b_compress_ref(&state, at);
    }
    memcpy(to->words, state.h, sizeof(to->words));
    to->bytes = state.t[0];
}
