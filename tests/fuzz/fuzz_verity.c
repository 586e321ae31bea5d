// SPDX-License-Identifier: Apache-2.0
// libFuzzer target: signed images. The first byte of the input says what the rest is: a trust file,
// a footer, the first block of an image without one, a header that is signed here, or a tree with
// its data and the root hash that a header would vouch for (signatures cannot be guessed, so no
// input would come so far by itself).
//
// Whatever there is ends with a named refusal; a signed header is accepted in its one form alone;
// what a tree accepts in one place it accepts there in no other form, and no look reads more than
// the tree is high.
#include "nexus/message.h"
#include "verity/footer_format.h"
#include "verity/verity.h"
#include <sodium/crypto_sign_ed25519.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum kind { KIND_TRUST, KIND_FOOTER, KIND_MISSING, KIND_TREE, KIND_SIGNED, KIND_COUNT };

#define BLOCKS_MAX 80u // of data that are looked at

struct input {
    const uint8_t *bytes;
    uint64_t size;
    uint64_t reads;
};

// The development key, which everybody has: its id, then the secret key, the public one at its end.
#define KEY_ID                                                                                     \
    {                                                                                              \
        0xdf, 0x0e, 0xe3, 0x7a, 0x18, 0x16, 0x36, 0x35                                             \
    }
static const uint8_t key_id[VERITY_KEY_ID_BYTES] = KEY_ID;
static const uint8_t secret_key[crypto_sign_ed25519_SECRETKEYBYTES] = {
    0xf8, 0x6f, 0x7a, 0x9e, 0x7b, 0xa1, 0x7d, 0xda, 0xf9, 0x3d, 0x70, 0x97, 0x7c, 0xc7, 0x9a, 0x7e,
    0x72, 0xcd, 0x36, 0x75, 0x98, 0x50, 0x3f, 0x40, 0xfa, 0x79, 0xcc, 0x05, 0xff, 0x73, 0xab, 0xb6,
    0x53, 0xee, 0x57, 0x57, 0x89, 0xf6, 0x32, 0x16, 0x69, 0x98, 0x24, 0x08, 0x7d, 0xea, 0xfb, 0x91,
    0x7d, 0x5b, 0xba, 0x61, 0x1c, 0x9f, 0x1b, 0x25, 0x90, 0xa5, 0x10, 0xed, 0x18, 0x0d, 0xa6, 0xf0};
static const struct verity_trust trust = {
    .minimum_version = 1,
    .key_count = 1,
    .keys = {{.id = KEY_ID,
              .public_key = {0x53, 0xee, 0x57, 0x57, 0x89, 0xf6, 0x32, 0x16, 0x69, 0x98, 0x24,
                             0x08, 0x7d, 0xea, 0xfb, 0x91, 0x7d, 0x5b, 0xba, 0x61, 0x1c, 0x9f,
                             0x1b, 0x25, 0x90, 0xa5, 0x10, 0xed, 0x18, 0x0d, 0xa6, 0xf0}}},
};

static void fuzz_trust(const uint8_t *data, size_t size)
{
    struct verity_trust parsed;
    if (verity_trust_parse((const char *)data, size, &parsed) == NX_OK &&
        (parsed.key_count == 0 || parsed.key_count > VERITY_TRUST_KEYS_MAX)) {
        abort();
    }
}

// The input is one block, filled up with zeros, and a size in its last bytes.
static void fuzz_footer(const uint8_t *data, size_t size, bool missing)
{
    uint8_t block[VERITY_BLOCK_BYTES] = {0};
    struct verity_image image;
    const char *detail = NULL;
    uint64_t image_bytes = 0;

    memcpy(block, data, size < sizeof(block) ? size : sizeof(block));
    memcpy(&image_bytes, block + offsetof(struct footer_header, image_bytes), sizeof(image_bytes));
    enum verity_refusal refusal =
        missing ? verity_footer_missing(block, size * VERITY_BLOCK_BYTES, &detail)
                : verity_footer_check(block, image_bytes, &trust, &image, &detail);
    if (detail == NULL || verity_refusal_name(refusal) == NULL ||
        (missing && refusal == VERITY_ACCEPTED)) {
        abort();
    }
    if (refusal == VERITY_ACCEPTED &&
        (verity_tree_bytes(image.data_bytes) != image.tree_bytes || image.version == 0)) {
        abort();
    }
}

