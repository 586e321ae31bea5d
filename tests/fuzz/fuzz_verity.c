// SPDX-License-Identifier: Apache-2.0
// libFuzzer target: signed images. The first byte of the input says what the rest is: a trust file,
// a footer, the first block of an image without one, or a tree with its data and the root hash that
// a header would vouch for (signatures cannot be guessed, so no input would come so far by itself).
//
// Whatever there is ends with a named refusal; what a tree accepts in one place it accepts there in
// no other form, and no look reads more than the tree is high.
#include "verity/footer_format.h"
#include "verity/verity.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum kind { KIND_TRUST, KIND_FOOTER, KIND_MISSING, KIND_TREE, KIND_COUNT };

#define BLOCKS_MAX 80u // of data that are looked at

struct input {
    const uint8_t *bytes;
    uint64_t size;
    uint64_t reads;
};

static const struct verity_trust trust = {
    .minimum_version = 1,
    .key_count = 1,
    // The development key.
    .keys = {{.id = {0xdf, 0x0e, 0xe3, 0x7a, 0x18, 0x16, 0x36, 0x35},
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
    if (blocks == 0 || verity_tree_open(&tree, &image, &source) != NX_OK) {
        return;
    }
    for (uint64_t i = 0; i < blocks && i < BLOCKS_MAX; i++) {
        uint8_t block[VERITY_BLOCK_BYTES];
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
    default:
        fuzz_tree(data + 1, size - 1);
    }
    return 0;
}
