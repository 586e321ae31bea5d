// SPDX-License-Identifier: Apache-2.0
// Tests of SHA-256 against published vectors and against another implementation's digests.
#include "sha256/sha256.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void assert_digest(struct sha256 *hash, const char *expected)
{
    uint8_t digest[SHA256_BYTES];
    char text[SHA256_HEX_BYTES];
    sha256_final(hash, digest);
    sha256_hex(digest, text);
    assert_string_equal(text, expected);
}

// The examples of FIPS 180-4's companion document.
static void test_published_vectors(void **state)
{
    static const struct {
        const char *message;
        const char *digest;
    } vectors[] = {
        {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
        {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
        {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
         "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
        struct sha256 hash;
        sha256_init(&hash);
        sha256_update(&hash, vectors[i].message, strlen(vectors[i].message));
        assert_digest(&hash, vectors[i].digest);
    }
}

static void test_a_million_letters(void **state)
{
    struct sha256 hash;
    (void)state;
    sha256_init(&hash);
    for (int i = 0; i < 100000; i++) {
        sha256_update(&hash, "aaaaaaaaaa", 10);
    }
    assert_digest(&hash, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

// Byte i of each message is 7 i + 3; digests by Python's hashlib.
static const struct {
    size_t length;
    const char *digest;
} lengths[] = {
    {1, "084fed08b978af4d7d196a7446a86b58009e636b611db16211b65a9aadff29c5"},
    {54, "160bbf14b458c877b7049e7cb5771dd653930f97d20bdd8ee795c16062906233"},
    {55, "e7313d333c272e639f790978283f9eb392e843d0f29b7016828bb1daa4aac70b"},
    {56, "4324d65f3c103567f5589c710bc08f8523f929a9272e3af36fc968e52abc6c27"},
    {57, "35df609437dcfea3279283ab79fd554e2bf78f8f7ae2de532d8ee300b09e8f73"},
    {63, "81c80242132f230c3bd41b3e63bbcff16107339549214a99614ff26664625055"},
    {64, "39e3d7b6b5d075d37d053ad89b24b41bef4f3c29760c84447cab3f3be1882241"},
    {65, "aacca6ff74fdbb296d165a45cecfa04e5127bc008770fbbdd48006f2d2fae95e"},
    {119, "9ce7368e4daf32341631b492e80359dc9f594b48453cd0dd5bf0b19279cc177e"},
    {120, "7836b787757e95e58b3ca5aec90b1b004e8deba1e50e9675af9cabf1a13a04b5"},
    {127, "a8d23e75d936f303d248888d9b165ee543f4cbafcad3c9dd2a79bd84faa11d07"},
    {128, "d2742f1f4ac6bb7ca2b239ee18402ba8b3f9f8e652d2a72973c2b9ba11c08cf6"},
    {129, "307f8fc2c1622b92762e818d39a185d4d667ad49a4b07ceae1f4afa008a93ec4"},
    {1000, "1e9bc38cbf860b9ec31918b065f9b52476c549a782e0e7990bed8ce3868d2371"},
    {4096, "7486da8f1e13943fae21a0b043f1e99640d7d8ebafb25266478b5cddae1272b5"},
};

static void test_lengths_around_the_padding_in_pieces_of_every_size(void **state)
{
    static uint8_t message[4096];
    (void)state;
    for (size_t i = 0; i < sizeof(message); i++) {
        message[i] = (uint8_t)(7 * i + 3);
    }
    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        for (size_t piece = 1; piece <= 130; piece++) {
            struct sha256 hash;
            sha256_init(&hash);
            for (size_t at = 0; at < lengths[i].length; at += piece) {
                size_t rest = lengths[i].length - at;
                sha256_update(&hash, message + at, rest < piece ? rest : piece);
            }
            assert_digest(&hash, lengths[i].digest);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_published_vectors),
        cmocka_unit_test(test_a_million_letters),
        cmocka_unit_test(test_lengths_around_the_padding_in_pieces_of_every_size),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
