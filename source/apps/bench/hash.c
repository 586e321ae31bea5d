// SPDX-License-Identifier: Apache-2.0
// Subjects: hashing one block of 4096 bytes of a package image behind a salt of one input block, by
// the hash that packagefsd uses and by those that it might use instead.
#include "bench.h"
#include "verity/verity.h"
#include <sodium/crypto_hash_sha256.h>
#include <sodium/crypto_hash_sha512.h>
#include <string.h>

#define ROUNDS_OUTER 8u
#define ROUNDS_INNER 32u

static _Alignas(uint64_t) uint8_t block[VERITY_BLOCK_BYTES];
static _Alignas(uint64_t) uint8_t salt[HASH_INPUT_BLOCK_BYTES];

// The digest must begin as that of these zeros does.
static bool begins(const uint8_t *digest, uint64_t expected)
{
    uint64_t found = 0;
    for (size_t i = 0; i < sizeof(found); i++) {
        found = found << 8 | digest[i];
    }
    return found == expected || bench_fail("another digest: %#llx", (unsigned long long)found);
}

static bool hash_blocks(uint32_t extensions)
{
    struct hash_prefix salted;
    uint8_t digest[HASH_BYTES];
    bool good = true;
    hash_prefix_init(&salted, salt, sizeof(salt), extensions);
    BENCH_ROUNDS(ROUNDS_OUTER, ROUNDS_INNER, hash_behind(&salted, block, sizeof(block), digest),
                 good = good && begins(digest, UINT64_C(0xd4b7a760b6dbeabe)));
    return good;
}

bool subject_hash_block(void)
{
    return hash_blocks(nx_start()->hart_extensions);
}

bool subject_hash_block_plain(void)
{
    return hash_blocks(0);
}

bool subject_hash_block_sha512(void)
{
    crypto_hash_sha512_state salted;
    crypto_hash_sha512_state hash;
    uint8_t digest[crypto_hash_sha512_BYTES];
    bool good = true;
    (void)!crypto_hash_sha512_init(&salted);
    (void)!crypto_hash_sha512_update(&salted, salt, sizeof(salt));
    BENCH_ROUNDS(
        ROUNDS_OUTER, ROUNDS_INNER,
        {
            hash = salted;
            (void)!crypto_hash_sha512_update(&hash, block, sizeof(block));
            (void)!crypto_hash_sha512_final(&hash, digest);
        },
        good = good && begins(digest, UINT64_C(0x969220df1cb58de9)));
    return good;
}

bool subject_hash_block_sha256(void)
{
    crypto_hash_sha256_state salted;
    crypto_hash_sha256_state hash;
    uint8_t digest[crypto_hash_sha256_BYTES];
    bool good = true;
    (void)!crypto_hash_sha256_init(&salted);
    (void)!crypto_hash_sha256_update(&salted, salt, sizeof(salt));
    BENCH_ROUNDS(
        ROUNDS_OUTER, ROUNDS_INNER,
        {
            hash = salted;
            (void)!crypto_hash_sha256_update(&hash, block, sizeof(block));
            (void)!crypto_hash_sha256_final(&hash, digest);
        },
        good = good && begins(digest, UINT64_C(0x0d71643bfaa0cd6f)));
    return good;
}
