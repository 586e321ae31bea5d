// SPDX-License-Identifier: Apache-2.0
// Every single byte of a signed image is covered: changed, it is refused or its block is an error.
// There are no bytes that nobody looks at.
//
// usage: test_verity_flips SIGNED_IMAGE PACKAGE_TRUST
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "image.h"

#define IMAGE_VERSION 7u // of SIGNED_IMAGE, by meson.build

static struct memory_image image;
static uint8_t *original;
static struct verity_trust trust;

static uint64_t data_blocks(void)
{
    struct verdict verdict = image_read_all(&image, &trust, original);
    assert_int_equal(verdict.refusal, VERITY_ACCEPTED);
    return verdict.good;
}

static void test_the_image_itself_is_accepted_whole(void **state)
{
    (void)state;
    struct verdict verdict = image_read_all(&image, &trust, original);
    assert_int_equal(verdict.refusal, VERITY_ACCEPTED);
    assert_int_equal(verdict.errors, 0);
    assert_int_equal(verdict.wrong, 0);
    assert_in_range(verdict.good, 1, image.size / VERITY_BLOCK_BYTES - 3);
}

// Flips bits of one byte, reads everything, puts the byte right.
static struct verdict flipped(uint64_t at, uint8_t mask)
{
    image.bytes[at] ^= mask;
    struct verdict verdict = image_read_all(&image, &trust, original);
    image.bytes[at] ^= mask;
    return verdict;
}

static void test_every_flipped_byte_is_noticed_and_none_is_handed_out(void **state)
{
    (void)state;
    uint64_t blocks = data_blocks();
    uint64_t refused = 0;
    uint64_t errors = 0;

    for (uint64_t at = 0; at < image.size; at++) {
        struct verdict verdict = flipped(at, (uint8_t)(1u << at % 8));
        assert_int_equal(verdict.wrong, 0);
        assert_true(verdict.refusal != VERITY_ACCEPTED || verdict.errors > 0);
        refused += verdict.refusal != VERITY_ACCEPTED;
        errors += verdict.errors > 0;
        if (at < blocks * VERITY_BLOCK_BYTES) { // the other blocks stay good
            assert_int_equal(verdict.errors, 1);
            assert_int_equal(verdict.good, blocks - 1);
        }
    }
    print_message(
        "%llu bytes: %llu refused at the mount, %llu an error of their block, 0 unnoticed\n",
        (unsigned long long)image.size, (unsigned long long)refused, (unsigned long long)errors);
    assert_int_equal(refused + errors, image.size);
}

// The text of the signature has bits that base64 would not need, and comments.
static void test_every_bit_of_header_and_signature_is_noticed(void **state)
{
    (void)state;
    for (uint64_t at = image.size - VERITY_BLOCK_BYTES; at < image.size - 3072; at++) {
        for (uint32_t bit = 0; bit < 8; bit++) {
            assert_int_not_equal(flipped(at, (uint8_t)(1u << bit)).refusal, VERITY_ACCEPTED);
        }
    }
}

static void test_an_image_cut_anywhere_is_refused_as_truncated(void **state)
{
    (void)state;
    uint64_t whole = image.size;
    uint64_t data = data_blocks() * VERITY_BLOCK_BYTES;

    for (image.size = 0; image.size < whole; image.size += 512) {
        struct verdict verdict = image_read_all(&image, &trust, original);
        // Cut to the file system alone it is an image that nobody has signed.
        assert_int_equal(verdict.refusal,
                         image.size == data ? VERITY_REFUSED_SIGNATURE : VERITY_REFUSED_TRUNCATED);
    }
    image.size = whole;
}

static void test_an_image_with_blocks_missing_inside_is_refused(void **state)
{
    (void)state;
    struct memory_image shorter = {.size = image.size - VERITY_BLOCK_BYTES, .failing = UINT64_MAX};
    shorter.bytes = malloc(shorter.size);
    memcpy(shorter.bytes, image.bytes + VERITY_BLOCK_BYTES, shorter.size);
    struct verdict verdict = image_read_all(&shorter, &trust, original);
    free(shorter.bytes);
    assert_int_equal(verdict.refusal, VERITY_REFUSED_TRUNCATED);
    assert_string_equal(verdict.detail, "size");
}

static void test_an_image_older_than_the_trust_asks_for_is_refused(void **state)
{
    (void)state;
    struct verity_trust newer = trust;
    newer.minimum_version = IMAGE_VERSION;
    assert_int_equal(image_read_all(&image, &newer, original).refusal, VERITY_ACCEPTED);
    newer.minimum_version = IMAGE_VERSION + 1;
    assert_int_equal(image_read_all(&image, &newer, original).refusal, VERITY_REFUSED_VERSION);
}

static void test_a_key_that_is_not_trusted_is_refused(void **state)
{
    (void)state;
    struct verity_trust other = trust;
    other.keys[0].id[0] ^= 1;
    struct verdict verdict = image_read_all(&image, &other, original);
    assert_int_equal(verdict.refusal, VERITY_REFUSED_SIGNATURE);
    assert_string_equal(verdict.detail, "unknown-key");
    other = trust;
    other.keys[0].public_key[0] ^= 1; // the same id, another key
    verdict = image_read_all(&image, &other, original);
    assert_int_equal(verdict.refusal, VERITY_REFUSED_SIGNATURE);
    assert_string_equal(verdict.detail, "wrong-signature");
}

static void test_a_block_that_cannot_be_read_is_an_error_of_its_own(void **state)
{
    (void)state;
    uint64_t blocks = data_blocks();
    image.failing = VERITY_BLOCK_BYTES;
    struct verdict verdict = image_read_all(&image, &trust, original);
    image.failing = UINT64_MAX;
    assert_int_equal(verdict.good, blocks - 1);
    assert_int_equal(verdict.errors, 1);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_image_itself_is_accepted_whole),
        cmocka_unit_test(test_every_flipped_byte_is_noticed_and_none_is_handed_out),
        cmocka_unit_test(test_every_bit_of_header_and_signature_is_noticed),
        cmocka_unit_test(test_an_image_cut_anywhere_is_refused_as_truncated),
        cmocka_unit_test(test_an_image_with_blocks_missing_inside_is_refused),
        cmocka_unit_test(test_an_image_older_than_the_trust_asks_for_is_refused),
        cmocka_unit_test(test_a_key_that_is_not_trusted_is_refused),
        cmocka_unit_test(test_a_block_that_cannot_be_read_is_an_error_of_its_own),
    };

    if (argc != 3) {
        return EXIT_FAILURE;
    }
    image = image_load(argv[1]);
    original = image_load(argv[1]).bytes;
    trust = trust_load(argv[2]);
    int failed = cmocka_run_group_tests_name("verity flips", tests, NULL, NULL);
    free(image.bytes);
    free(original);
    return failed;
}
