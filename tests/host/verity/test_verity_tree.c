// SPDX-License-Identifier: Apache-2.0
// Trees of every height, built here from the definition: each block is found right, a changed block
// of data or tree makes errors of exactly the blocks below it, and more tree blocks than there are
// slots take turns.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "image.h"
#include "nexus/message.h"
#include "verity/footer_format.h"

#define PER_BLOCK VERITY_DIGESTS_PER_BLOCK

static struct memory_image image; // data, superblock, tree
static struct verity_image facts;
static struct verity_tree tree;
static uint64_t data_blocks;

static void digest_of(const uint8_t *block, uint8_t *digest)
{
    struct hash hash;
    hash_init(&hash);
    hash_update(&hash, facts.salt, sizeof(facts.salt));
    hash_update(&hash, block, VERITY_BLOCK_BYTES);
    hash_final(&hash, digest);
}

// Fills the level of `count` blocks of digests at `at` from the blocks at `below`, and those above.
static void levels_build(uint64_t below, uint64_t below_count, uint64_t end)
{
    if (below_count == 1) {
        digest_of(image.bytes + below, facts.root);
        return;
    }
    uint64_t count = (below_count + PER_BLOCK - 1) / PER_BLOCK;
    uint64_t at = end - count * VERITY_BLOCK_BYTES; // the lowest level comes last
    for (uint64_t i = 0; i < below_count; i++) {
        digest_of(image.bytes + below + i * VERITY_BLOCK_BYTES, image.bytes + at + i * HASH_BYTES);
    }
    levels_build(at, count, at);
}

static void image_build(uint64_t blocks)
{
    data_blocks = blocks;
    facts = (struct verity_image){.data_bytes = blocks * VERITY_BLOCK_BYTES};
    facts.tree_bytes = verity_tree_bytes(facts.data_bytes);
    memset(facts.salt, 0x5a, sizeof(facts.salt));
    image =
        (struct memory_image){.size = facts.data_bytes + facts.tree_bytes, .failing = UINT64_MAX};
    image.bytes = calloc(1, image.size);
    for (uint64_t i = 0; i < blocks; i++) {
        memcpy(image.bytes + i * VERITY_BLOCK_BYTES, &i, sizeof(i));
    }
    struct verity_superblock superblock = {
        .magic = SUPERBLOCK_MAGIC,
        .version = SUPERBLOCK_VERSION,
        .hash_type = SUPERBLOCK_HASH_TYPE,
        .uuid = FOOTER_UUID,
        .hash_name = FOOTER_HASH_NAME,
        .data_block_bytes = VERITY_BLOCK_BYTES,
        .hash_block_bytes = VERITY_BLOCK_BYTES,
        .data_blocks = blocks,
        .salt_bytes = VERITY_SALT_BYTES,
    };
    memcpy(superblock.salt, facts.salt, sizeof(facts.salt));
    memcpy(image.bytes + facts.data_bytes, &superblock, sizeof(superblock));
    levels_build(0, blocks, image.size);
}

static void tree_reopen(void)
{
    static uint32_t extensions; // of harts without Zbb and with it by turns
    const struct verity_source source = image_source(&image);
    extensions ^= NX_HART_EXTENSION_ZBB;
    assert_int_equal(verity_tree_open(&tree, &facts, &source, extensions), NX_OK);
}

static enum nx_status check(uint64_t block)
{
    return verity_tree_check(&tree, block, image.bytes + block * VERITY_BLOCK_BYTES);
}

// How many blocks of data are found wrong by a fresh reader.
static uint64_t errors_count(void)
{
    uint64_t errors = 0;
    tree_reopen();
    for (uint64_t i = 0; i < data_blocks; i++) {
        enum nx_status status = check(i);
        assert_true(status == NX_OK || status == NX_ERR_HASH);
        errors += status != NX_OK;
    }
    return errors;
}

static const uint64_t sizes[] = {1, 2, 63, 64, 65, 128, 4095, 4096, 4097};

