// SPDX-License-Identifier: Apache-2.0
// The file package-trust and base64: what is read, what is refused.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "verity/base64.h"
#include "verity/verity.h"

#define KEY "key RWTfDuN6GBY2NVPuV1eJ9jIWaZgkCH3q+5F9W7phHJ8bJZClEO0YDabw\n"

static enum nx_status parse(const char *text, struct verity_trust *trust)
{
    return verity_trust_parse(text, strlen(text), trust);
}

static void test_keys_version_comments_and_empty_lines_are_read(void **state)
{
    (void)state;
    struct verity_trust trust;
    assert_int_equal(
        parse("# whose\n\nminimum-image-version 18446744073709551615\n" KEY KEY, &trust), NX_OK);
    assert_true(trust.minimum_version == UINT64_MAX);
    assert_int_equal(trust.key_count, 2);
    assert_memory_equal(trust.keys[1].id, "\xdf\x0e\xe3\x7a\x18\x16\x36\x35", 8);
    assert_int_equal(parse("minimum-image-version 0\nkey "
                           "RWTfDuN6GBY2NVPuV1eJ9jIWaZgkCH3q+5F9W7phHJ8bJZClEO0YDabw",
                           &trust),
                     NX_OK); // without a line end
}

static void test_whatever_else_there_is_is_refused(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "",
        KEY,                                                      // no version
        "minimum-image-version 1\n",                              // no key
        "minimum-image-version 1\nminimum-image-version 2\n" KEY, // two versions
        "minimum-image-version \n" KEY,                           // none
        "minimum-image-version -1\n" KEY,                         // no number
        "minimum-image-version 18446744073709551616\n" KEY,       // too large a number
        "minimum-image-version 1 \n" KEY,                         // a blank behind it
        "minimum-image-version 1\nkeys\n" KEY,                    // an unknown word
        "minimum-image-version 1\nkey RWTf\n",                    // too short
        "minimum-image-version 1\nkey AAAfDuN6GBY2NVPuV1eJ9jIWaZgkCH3q+5F9W7phHJ8bJZClEO0YDabw\n",
        "minimum-image-version 1\nkey RWTf*uN6GBY2NVPuV1eJ9jIWaZgkCH3q+5F9W7phHJ8bJZClEO0YDabw\n",
        "minimum-image-version 1\n" KEY KEY KEY KEY KEY KEY KEY KEY KEY, // too many
    };
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct verity_trust trust;
        assert_int_equal(parse(wrong[i], &trust), NX_ERR_BAD_FORMAT);
    }
}

static void test_base64_has_one_text_for_each_value(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *bytes; // NULL: none
        size_t length;
    } cases[] = {
        {"Zm9v", "foo", 3},          {"Zm8=", "fo", 2},  {"Zg==", "f", 1},  {"Zm9vYg==", "foob", 4},
        {"+/+/", "\xfb\xff\xbf", 3}, {"Zm9=", NULL, 2}, // bits left over
        {"Zh==", NULL, 1},           {"Zg=A", NULL, 1},  {"Zm8A", NULL, 2}, {"Z===", NULL, 1},
        {"Zm9 ", NULL, 3},           {"Zm9\n", NULL, 3}, {"-_-_", NULL, 3}, {"Zm8=", NULL, 3},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint8_t bytes[8];
        bool ok = base64_decode(cases[i].text, bytes, cases[i].length);
        assert_int_equal(ok, cases[i].bytes != NULL);
        if (ok) {
            assert_memory_equal(bytes, cases[i].bytes, cases[i].length);
        }
    }
}

static void hash_of(const char *text, uint8_t digest[HASH_BYTES])
{
    struct hash hash;
    hash_init(&hash);
    hash_update(&hash, text, strlen(text));
    hash_final(&hash, digest);
}

// RFC 7693, appendix A; RFC 8032, section 7.1, test 2.
static void test_the_cryptography_gives_the_standards_own_examples(void **state)
{
    (void)state;
    static const uint8_t abc[] = {0xba, 0x80, 0xa5, 0x3f, 0x98, 0x1c, 0x4d, 0x0d};
    static const uint8_t public_key[] = {0x3d, 0x40, 0x17, 0xc3, 0xe8, 0x43, 0x89, 0x5a,
                                         0x92, 0xb7, 0x0a, 0xa7, 0x4d, 0x1b, 0x7e, 0xbc,
                                         0x9c, 0x98, 0x2c, 0xcf, 0x2e, 0xc4, 0x96, 0x8c,
                                         0xc0, 0xcd, 0x55, 0xf1, 0x2a, 0xf4, 0x66, 0x0c};
    uint8_t signature[] = {0x92, 0xa0, 0x09, 0xa9, 0xf0, 0xd4, 0xca, 0xb8, 0x72, 0x0e, 0x82,
                           0x0b, 0x5f, 0x64, 0x25, 0x40, 0xa2, 0xb2, 0x7b, 0x54, 0x16, 0x50,
                           0x3f, 0x8f, 0xb3, 0x76, 0x22, 0x23, 0xeb, 0xdb, 0x69, 0xda, 0x08,
                           0x5a, 0xc1, 0xe4, 0x3e, 0x15, 0x99, 0x6e, 0x45, 0x8f, 0x36, 0x13,
                           0xd0, 0xf1, 0x1d, 0x8c, 0x38, 0x7b, 0x2e, 0xae, 0xb4, 0x30, 0x2a,
                           0xee, 0xb0, 0x0d, 0x29, 0x16, 0x12, 0xbb, 0x0c, 0x00};
    uint8_t digest[HASH_BYTES];

    hash_of("abc", digest);
    assert_memory_equal(digest, abc, sizeof(abc));
    assert_true(signature_is_valid(signature, "\x72", 1, public_key));
    assert_false(signature_is_valid(signature, "\x73", 1, public_key));
    signature[63] ^= 0x20;
    assert_false(signature_is_valid(signature, "\x72", 1, public_key));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keys_version_comments_and_empty_lines_are_read),
        cmocka_unit_test(test_whatever_else_there_is_is_refused),
        cmocka_unit_test(test_base64_has_one_text_for_each_value),
        cmocka_unit_test(test_the_cryptography_gives_the_standards_own_examples),
    };
    return cmocka_run_group_tests_name("verity trust", tests, NULL, NULL);
}
