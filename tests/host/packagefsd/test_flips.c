// SPDX-License-Identifier: Apache-2.0
// All of packagefsd below its requests, on damaged images: the mount is refused by name, or what is
// damaged is an I/O error and everything else is right. Nobody who has a file mapped ever sees
// another byte, although the device goes on changing what it wrote.
//
// usage: test_packagefsd_flips SMALL_IMAGE IMAGE PACKAGE_TRUST
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "content.h"
#include "fake_system.h"
#include "file_load.h"
#include "packagefsd/mount.h"

#define BLOCK 4096u

struct image_file {
    uint8_t *bytes;
    uint64_t size;
    struct content content;
};

static struct image_file small;
static struct image_file large;
static char *trust;

static struct mount mount;
static struct file_cache cache;

// What became of one image.
struct outcome {
    bool mounted;
    struct faring faring;
};

static void files_forget(void)
{
    for (uint32_t i = 0; i < FILES_MAX; i++) {
        if (cache.files[i].token != 0) {
            free(cache.files[i].map.bits);
        }
    }
}

// Mounts it and asks for everything, files in pieces of that size.
static struct outcome image_serve(const struct image_file *file, uint64_t size, uint64_t piece)
{
    struct outcome outcome = {0};

    fake_reset(file->bytes, size, trust);
    memset(&mount, 0, sizeof(mount));
    outcome.mounted = mount_open(&mount) == NX_OK;
    assert_int_equal(mount.image.source, PACKAGE_FS_SOURCE_VIRTIO_BLK); // never the fixtures
    assert_int_equal(outcome.mounted, fake_refusal[0] == '\0');
    assert_false(fake_not_mounted); // the disk itself works
    if (outcome.mounted) {
        file_cache_init(&cache, &mount.image, &mount.fs);
        outcome.faring = content_ask(&file->content, &mount.fs, &cache, piece);
        content_look(&file->content, &cache);
        assert_true((mount.image.io_errors > 0) == (outcome.faring.errors > 0));
        files_forget();
    }
    return outcome;
}

static bool refused_by_name(void)
{
    static const char *const names[] = {"signature", "version", "truncated", "format", "hash"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(fake_refusal, names[i]) == 0) {
            return true;
        }
    }
    return false;
}

static void test_a_sound_image_is_served_whole(void **state)
{
    (void)state;
    struct outcome outcome = image_serve(&small, small.size, BLOCK);
    assert_true(outcome.mounted);
    assert_int_equal(outcome.faring.errors, 0);
    for (uint64_t piece = BLOCK; piece <= 128 * BLOCK; piece *= 2) {
        for (fake_harts = 1; fake_harts <= NX_HARTS_MAX; fake_harts++) {
            outcome = image_serve(&large, large.size, piece);
            assert_true(outcome.mounted);
            assert_int_equal(outcome.faring.errors, 0);
            assert_true(fake_disk.queued > 0); // read-ahead takes part
            assert_int_equal(mount.image.team.helpers, fake_harts - 1);
        }
    }
    fake_harts = 1;
}

static void test_every_flipped_byte_is_noticed_and_no_wrong_one_is_served(void **state)
{
    (void)state;
    uint64_t refused = 0;
    uint64_t errors = 0;

    for (uint64_t at = 0; at < small.size; at++) {
        small.bytes[at] ^= (uint8_t)(1u << at % 8);
        struct outcome outcome = image_serve(&small, small.size, BLOCK);
        small.bytes[at] ^= (uint8_t)(1u << at % 8);
        assert_true(outcome.mounted || refused_by_name());
        refused += !outcome.mounted;
        errors += outcome.faring.errors > 0;
    }
    print_message("%llu bytes: %llu refused at the mount, %llu errors of a read, %llu unnoticed\n",
                  (unsigned long long)small.size, (unsigned long long)refused,
                  (unsigned long long)errors, (unsigned long long)(small.size - refused - errors));
    assert_int_equal(refused + errors, small.size);
}

