// SPDX-License-Identifier: Apache-2.0
// The two pieces of cryptography that package images need, behind names of our own: BLAKE2b with 64
// bytes of digest (RFC 7693) and Ed25519 verification (RFC 8032). libsodium does the work.
//
// Pure: no state outside the arguments, no system, no randomness.
#ifndef VERITY_CRYPTO_H
#define VERITY_CRYPTO_H

#include "sodium/blake2b_blocks.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HASH_BYTES             64u
#define HASH_INPUT_BLOCK_BYTES 128u // what the function takes at a time
#define SIGNATURE_BYTES        64u
#define SIGNATURE_PUBLIC_BYTES 32u
#define HASH_STATE_BYTES       384u
#define HASH_STATE_ALIGNMENT   64u

// A hash under way. It may be copied: both go on from the same point.
struct hash {
    _Alignas(HASH_STATE_ALIGNMENT) uint8_t state[HASH_STATE_BYTES];
};

void hash_init(struct hash *hash);
void hash_update(struct hash *hash, const void *data, size_t length);
// Writes the digest. The state is used up.
void hash_final(struct hash *hash, uint8_t digest[HASH_BYTES]);

// The beginning that many inputs share, hashed once. Constant after hash_prefix_init.
struct hash_prefix {
    struct blake2b_chain chain;
    blake2b_blocks_function *blocks;
};

// `length`: whole input blocks, at least one, on a multiple of eight bytes. `extensions`:
// NX_HART_EXTENSION_*, of every hart that will hash.
void hash_prefix_init(struct hash_prefix *prefix, const void *data, size_t length,
                      uint32_t extensions);
// The digest of the prefix with `length` bytes behind it: whole input blocks, at least one, on a
// multiple of eight bytes.
void hash_behind(const struct hash_prefix *prefix, const void *data, size_t length,
                 uint8_t digest[HASH_BYTES]);

// Whether `signature` is that of `message` under the public key. Signatures with an encoding that
// is not the one canonical one are none.
bool signature_is_valid(const uint8_t signature[SIGNATURE_BYTES], const void *message,
                        size_t length, const uint8_t public_key[SIGNATURE_PUBLIC_BYTES]);

#endif
