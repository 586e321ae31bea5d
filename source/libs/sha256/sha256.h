// SPDX-License-Identifier: Apache-2.0
// SHA-256 (FIPS 180-4): init, any number of updates, final.
#ifndef SHA256_SHA256_H
#define SHA256_SHA256_H

#include <stddef.h>
#include <stdint.h>

#define SHA256_BYTES       32u
#define SHA256_BLOCK_BYTES 64u
#define SHA256_HEX_BYTES   (2 * SHA256_BYTES + 1) // with the NUL

struct sha256 {
    uint32_t state[8];
    uint64_t length; // bytes taken so far
    uint8_t block[SHA256_BLOCK_BYTES];
};

void sha256_init(struct sha256 *hash);
void sha256_update(struct sha256 *hash, const void *data, size_t length);

// Writes the digest. The state is used up: init before the next message.
void sha256_final(struct sha256 *hash, uint8_t digest[SHA256_BYTES]);

// The digest as lower-case hexadecimal digits.
void sha256_hex(const uint8_t digest[SHA256_BYTES], char text[SHA256_HEX_BYTES]);

#endif
