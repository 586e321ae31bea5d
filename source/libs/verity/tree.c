// SPDX-License-Identifier: Apache-2.0
// The hash tree: from a block of data up to the root, through tree blocks that were verified
// before.
//
// A block of level 0 holds the hashes of 64 blocks of data, one of level n those of 64 blocks of
// level n - 1; the root hash is that of the one block at the top. In the image the highest level
// comes first. To check a block of data its tree blocks are made to be there from the top down,
// each verified by the one above before it is used.
#include "footer_format.h"
#include "verity.h"
#include <string.h>

// ---- Opening ------------------------------------------------------------------------------------

static enum nx_status superblock_check(const struct verity_image *image,
                                       const struct verity_source *source, uint8_t *block)
{
    struct verity_superblock expected = {
        .magic = SUPERBLOCK_MAGIC,
        .version = SUPERBLOCK_VERSION,
        .hash_type = SUPERBLOCK_HASH_TYPE,
        .uuid = FOOTER_UUID,
        .hash_name = FOOTER_HASH_NAME,
        .data_block_bytes = VERITY_BLOCK_BYTES,
        .hash_block_bytes = VERITY_BLOCK_BYTES,
        .data_blocks = image->data_bytes / VERITY_BLOCK_BYTES,
        .salt_bytes = VERITY_SALT_BYTES,
    };
    memcpy(expected.salt, image->salt, sizeof(image->salt));
    enum nx_status status = source->read(source->context, image->data_bytes, block);
    if (status != NX_OK) {
        return status;
    }
    bool same = memcmp(block, &expected, sizeof(expected)) == 0;
    for (size_t i = sizeof(expected); i < VERITY_BLOCK_BYTES; i++) {
        same = same && block[i] == 0;
    }
    return same ? NX_OK : NX_ERR_BAD_FORMAT;
}

static void levels_lay_out(struct verity_tree *tree)
{
    uint64_t counts[VERITY_TREE_LEVELS_MAX];
    uint64_t blocks = tree->blocks;
    uint64_t start = 0;

    tree->levels = 0;
    while (blocks > 1) { // VERITY_DATA_BYTES_MAX bounds the levels
        blocks = (blocks + VERITY_DIGESTS_PER_BLOCK - 1) / VERITY_DIGESTS_PER_BLOCK;
        counts[tree->levels++] = blocks;
    }
    for (uint32_t level = tree->levels; level-- > 0;) {
        tree->starts[level] = start;
        start += counts[level];
    }
}

enum nx_status verity_tree_open(struct verity_tree *tree, const struct verity_image *image,
                                const struct verity_source *source, uint32_t extensions)
{
    memset(tree, 0, offsetof(struct verity_tree, slots));
    for (uint32_t i = 0; i < VERITY_TREE_SLOTS; i++) {
        tree->slots[i].number = 0;
        tree->slots[i].used = 0;
    }
    tree->latest = NULL;
    tree->looks = 0;
    tree->verified = 0;
    tree->refused = 0;
    tree->source = *source;
    tree->blocks = image->data_bytes / VERITY_BLOCK_BYTES;
    tree->offset = image->data_bytes + VERITY_BLOCK_BYTES;
    levels_lay_out(tree);
    memcpy(tree->root, image->root, sizeof(tree->root));
    hash_prefix_init(&tree->salted, image->salt, sizeof(image->salt), extensions);
    return superblock_check(image, source, tree->slots[0].block);
}

// ---- Checking -----------------------------------------------------------------------------------

void verity_tree_hash(const struct verity_tree *tree, const void *data, uint8_t digest[HASH_BYTES])
{
    hash_behind(&tree->salted, data, VERITY_BLOCK_BYTES, digest);
}

static enum nx_status digest_check(struct verity_tree *tree, const uint8_t *digest,
                                   const uint8_t *expected)
{
    if (memcmp(digest, expected, HASH_BYTES) != 0) {
        tree->refused++;
        return NX_ERR_HASH;
    }
    tree->verified++;
    return NX_OK;
}

