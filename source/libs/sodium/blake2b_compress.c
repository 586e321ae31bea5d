// SPDX-License-Identifier: Apache-2.0
// libsodium's BLAKE2b compression, told that its words lie aligned.
//
// libsodium declares the state of a hash packed and reads its input by memcpy, both of which GCC
// makes accesses to single bytes for a machine that may not take unaligned words. Here the state is
// always a crypto_generichash_blake2b_state, which is aligned to 64 bytes, and the input always its
// buffer. In host tests a word that lies otherwise is a trap.
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
