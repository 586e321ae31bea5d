// SPDX-License-Identifier: Apache-2.0
// EROFS reader against damaged images: tens of thousands of deterministic mutations and truncations
// of real ones, each walked to its end. Any overrun, broken promise or hang ends the test.
// usage: test_erofs_hostile PYTHON MAKE_IMAGES_PY

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "erofs/erofs_walk.h"
#include "erofs/workspace.h"

#define MUTATIONS_AN_IMAGE 12000u
#define READS_A_WALK       3000u // a whole walk of the unbroken image takes fewer
#define HANG_SECONDS       120u

struct statistics {
    unsigned int refused;  // did not mount
    unsigned int noticed;  // mounted, some call failed that does not in the unbroken image
    unsigned int harmless; // walked as the unbroken image is
    unsigned int by_status[NX_STATUS_COUNT]; // of mount
};

// Deterministic: a failing case is the same on every machine.
static uint32_t random_next(uint32_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 17;
    *state ^= *state << 5;
    return *state;
}

// Values at which size and offset checks go wrong.
static uint64_t hostile_value(uint32_t *state)
{
    static const uint64_t values[] = {
        0,
        1,
        11,
        12,
        13,
        0x7f,
        0x80,
        0xff,
        0x100,
        0xfff,
        0x1000,
        0x1001,
        0x7fff,
        0x8000,
        0xffff,
        0x10000,
        0x7fffffff,
        0x80000000,
        0xfffffffe,
        0xffffffff,
        UINT64_C(0x100000000),
        UINT64_C(0x7fffffffffffffff),
        UINT64_C(0x8000000000000000),
        UINT64_MAX - 11,
        UINT64_MAX,
    };
    return values[random_next(state) % (sizeof(values) / sizeof(values[0]))];
}

static void value_put(uint8_t *bytes, size_t size, size_t offset, unsigned int width,
                      uint64_t value)
{
    for (unsigned int i = 0; i < width && offset + i < size; i++) {
        bytes[offset + i] = (uint8_t)(value >> (8 * i));
    }
}

// A random 32-byte slot of the metadata that is in use, as far as a few tries find one: damage to
// unused space tests nothing.
static size_t slot_choose(const uint8_t *bytes, size_t metadata, uint32_t *state)
{
    static const uint8_t unused[32];
    size_t slot = 0;

    for (unsigned int attempt = 0; attempt < 16; attempt++) {
        slot = 1152 + random_next(state) % ((metadata - 1152) / 32) * 32;
        if (memcmp(bytes + slot, unused, sizeof(unused)) != 0) {
            break;
        }
    }
    return slot;
}

// Damages one place: the superblock, an inode slot or a dirent-like place in the metadata, or any
// byte. The metadata is the first `metadata` bytes.
static void damage(uint8_t *bytes, size_t size, size_t metadata, uint32_t *state)
{
    uint32_t choice = random_next(state) % 8;
    unsigned int width = 1u << (random_next(state) % 4);

    if (choice == 0) {
        value_put(bytes, size, 1024 + random_next(state) % 128, width, hostile_value(state));
    } else if (choice <= 3) {
        static const unsigned int fields[] = {0, 2, 4, 8, 12, 16, 18, 32, 44};
        size_t field = fields[random_next(state) % (sizeof(fields) / sizeof(fields[0]))];
        size_t slot = slot_choose(bytes, metadata, state);
        value_put(bytes, size, slot + field, width, hostile_value(state));
    } else if (choice <= 5) {
        size_t place = slot_choose(bytes, metadata, state) + random_next(state) % 16 * 2;
        value_put(bytes, size, place, width, hostile_value(state));
    } else if (choice == 6) {
        bytes[slot_choose(bytes, metadata, state) + random_next(state) % 32] ^=
            (uint8_t)(1u << (random_next(state) % 8));
    } else {
        bytes[random_next(state) % size] = (uint8_t)random_next(state);
    }
}

static struct walk_result walk_copy(const uint8_t *bytes, size_t size)
{
    // Exactly `size` bytes of heap: one byte beyond is an ASan report.
    uint8_t *copy = malloc(size > 0 ? size : 1);
    assert_non_null(copy);
    memcpy(copy, bytes, size);
    struct memory_image image = {.bytes = copy, .size = size, .reads_left = READS_A_WALK};
    struct walk_result result = erofs_walk(&image);
    free(copy);
    return result;
}

static void result_count(struct statistics *statistics, const struct walk_result *result,
                         const struct walk_result *unbroken)
{
    statistics->by_status[result->mount_status]++;
    if (result->mount_status != NX_OK) {
        statistics->refused++;
    } else if (result->errors != unbroken->errors || result->inodes != unbroken->inodes ||
               result->bytes != unbroken->bytes) {
        statistics->noticed++;
    } else {
        statistics->harmless++;
    }
}