// With flights, many blocks of metadata, and a tree of two levels.
static void test_a_byte_flipped_in_each_block_of_a_larger_image_spoils_that_block(void **state)
{
    (void)state;
    uint64_t refused = 0;
    uint64_t unread = 0;

    for (uint64_t block = 0; block < large.size / BLOCK; block++) {
        uint64_t at = block * BLOCK + block * 37 % BLOCK;
        large.bytes[at] ^= 0x10;
        struct outcome outcome = image_serve(&large, large.size, 8 * BLOCK);
        large.bytes[at] ^= 0x10;
        assert_true(outcome.mounted || refused_by_name());
        assert_true(!outcome.mounted || outcome.faring.right > 0);
        refused += !outcome.mounted;
        if (outcome.mounted && outcome.faring.errors == 0) {
            assert_false(fake_disk.read[block]); // whoever reads it notices
            unread++;
        }
    }
    print_message("%llu blocks: %llu refused at the mount, %llu never read\n",
                  (unsigned long long)(large.size / BLOCK), (unsigned long long)refused,
                  (unsigned long long)unread);
    assert_int_equal(unread, 0);
}

static void test_a_disk_that_ends_early_is_refused_as_truncated(void **state)
{
    (void)state;
    (void)image_serve(&small, small.size, BLOCK);
    uint64_t data = mount.image.signed_.data_bytes;
    for (uint64_t size = 0; size < small.size; size += 512) {
        assert_false(image_serve(&small, size, BLOCK).mounted);
        // Without tree and footer it is an image that nobody has signed.
        assert_string_equal(fake_refusal, size == data ? "signature" : "truncated");
    }
}

// Whatever the way to the disk fails with, also what an image could be at fault for.
static void test_a_disk_that_cannot_be_read_says_nothing_about_the_image(void **state)
{
    (void)state;
    for (enum nx_status status = NX_OK + 1; status < NX_STATUS_COUNT; status++) {
        bool mounted = false;
        for (uint64_t at = 1; !mounted; at++) {
            fake_reset(large.bytes, large.size, trust);
            fake_disk.breaks_at = at;
            fake_disk.break_status = status;
            memset(&mount, 0, sizeof(mount));
            mounted = mount_open(&mount) == NX_OK;
            assert_string_equal(fake_refusal, "");
            assert_int_equal(mounted, !fake_not_mounted);
            assert_true(mounted || fake_disk.reads >= at);
        }
    }
}

static void test_a_bad_trust_file_says_nothing_about_the_image(void **state)
{
    (void)state;
    fake_reset(large.bytes, large.size, "nobody\n");
    memset(&mount, 0, sizeof(mount));
    assert_int_not_equal(mount_open(&mount), NX_OK);
    assert_string_equal(fake_refusal, "");
    assert_true(fake_not_mounted);
}

static int prepare(void **state)
{
    (void)state;
    content_collect(&small.content, small.bytes, small.size);
    content_collect(&large.content, large.bytes, large.size);
    return 0;
}

static int finish(void **state)
{
    (void)state;
    content_free(&small.content);
    content_free(&large.content);
    fake_reset(small.bytes, 0, trust);
    return 0;
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_sound_image_is_served_whole),
        cmocka_unit_test(test_every_flipped_byte_is_noticed_and_no_wrong_one_is_served),
        cmocka_unit_test(test_a_byte_flipped_in_each_block_of_a_larger_image_spoils_that_block),
        cmocka_unit_test(test_a_disk_that_ends_early_is_refused_as_truncated),
        cmocka_unit_test(test_a_disk_that_cannot_be_read_says_nothing_about_the_image),
        cmocka_unit_test(test_a_bad_trust_file_says_nothing_about_the_image),
    };
    uint64_t length;

    if (argc != 4) {
        return EXIT_FAILURE;
    }
    small.bytes = file_load(argv[1], &small.size);
    large.bytes = file_load(argv[2], &large.size);
    trust = (char *)file_load(argv[3], &length);
    int failed = cmocka_run_group_tests_name("packagefsd flips", tests, prepare, finish);
    free(small.bytes);
    free(large.bytes);
    free(trust);
    return failed;
}