// ---- A header that is signed --------------------------------------------------------------------

static void base64_append(char **text, const uint8_t *bytes, size_t length)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < length; i += 3) {
        size_t left = length - i;
        uint32_t group = (uint32_t)bytes[i] << 16 | (left > 1 ? (uint32_t)bytes[i + 1] << 8 : 0) |
                         (left > 2 ? bytes[i + 2] : 0);
        for (size_t digit = 0; digit < 4; digit++) {
            *(*text)++ = digit <= left ? digits[group >> (18 - 6 * digit) & 63] : '=';
        }
    }
}

static void text_append(char **text, const char *words)
{
    memcpy(*text, words, strlen(words));
    *text += strlen(words);
}

// As minisign does it.
static void header_sign(uint8_t block[VERITY_BLOCK_BYTES])
{
    static const char comment[] = "nexus package image header";
    uint8_t signed_[2 + VERITY_KEY_ID_BYTES + SIGNATURE_BYTES + sizeof(comment) - 1] = "ED";
    uint8_t *signature = signed_ + 2 + VERITY_KEY_ID_BYTES;
    uint8_t global[SIGNATURE_BYTES];
    uint8_t digest[HASH_BYTES];
    char *text = (char *)block + FOOTER_HEADER_BYTES;
    struct hash hash;

    hash_init(&hash);
    hash_update(&hash, block, FOOTER_HEADER_BYTES);
    hash_final(&hash, digest);
    memcpy(signed_ + 2, key_id, sizeof(key_id));
    crypto_sign_ed25519_detached(signature, NULL, digest, sizeof(digest), secret_key);
    memcpy(signature + SIGNATURE_BYTES, comment, sizeof(comment) - 1);
    crypto_sign_ed25519_detached(global, NULL, signature, SIGNATURE_BYTES + sizeof(comment) - 1,
                                 secret_key);
    text_append(&text, "untrusted comment: nexus package image\n");
    base64_append(&text, signed_, 2 + VERITY_KEY_ID_BYTES + SIGNATURE_BYTES);
    text_append(&text, "\ntrusted comment: nexus package image header\n");
    base64_append(&text, global, sizeof(global));
    text_append(&text, "\n");
}

// The one header that such an image has.
static struct footer_header header_expected(const struct verity_image *image)
{
    struct footer_header header = {
        .footer_version = FOOTER_VERSION,
        .header_bytes = FOOTER_HEADER_BYTES,
        .image_version = image->version,
        .data_bytes = image->data_bytes,
        .tree_offset = image->data_bytes,
        .tree_bytes = image->tree_bytes,
        .image_bytes = image->data_bytes + image->tree_bytes + VERITY_BLOCK_BYTES,
        .data_block_bytes = VERITY_BLOCK_BYTES,
        .hash_block_bytes = VERITY_BLOCK_BYTES,
        .hash_name = FOOTER_HASH_NAME,
        .uuid = FOOTER_UUID,
        .key_id = KEY_ID,
        .salt_bytes = VERITY_SALT_BYTES,
        .digest_bytes = HASH_BYTES,
    };
    memcpy(header.magic, FOOTER_MAGIC, FOOTER_MAGIC_BYTES);
    memcpy(header.salt, image->salt, sizeof(image->salt));
    memcpy(header.root, image->root, sizeof(image->root));
    return header;
}