static void image_mutate(const char *name, size_t metadata, uint32_t seed)
{
    char *path = workspace_path(name);
    size_t size;
    uint8_t *original = file_load(path, &size);
    uint8_t *bytes = malloc(size);
    struct walk_result unbroken = walk_copy(original, size);
    struct statistics statistics = {0};

    assert_non_null(bytes);
    assert_int_equal(unbroken.mount_status, NX_OK);
    assert_true(unbroken.inodes > 20);
    for (unsigned int i = 0; i < MUTATIONS_AN_IMAGE; i++) {
        uint32_t state = seed + i * 2654435761u;
        state |= 1;
        memcpy(bytes, original, size);
        for (uint32_t places = 1 + random_next(&state) % 4; places > 0; places--) {
            damage(bytes, size, metadata, &state);
        }
        if (i % 2 == 0) {
            superblock_checksum_fix(bytes, size);
        }
        struct walk_result result = walk_copy(bytes, size);
        result_count(&statistics, &result, &unbroken);
    }
    print_message("%s: refused=%u noticed=%u harmless=%u bad-format=%u hash=%u truncated=%u "
                  "unsupported=%u\n",
                  name, statistics.refused, statistics.noticed, statistics.harmless,
                  statistics.by_status[NX_ERR_BAD_FORMAT], statistics.by_status[NX_ERR_HASH],
                  statistics.by_status[NX_ERR_TRUNCATED], statistics.by_status[NX_ERR_UNSUPPORTED]);
    // The mutations reach all three ends, or they test nothing.
    assert_true(statistics.refused > MUTATIONS_AN_IMAGE / 20);
    assert_true(statistics.noticed > MUTATIONS_AN_IMAGE / 20);
    assert_true(statistics.harmless > MUTATIONS_AN_IMAGE / 100);
    assert_int_equal(statistics.by_status[NX_ERR_IO], 0);
    free(bytes);
    free(original);
    free(path);
}

static void test_damaged_images_with_inline_data_do_no_harm(void **state)
{
    (void)state;
    image_mutate("small.img", 4096, 1);
}

static void test_damaged_images_with_chunks_do_no_harm(void **state)
{
    (void)state;
    image_mutate("small-chunks.img", 4096, 77);
}

static void test_truncated_images_are_refused_at_every_length(void **state)
{
    (void)state;
    char *path = workspace_path("small.img");
    size_t size;
    uint8_t *original = file_load(path, &size);

    for (size_t length = 0; length < size; length++) {
        struct walk_result result = walk_copy(original, length);
        assert_int_equal(result.mount_status, NX_ERR_TRUNCATED);
    }
    free(original);
    free(path);
}

static void test_shrunken_block_counts_never_read_beyond(void **state)
{
    (void)state;
    char *path = workspace_path("small-chunks.img");
    size_t size;
    uint8_t *bytes = file_load(path, &size);

    // The walk itself requires that nothing outside the claimed size is read or mapped.
    for (uint32_t blocks = 0; blocks < size / 4096; blocks++) {
        value_put(bytes, size, 1024 + 36, 4, blocks);
        superblock_checksum_fix(bytes, size);
        struct walk_result result = walk_copy(bytes, size);
        assert_true(result.mount_status != NX_OK || result.errors > 0);
    }
    free(bytes);
    free(path);
}

static void test_random_bytes_are_refused(void **state)
{
    (void)state;
    uint8_t *bytes = malloc(8192);
    uint32_t random = 12345;

    assert_non_null(bytes);
    for (unsigned int i = 0; i < 1000; i++) {
        for (size_t j = 0; j < 8192; j += 4) {
            value_put(bytes, 8192, j, 4, random_next(&random));
        }
        assert_int_equal(walk_copy(bytes, 8192).mount_status, NX_ERR_BAD_FORMAT);
        // As far as the root inode, with everything behind the superblock random.
        memset(bytes + 1024, 0, 128);
        value_put(bytes, 8192, 1024, 4, 0xe0f5e1e2);
        bytes[1024 + 12] = 12;
        bytes[1024 + 14] = 36;
        bytes[1024 + 36] = 2;
        (void)walk_copy(bytes, 8192);
    }
    free(bytes);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_damaged_images_with_inline_data_do_no_harm),
        cmocka_unit_test(test_damaged_images_with_chunks_do_no_harm),
        cmocka_unit_test(test_truncated_images_are_refused_at_every_length),
        cmocka_unit_test(test_shrunken_block_counts_never_read_beyond),
        cmocka_unit_test(test_random_bytes_are_refused),
    };

    if (argc != 3) {
        fprintf(stderr, "usage: %s PYTHON MAKE_IMAGES_PY\n", argv[0]);
        return 2;
    }
    if (workspace_make(argv[1], argv[2], "small") != 0) {
        return 1;
    }
    alarm(HANG_SECONDS);
    int failed = cmocka_run_group_tests_name("erofs hostile", tests, NULL, NULL);
    workspace_remove();
    return failed;
}