static enum nx_status block_check(struct verity_tree *tree, const void *block,
                                  const uint8_t *expected)
{
    uint8_t digest[HASH_BYTES];

    verity_tree_hash(tree, block, digest);
    return digest_check(tree, digest, expected);
}

static struct verity_slot *slot_find(struct verity_tree *tree, uint64_t number)
{
    for (uint32_t i = 0; i < VERITY_TREE_SLOTS; i++) {
        if (tree->slots[i].number == number + 1) {
            return &tree->slots[i];
        }
    }
    return NULL;
}

static struct verity_slot *slot_oldest(struct verity_tree *tree)
{
    struct verity_slot *oldest = &tree->slots[0];
    for (uint32_t i = 1; i < VERITY_TREE_SLOTS; i++) {
        if (tree->slots[i].used < oldest->used) {
            oldest = &tree->slots[i];
        }
    }
    return oldest;
}

// The block `number` of the tree, verified by `expected`, which lies in a slot used just before or
// is the root: it stays while the oldest slot is filled.
static enum nx_status slot_get(struct verity_tree *tree, uint64_t number, const uint8_t *expected,
                               struct verity_slot **out)
{
    struct verity_slot *slot = slot_find(tree, number);

    if (slot == NULL) {
        slot = slot_oldest(tree);
        slot->number = 0;
        if (tree->latest == slot) {
            tree->latest = NULL;
        }
        enum nx_status status = tree->source.read(
            tree->source.context, tree->offset + number * VERITY_BLOCK_BYTES, slot->block);
        if (status == NX_OK) {
            status = block_check(tree, slot->block, expected);
        }
        if (status != NX_OK) {
            return status;
        }
        slot->number = number + 1;
    }
    slot->used = ++tree->looks;
    *out = slot;
    return NX_OK;
}

// The number in the tree of the block of `level` above the block `number` of data.
static uint64_t tree_block(const struct verity_tree *tree, uint32_t level, uint64_t number)
{
    for (uint32_t i = 0; i <= level; i++) {
        number /= VERITY_DIGESTS_PER_BLOCK;
    }
    return tree->starts[level] + number;
}

// The hash that the block `number` of data should have.
static enum nx_status hash_find(struct verity_tree *tree, uint64_t number, const uint8_t **expected)
{
    struct verity_slot *slot = tree->latest;

    if (tree->levels == 0) {
        *expected = tree->root;
        return NX_OK;
    }
    if (slot == NULL || slot->number != tree_block(tree, 0, number) + 1) {
        *expected = tree->root;
        for (uint32_t level = tree->levels; level-- > 0;) {
            enum nx_status status =
                slot_get(tree, tree_block(tree, level, number), *expected, &slot);
            if (status != NX_OK) {
                return status;
            }
            if (level > 0) {
                uint64_t below = tree_block(tree, level - 1, number) - tree->starts[level - 1];
                *expected = slot->block + below % VERITY_DIGESTS_PER_BLOCK * HASH_BYTES;
            }
        }
        tree->latest = slot;
    }
    *expected = slot->block + number % VERITY_DIGESTS_PER_BLOCK * HASH_BYTES;
    return NX_OK;
}

enum nx_status verity_tree_check(struct verity_tree *tree, uint64_t number, const void *data)
{
    const uint8_t *expected;

    if (number >= tree->blocks) {
        return NX_ERR_OUT_OF_RANGE;
    }
    enum nx_status status = hash_find(tree, number, &expected);
    return status == NX_OK ? block_check(tree, data, expected) : status;
}

enum nx_status verity_tree_judge(struct verity_tree *tree, uint64_t number,
                                 const uint8_t digest[HASH_BYTES])
{
    const uint8_t *expected;

    if (number >= tree->blocks) {
        return NX_ERR_OUT_OF_RANGE;
    }
    enum nx_status status = hash_find(tree, number, &expected);
    return status == NX_OK ? digest_check(tree, digest, expected) : status;
}