static void test_every_block_of_every_height_is_found_right(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        image_build(sizes[i]);
        assert_int_equal(errors_count(), 0);
        assert_int_equal(check(data_blocks), NX_ERR_OUT_OF_RANGE);
        assert_int_equal(check(UINT64_MAX), NX_ERR_OUT_OF_RANGE);
        free(image.bytes);
    }
}

static void test_a_changed_tree_block_spoils_what_lies_below_it_alone(void **state)
{
    (void)state;
    image_build(4097); // levels of 65, 2 and 1 blocks
    uint64_t first = facts.data_bytes + VERITY_BLOCK_BYTES;
    static const struct {
        uint64_t block;
        uint64_t errors;
    } cases[] = {{0, 4097}, {1, 4096}, {2, 1}, {3, 64}, {66, 64}, {67, 1}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint8_t *byte = image.bytes + first + cases[i].block * VERITY_BLOCK_BYTES + 4000;
        *byte ^= 0x10;
        assert_int_equal(errors_count(), cases[i].errors);
        *byte ^= 0x10;
    }
    assert_int_equal(errors_count(), 0);
    free(image.bytes);
}

static void test_a_block_in_anothers_place_is_refused(void **state)
{
    (void)state;
    image_build(130);
    tree_reopen();
    assert_int_equal(verity_tree_check(&tree, 7, image.bytes + 8 * VERITY_BLOCK_BYTES),
                     NX_ERR_HASH);
    assert_int_equal(tree.refused, 1);
    assert_int_equal(check(7), NX_OK);
    free(image.bytes);
}

static void test_more_tree_blocks_than_slots_take_turns(void **state)
{
    (void)state;
    image_build(4097);
    tree_reopen();
    for (uint64_t i = 0; i < 3 * 4096; i++) {
        assert_int_equal(check(i * 67 % 4097), NX_OK);
    }
    free(image.bytes);
}

static void test_an_error_of_the_disk_is_told_and_not_remembered(void **state)
{
    (void)state;
    image_build(130);
    tree_reopen();
    assert_int_equal(check(0), NX_OK);
    image.failing = image.size - VERITY_BLOCK_BYTES; // of the lowest level
    assert_int_equal(check(129), NX_ERR_IO);
    assert_int_equal(check(1), NX_OK);
    image.failing = UINT64_MAX;
    assert_int_equal(check(129), NX_OK);
    free(image.bytes);
}

static void test_a_changed_superblock_is_refused(void **state)
{
    (void)state;
    image_build(2);
    const struct verity_source source = image_source(&image);
    for (uint64_t at = 0; at < VERITY_BLOCK_BYTES; at++) {
        image.bytes[facts.data_bytes + at] ^= 1;
        assert_int_equal(verity_tree_open(&tree, &facts, &source, 0), NX_ERR_BAD_FORMAT);
        image.bytes[facts.data_bytes + at] ^= 1;
    }
    free(image.bytes);
}

static void test_sizes_that_no_image_has_have_no_tree(void **state)
{
    (void)state;
    static const uint64_t wrong[] = {0, 1, 4095, 4097, VERITY_DATA_BYTES_MAX + 4096, UINT64_MAX};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        assert_int_equal(verity_tree_bytes(wrong[i]), 0);
    }
    assert_int_equal(verity_tree_bytes(4096), 4096);
    assert_int_equal(verity_tree_bytes(65 * 4096), (1 + 2 + 1) * 4096);
    assert_true(verity_tree_bytes(VERITY_DATA_BYTES_MAX) > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_block_of_every_height_is_found_right),
        cmocka_unit_test(test_a_changed_tree_block_spoils_what_lies_below_it_alone),
        cmocka_unit_test(test_a_block_in_anothers_place_is_refused),
        cmocka_unit_test(test_more_tree_blocks_than_slots_take_turns),
        cmocka_unit_test(test_an_error_of_the_disk_is_told_and_not_remembered),
        cmocka_unit_test(test_a_changed_superblock_is_refused),
        cmocka_unit_test(test_sizes_that_no_image_has_have_no_tree),
    };
    return cmocka_run_group_tests_name("verity tree", tests, NULL, NULL);
}
