// SPDX-License-Identifier: Apache-2.0
// BLAKE2b and Ed25519 by libsodium: the only file that includes its headers.
#include "crypto.h"
#include "nexus/message.h"
#include <sodium/crypto_generichash_blake2b.h>
#include <sodium/crypto_sign_ed25519.h>
#include <stdlib.h>
#include <string.h>

_Static_assert(sizeof(crypto_generichash_blake2b_state) == HASH_STATE_BYTES, "the state fits");
_Static_assert(_Alignof(crypto_generichash_blake2b_state) <= HASH_STATE_ALIGNMENT, "and lies well");
_Static_assert(crypto_generichash_blake2b_BYTES_MAX == HASH_BYTES, "the whole digest");
_Static_assert(crypto_sign_ed25519_BYTES == SIGNATURE_BYTES, "Ed25519");
_Static_assert(crypto_sign_ed25519_PUBLICKEYBYTES == SIGNATURE_PUBLIC_BYTES, "Ed25519");

// ---- What libsodium's files refer to and this use of them never reaches -------------------------

void sodium_misuse(void);
void randombytes_buf(void *buffer, size_t size);

// An argument that its contract excludes: a defect of this file.
void sodium_misuse(void)
{
    abort();
}

// For canaries of its own allocator, which nobody calls.
void randombytes_buf(void *buffer, size_t size)
{
    (void)buffer;
    (void)size;
    abort();
}

// ---- Hash ---------------------------------------------------------------------------------------

static crypto_generichash_blake2b_state *state_of(struct hash *hash)
{
    return (crypto_generichash_blake2b_state *)(void *)hash->state;
}

// With these arguments the calls below cannot fail.
void hash_init(struct hash *hash)
{
    (void)!crypto_generichash_blake2b_init(state_of(hash), NULL, 0, HASH_BYTES);
}

void hash_update(struct hash *hash, const void *data, size_t length)
{
    (void)!crypto_generichash_blake2b_update(state_of(hash), data, length);
}

void hash_final(struct hash *hash, uint8_t digest[HASH_BYTES])
{
    (void)!crypto_generichash_blake2b_final(state_of(hash), digest, HASH_BYTES);
}

void hash_prefix_init(struct hash_prefix *prefix, const void *data, size_t length,
                      uint32_t extensions)
{
    prefix->blocks =
        (extensions & NX_HART_EXTENSION_ZBB) != 0 ? blake2b_blocks_zbb : blake2b_blocks;
    prefix->blocks(NULL, data, length / HASH_INPUT_BLOCK_BYTES, false, &prefix->chain);
}

void hash_behind(const struct hash_prefix *prefix, const void *data, size_t length,
                 uint8_t digest[HASH_BYTES])
{
    struct blake2b_chain chain;
    prefix->blocks(&prefix->chain, data, length / HASH_INPUT_BLOCK_BYTES, true, &chain);
    memcpy(digest, chain.words, HASH_BYTES);
}

// ---- Signature ----------------------------------------------------------------------------------

bool signature_is_valid(const uint8_t signature[SIGNATURE_BYTES], const void *message,
                        size_t length, const uint8_t public_key[SIGNATURE_PUBLIC_BYTES])
{
    return crypto_sign_ed25519_verify_detached(signature, message, length, public_key) == 0;
}