// The input is a header, and the size of the disk where that is not what the header says.
static void fuzz_signed(const uint8_t *data, size_t size)
{
    uint8_t block[VERITY_BLOCK_BYTES] = {0};
    struct verity_image image;
    const char *detail = NULL;
    uint64_t disk_bytes;

    memcpy(block, data, size < FOOTER_HEADER_BYTES ? size : FOOTER_HEADER_BYTES);
    memcpy(&disk_bytes, block + offsetof(struct footer_header, image_bytes), sizeof(disk_bytes));
    if (size >= FOOTER_HEADER_BYTES + sizeof(disk_bytes)) {
        memcpy(&disk_bytes, data + FOOTER_HEADER_BYTES, sizeof(disk_bytes));
    }
    header_sign(block);
    enum verity_refusal refusal = verity_footer_check(block, disk_bytes, &trust, &image, &detail);
    if (detail == NULL || refusal == VERITY_REFUSED_HASH) {
        abort();
    }
    if (refusal == VERITY_REFUSED_SIGNATURE &&
        memcmp(block + offsetof(struct footer_header, key_id), key_id, sizeof(key_id)) == 0) {
        abort();
    }
    if (refusal == VERITY_ACCEPTED) {
        struct footer_header expected = header_expected(&image);
        if (memcmp(block, &expected, sizeof(expected)) != 0 || disk_bytes != expected.image_bytes ||
            image.tree_bytes != verity_tree_bytes(image.data_bytes) ||
            image.version < trust.minimum_version) {
            abort();
        }
    }
}

// ---- A tree -------------------------------------------------------------------------------------

static enum nx_status input_read(void *context, uint64_t offset, void *block)
{
    struct input *input = context;
    input->reads++;
    if (offset % VERITY_BLOCK_BYTES != 0 || offset > input->size ||
        input->size - offset < VERITY_BLOCK_BYTES) {
        return NX_ERR_IO;
    }
    memcpy(block, input->bytes + offset, VERITY_BLOCK_BYTES);
    return NX_OK;
}

// The input is data, superblock, tree and root hash. The number of blocks comes from the
// superblock's place: what does not fit is refused by the reads.
static void fuzz_tree(const uint8_t *data, size_t size)
{
    static struct verity_tree tree; // large
    struct input input = {.bytes = data + HASH_BYTES + 2};
    struct verity_image image = {0};
    uint16_t blocks;

    if (size < HASH_BYTES + sizeof(blocks)) {
        return;
    }
    memcpy(&blocks, data + HASH_BYTES, sizeof(blocks));
    memcpy(image.root, data, HASH_BYTES);
    input.size = size - HASH_BYTES - sizeof(blocks);
    image.data_bytes = (uint64_t)blocks * VERITY_BLOCK_BYTES;
    image.tree_bytes = verity_tree_bytes(image.data_bytes);
    memset(image.salt, 0x5a, sizeof(image.salt));
    const struct verity_source source = {.read = input_read, .context = &input};
    if (blocks == 0 || verity_tree_open(&tree, &image, &source,
                                        blocks % 2 == 0 ? NX_HART_EXTENSION_ZBB : 0) != NX_OK) {
        return;
    }
    for (uint64_t i = 0; i < blocks && i < BLOCKS_MAX; i++) {
        _Alignas(uint64_t) uint8_t block[VERITY_BLOCK_BYTES];
        uint64_t reads = input.reads;
        if (input_read(&input, i * VERITY_BLOCK_BYTES, block) == NX_OK &&
            verity_tree_check(&tree, i, block) == NX_OK) {
            block[i % sizeof(block)] ^= 1; // another block is never right in its place
            if (verity_tree_check(&tree, i, block) != NX_ERR_HASH) {
                abort();
            }
        }
        if (input.reads - reads > 1 + 2 * VERITY_TREE_LEVELS_MAX ||
            verity_tree_check(&tree, blocks, block) != NX_ERR_OUT_OF_RANGE) {
            abort();
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) {
        return 0;
    }
    switch ((enum kind)(data[0] % KIND_COUNT)) {
    case KIND_TRUST:
        fuzz_trust(data + 1, size - 1);
        break;
    case KIND_FOOTER:
        fuzz_footer(data + 1, size - 1, false);
        break;
    case KIND_MISSING:
        fuzz_footer(data + 1, size - 1, true);
        break;
    case KIND_SIGNED:
        fuzz_signed(data + 1, size - 1);
        break;
    default:
        fuzz_tree(data + 1, size - 1);
    }
    return 0;
}
