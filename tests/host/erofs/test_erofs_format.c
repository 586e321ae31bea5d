// SPDX-License-Identifier: Apache-2.0
// EROFS reader against handmade images: block sizes, holes, attributes and every named refusal.

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "erofs/erofs_walk.h"
#include "erofs/handmade.h"

// The reader's state over one handmade image.
struct opened {
    struct memory_image memory;
    struct erofs fs;
    enum erofs_refusal refusal;
};

static enum nx_status image_open(struct opened *opened, const struct handmade *image)
{
    opened->memory =
        (struct memory_image){.bytes = image->bytes, .size = image->size, .reads_left = UINT64_MAX};
    struct erofs_source source = memory_image_source(&opened->memory);
    enum nx_status status = erofs_mount(&opened->fs, &source, &opened->refusal);
    if (status == NX_OK) {
        opened->memory.size = opened->fs.size; // the source aborts on a read beyond it
    }
    return status;
}

static enum nx_status resolve(struct opened *opened, const char *path, struct erofs_inode *inode)
{
    return erofs_resolve(&opened->fs, path, strlen(path), EROFS_FOLLOW_FINAL, inode);
}

// Changes one field of the superblock, seals it, and expects this answer from mount.
static void mount_expect(unsigned int field, unsigned int width, uint64_t value,
                         enum nx_status status, enum erofs_refusal refusal)
{
    struct handmade image = handmade_make(12);
    struct opened opened;

    handmade_put(&image, HANDMADE_SUPER + field, width, value);
    handmade_seal(&image);
    assert_int_equal(image_open(&opened, &image), status);
    assert_int_equal(opened.refusal, refusal);
    handmade_free(&image);
}

// Makes `inode` the file HELLO_NID of an image and expects this answer from loading it.
static void load_expect(struct handmade_inode inode, enum nx_status status)
{
    struct handmade image = handmade_make(9);
    struct opened opened;
    struct erofs_inode loaded;

    handmade_inode_put(&image, HELLO_NID, inode);
    assert_int_equal(image_open(&opened, &image), NX_OK);
    assert_int_equal(erofs_inode_load(&opened.fs, HELLO_NID, &loaded), status);
    handmade_free(&image);
}

static void test_every_block_size_from_512_to_4096_is_read(void **state)
{
    (void)state;
    for (unsigned int bits = 9; bits <= 12; bits++) {
        struct handmade image = handmade_make(bits);
        struct opened opened;
        struct erofs_inode inode;
        char text[64];
        size_t got;

        assert_int_equal(image_open(&opened, &image), NX_OK);
        assert_int_equal(opened.fs.size, HANDMADE_SIZE);
        assert_int_equal(resolve(&opened, "hello", &inode), NX_OK);
        assert_int_equal(inode.mtime, 1234567890);
        assert_int_equal(erofs_read(&opened.fs, &inode, 0, text, sizeof(text), &got), NX_OK);
        assert_int_equal(got, strlen(HELLO_TEXT));
        assert_memory_equal(text, HELLO_TEXT, got);
        handmade_free(&image);
    }
}

static void test_damaged_superblocks_are_refused_by_name(void **state)
{
    (void)state;
    mount_expect(0, 4, 0xe0f5e1e3, NX_ERR_BAD_FORMAT, EROFS_REFUSAL_MAGIC);
    mount_expect(12, 1, 8, NX_ERR_BAD_FORMAT, EROFS_REFUSAL_BLOCK_SIZE);
    mount_expect(12, 1, 0, NX_ERR_BAD_FORMAT, EROFS_REFUSAL_BLOCK_SIZE);
    mount_expect(12, 1, 13, NX_ERR_UNSUPPORTED, EROFS_REFUSAL_BLOCK_SIZE);
    mount_expect(12, 1, 255, NX_ERR_UNSUPPORTED, EROFS_REFUSAL_BLOCK_SIZE);
    mount_expect(90, 1, 1, NX_ERR_UNSUPPORTED, EROFS_REFUSAL_BLOCK_SIZE);
    mount_expect(36, 4, 17, NX_ERR_TRUNCATED, EROFS_REFUSAL_SIZE);
    mount_expect(36, 4, UINT32_MAX, NX_ERR_TRUNCATED, EROFS_REFUSAL_SIZE);
    mount_expect(36, 4, 0, NX_ERR_BAD_FORMAT, EROFS_REFUSAL_META_AREA);
    mount_expect(40, 4, 16, NX_ERR_BAD_FORMAT, EROFS_REFUSAL_META_AREA);
    mount_expect(40, 4, UINT32_MAX, NX_ERR_BAD_FORMAT, EROFS_REFUSAL_META_AREA);
    mount_expect(14, 2, HELLO_NID, NX_ERR_BAD_FORMAT, EROFS_REFUSAL_ROOT);
    mount_expect(14, 2, 0, NX_ERR_BAD_FORMAT, EROFS_REFUSAL_ROOT);
    mount_expect(14, 2, UINT16_MAX, NX_ERR_OUT_OF_RANGE, EROFS_REFUSAL_ROOT);
}

static void test_every_unknown_incompatible_feature_is_refused(void **state)
{
    (void)state;
    for (unsigned int bit = 0; bit < 32; bit++) {
        if (bit == 0 || bit == 2) { // zero padding, chunked files
            mount_expect(80, 4, UINT64_C(1) << bit, NX_OK, EROFS_REFUSAL_NONE);
        } else {
            mount_expect(80, 4, UINT64_C(1) << bit, NX_ERR_UNSUPPORTED, EROFS_REFUSAL_FEATURE);
        }
    }
}

static void test_checksum_covers_the_rest_of_its_block(void **state)
{
    (void)state;
    static const size_t covered[] = {1024 + 64, 1024 + 127, 1024 + 600, 4095};

    for (size_t i = 0; i < sizeof(covered) / sizeof(covered[0]); i++) {
        struct handmade image = handmade_make(12);
        struct opened opened;

        image.bytes[covered[i]] ^= 1;
        assert_int_equal(image_open(&opened, &image), NX_ERR_HASH);
        assert_int_equal(opened.refusal, EROFS_REFUSAL_CHECKSUM);
        image.bytes[covered[i]] ^= 1;
        image.bytes[1023] ^= 1; // before the superblock: anything may be there
        assert_int_equal(image_open(&opened, &image), NX_OK);
        image.bytes[1024 + 4] ^= 1; // the sum itself, then the bit that says there is one
        assert_int_equal(image_open(&opened, &image), NX_ERR_HASH);
        image.bytes[1024 + 8] = 0;
        assert_int_equal(image_open(&opened, &image), NX_OK);
        handmade_free(&image);
    }
}

static void test_images_that_end_early_are_truncated(void **state)
{
    (void)state;
    struct handmade image = handmade_make(12);
    struct opened opened;

    for (size_t size = 0; size < HANDMADE_SIZE; size += size < 2048 ? 1 : 509) {
        image.size = size;
        assert_int_equal(image_open(&opened, &image), NX_ERR_TRUNCATED);
        assert_int_equal(opened.refusal,
                         size < 1024 + 128 ? EROFS_REFUSAL_TOO_SMALL : EROFS_REFUSAL_SIZE);
    }
    handmade_free(&image);
}

static void test_refusals_have_distinct_names(void **state)
{
    (void)state;
    for (int left = 0; left < EROFS_REFUSAL_COUNT; left++) {
        for (int right = 0; right < left; right++) {
            assert_string_not_equal(erofs_refusal_name((enum erofs_refusal)left),
                                    erofs_refusal_name((enum erofs_refusal)right));
        }
    }
    assert_string_equal(erofs_refusal_name(EROFS_REFUSAL_COUNT), "unknown");
}

static void test_extended_attributes_are_skipped(void **state)
{
    (void)state;
    struct handmade image = handmade_make(9);
    struct opened opened;
    struct erofs_inode inode;
    char byte;
    size_t got;

    // 12 bytes of header and 4 entries of 4 bytes lie between inode and tail.
    handmade_inode_put(
        &image, HELLO_NID,
        (struct handmade_inode){.layout = INLINE, .xattr_icount = 5, .mode = 0100644, .size = 1});
    image.bytes[handmade_inode_offset(HELLO_NID) + 32 + 12 + 16] = 'T';
    assert_int_equal(image_open(&opened, &image), NX_OK);
    assert_int_equal(resolve(&opened, "hello", &inode), NX_OK);
    assert_int_equal(erofs_read(&opened.fs, &inode, 0, &byte, 1, &got), NX_OK);
    assert_int_equal(byte, 'T');
    handmade_free(&image);
}

static void test_inodes_whose_data_leaves_the_image_are_bad(void **state)
{
    (void)state;
    uint32_t end = HANDMADE_SIZE / 512;

    load_expect((struct handmade_inode){PLAIN, 0, 0100644, 512, end - 1}, NX_OK);
    load_expect((struct handmade_inode){PLAIN, 0, 0100644, 513, end - 1}, NX_ERR_BAD_FORMAT);
    load_expect((struct handmade_inode){PLAIN, 0, 0100644, 1, end}, NX_ERR_BAD_FORMAT);
    load_expect((struct handmade_inode){PLAIN, 0, 0100644, UINT32_MAX, 0}, NX_ERR_BAD_FORMAT);
    load_expect((struct handmade_inode){PLAIN, 0, 0100644, 0, UINT32_MAX}, NX_OK);
    // nid 16 begins a block: 480 bytes are left after the inode.
    load_expect((struct handmade_inode){INLINE, 0, 0100644, 480, UINT32_MAX}, NX_OK);
    load_expect((struct handmade_inode){INLINE, 0, 0100644, 481, UINT32_MAX}, NX_ERR_BAD_FORMAT);
    load_expect((struct handmade_inode){INLINE, 0, 0100644, 512 + 480, end - 1}, NX_OK);
    load_expect((struct handmade_inode){INLINE, 0, 0100644, 512 + 480, end}, NX_ERR_BAD_FORMAT);
    load_expect((struct handmade_inode){INLINE, 0xffff, 0100644, 1, 0}, NX_ERR_BAD_FORMAT);
    load_expect((struct handmade_inode){CHUNKED, 0, 0100644, UINT32_MAX, 0}, NX_ERR_BAD_FORMAT);
}

static void test_unknown_inode_forms_are_refused(void **state)
{
    (void)state;
    for (unsigned int layout = 5; layout <= 7; layout++) {
        load_expect((struct handmade_inode){layout, 0, 0100644, 1, 0}, NX_ERR_UNSUPPORTED);
    }
    load_expect((struct handmade_inode){8, 0, 0100644, 1, 0}, NX_ERR_UNSUPPORTED);
    load_expect((struct handmade_inode){CHUNKED, 0, 0100644, 1, 0x40}, NX_ERR_UNSUPPORTED);
    load_expect((struct handmade_inode){PLAIN, 0, 0000644, 1, 0}, NX_ERR_BAD_FORMAT);
    load_expect((struct handmade_inode){PLAIN, 0, 0020644, 1, UINT32_MAX}, NX_OK); // a device
}

static void test_extended_inode_is_decoded_in_full(void **state)
{
    (void)state;
    struct handmade image = handmade_make(9);
    size_t at = handmade_inode_offset(HELLO_NID);
    struct opened opened;
    struct erofs_inode inode;

    memset(image.bytes + at, 0, 64);
    handmade_put(&image, at, 2, 1 | (CHUNKED << 1));
    handmade_put(&image, at + 4, 2, 0100600);
    handmade_put(&image, at + 8, 8, UINT64_C(0x123456789a));
    handmade_put(&image, at + 16, 2, 31); // chunks of 2^40 bytes
    handmade_put(&image, at + 24, 4, 70001);
    handmade_put(&image, at + 28, 4, 70002);
    handmade_put(&image, at + 32, 8, UINT64_C(0x1122334455));
    handmade_put(&image, at + 40, 4, 999999999);
    handmade_put(&image, at + 44, 4, 70003);
    assert_int_equal(image_open(&opened, &image), NX_OK);
    assert_int_equal(erofs_inode_load(&opened.fs, HELLO_NID, &inode), NX_OK);
    assert_int_equal(inode.size, UINT64_C(0x123456789a));
    assert_int_equal(inode.uid, 70001);
    assert_int_equal(inode.gid, 70002);
    assert_int_equal(inode.mtime, UINT64_C(0x1122334455));
    assert_int_equal(inode.mtime_nsec, 999999999);
    assert_int_equal(inode.nlink, 70003);

    handmade_put(&image, at + 8, 8, UINT64_C(1) << 63);
    assert_int_equal(erofs_inode_load(&opened.fs, HELLO_NID, &inode), NX_ERR_BAD_FORMAT);
    handmade_free(&image);
}

static void test_inode_across_the_end_of_the_file_system_is_bad(void **state)
{
    (void)state;
    struct handmade image = handmade_make(9);
    uint64_t last_nid = (HANDMADE_DATA - HANDMADE_META) / 32 - 1;
    struct opened opened;
    struct erofs_inode inode;

    // The source goes on behind the file system: only the reader's own check says no.
    handmade_put(&image, HANDMADE_SUPER + 36, 4, HANDMADE_DATA / 512);
    handmade_put(&image, handmade_inode_offset(last_nid) + 4, 2, 0100644);
    handmade_seal(&image);
    assert_int_equal(image_open(&opened, &image), NX_OK);
    assert_int_equal(erofs_inode_load(&opened.fs, last_nid, &inode), NX_OK);
    assert_int_equal(erofs_inode_load(&opened.fs, last_nid + 1, &inode), NX_ERR_OUT_OF_RANGE);
    handmade_put(&image, handmade_inode_offset(last_nid), 2, 1);
    assert_int_equal(erofs_inode_load(&opened.fs, last_nid, &inode), NX_ERR_BAD_FORMAT);
    handmade_free(&image);
}

static void test_largest_file_is_mapped_and_one_byte_more_is_bad(void **state)
{
    (void)state;
    struct handmade image = handmade_make(12);
    size_t at = handmade_inode_offset(HELLO_NID);
    struct opened opened;
    struct erofs_inode inode;
    struct erofs_extent extent;

    // 2^20 chunks of 2^43 bytes, all holes, need a map of 4 MiB.
    image.size = 8u << 20;
    image.bytes = realloc(image.bytes, image.size);
    assert_non_null(image.bytes);
    memset(image.bytes + at, 0, 64);
    memset(image.bytes + at + 64, 0xff, image.size - at - 64);
    handmade_put(&image, HANDMADE_SUPER + 36, 4, image.size / 4096);
    handmade_put(&image, HANDMADE_SUPER + 14, 2, ROOT_NID);
    handmade_root_put(&image, (struct handmade_entry[]){{".", ROOT_NID, 2}}, 1);
    handmade_put(&image, at, 2, 1 | (CHUNKED << 1));
    handmade_put(&image, at + 4, 2, 0100600);
    handmade_put(&image, at + 16, 2, 31);
    handmade_seal(&image);
    assert_int_equal(image_open(&opened, &image), NX_OK);

    handmade_put(&image, at + 8, 8, INT64_MAX);
    assert_int_equal(erofs_inode_load(&opened.fs, HELLO_NID, &inode), NX_OK);
    assert_int_equal(erofs_map(&opened.fs, &inode, INT64_MAX - 1, &extent), NX_OK);
    assert_int_equal(extent.kind, EROFS_EXTENT_HOLE);
    assert_int_equal(extent.length, 1);
    handmade_put(&image, at + 8, 8, UINT64_C(1) << 63);
    assert_int_equal(erofs_inode_load(&opened.fs, HELLO_NID, &inode), NX_ERR_BAD_FORMAT);
    handmade_free(&image);
}

static void test_chunk_map_is_aligned_after_extended_attributes(void **state)
{
    (void)state;
    for (unsigned int entry_size = 4; entry_size <= 8; entry_size += 4) {
        struct handmade image = handmade_make(9);
        // 12 bytes of attributes: a map of 8-byte entries starts 4 bytes later.
        size_t map = handmade_inode_offset(HELLO_NID) + 32 + (entry_size == 8 ? 16 : 12);
        struct opened opened;
        struct erofs_inode inode;
        struct erofs_extent extent;

        handmade_inode_put(
            &image, HELLO_NID,
            (struct handmade_inode){CHUNKED, 1, 0100644, 5, entry_size == 8 ? 0x20 : 0});
        handmade_put(&image, map, entry_size, 0);
        handmade_put(&image, map + entry_size - 4, 4, HANDMADE_DATA / 512);
        assert_int_equal(image_open(&opened, &image), NX_OK);
        assert_int_equal(resolve(&opened, "hello", &inode), NX_OK);
        assert_int_equal(erofs_map(&opened.fs, &inode, 0, &extent), NX_OK);
        assert_int_equal(extent.image_offset, HANDMADE_DATA);
        handmade_free(&image);
    }
}

// A file of five 512-byte chunks and a bit: hole, hole, data, data right after it, hole, data
// elsewhere. Both forms of the chunk map say the same.
static struct handmade chunked_make(unsigned int entry_size)
{
    static const int data_block[] = {-1, -1, 0, 1, -1, 9};
    struct handmade image = handmade_make(9);
    size_t map = handmade_inode_offset(HELLO_NID) + 32;

    handmade_inode_put(&image, HELLO_NID,
                       (struct handmade_inode){.layout = CHUNKED,
                                               .mode = 0100644,
                                               .size = 5 * 512 + 100,
                                               .i_u = entry_size == 8 ? 0x20 : 0});
    memset(image.bytes + map, 0, 6 * 8);
    for (size_t i = 0; i < 6; i++) {
        uint64_t address =
            data_block[i] < 0 ? UINT32_MAX : HANDMADE_DATA / 512 + (unsigned int)data_block[i];
        handmade_put(&image, map + i * entry_size + (entry_size == 8 ? 4 : 0), 4, address);
    }
    for (size_t i = 0; i < 512 * 10; i++) {
        image.bytes[HANDMADE_DATA + i] = (uint8_t)(1 + i / 512);
    }
    return image;
}

static void test_holes_and_neighbouring_chunks_become_whole_extents(void **state)
{
    (void)state;
    static const struct erofs_extent expected[] = {
        {EROFS_EXTENT_HOLE, 0, 1024},
        {EROFS_EXTENT_DEVICE, HANDMADE_DATA, 1024},
        {EROFS_EXTENT_HOLE, 0, 512},
        {EROFS_EXTENT_DEVICE, HANDMADE_DATA + 9 * 512, 100},
    };
    for (unsigned int entry_size = 4; entry_size <= 8; entry_size += 4) {
        struct handmade image = chunked_make(entry_size);
        struct opened opened;
        struct erofs_inode inode;
        struct erofs_extent extent;
        uint64_t offset = 0;

        assert_int_equal(image_open(&opened, &image), NX_OK);
        assert_int_equal(resolve(&opened, "hello", &inode), NX_OK);
        for (size_t i = 0; i < 4; i++) {
            assert_int_equal(erofs_map(&opened.fs, &inode, offset, &extent), NX_OK);
            assert_int_equal(extent.kind, expected[i].kind);
            assert_int_equal(extent.image_offset, expected[i].image_offset);
            assert_int_equal(extent.length, expected[i].length);
            offset += extent.length;
        }
        assert_int_equal(offset, inode.size);
        // From inside a run the rest of the run is seen.
        assert_int_equal(erofs_map(&opened.fs, &inode, 1024 + 700, &extent), NX_OK);
        assert_int_equal(extent.image_offset, HANDMADE_DATA + 700);
        assert_int_equal(extent.length, 1024 - 700);
        handmade_free(&image);
    }
}

static void test_holes_read_as_zeros(void **state)
{
    (void)state;
    struct handmade image = chunked_make(8);
    struct opened opened;
    struct erofs_inode inode;
    uint8_t bytes[4096];
    size_t got;

    memset(bytes, 0xee, sizeof(bytes));
    assert_int_equal(image_open(&opened, &image), NX_OK);
    assert_int_equal(resolve(&opened, "hello", &inode), NX_OK);
    assert_int_equal(erofs_read(&opened.fs, &inode, 0, bytes, sizeof(bytes), &got), NX_OK);
    assert_int_equal(got, 5 * 512 + 100);
    for (size_t i = 0; i < got; i++) {
        static const uint8_t expected[] = {0, 0, 1, 2, 0, 10};
        assert_int_equal(bytes[i], expected[i / 512]);
    }
    assert_int_equal(bytes[got], 0xee);
    handmade_free(&image);
}

static void test_chunks_elsewhere_are_refused(void **state)
{
    (void)state;
    struct handmade image = chunked_make(8);
    size_t map = handmade_inode_offset(HELLO_NID) + 32;
    struct opened opened;
    struct erofs_inode inode;
    struct erofs_extent extent;

    assert_int_equal(image_open(&opened, &image), NX_OK);
    assert_int_equal(resolve(&opened, "hello", &inode), NX_OK);
    handmade_put(&image, map + 5 * 8 + 4, 4, HANDMADE_SIZE / 512 - 1);
    assert_int_equal(erofs_map(&opened.fs, &inode, 5 * 512, &extent), NX_OK);
    handmade_put(&image, map + 5 * 8 + 4, 4, HANDMADE_SIZE / 512);
    assert_int_equal(erofs_map(&opened.fs, &inode, 5 * 512, &extent), NX_ERR_BAD_FORMAT);
    handmade_put(&image, map + 5 * 8 + 4, 4, UINT32_MAX - 1);
    assert_int_equal(erofs_map(&opened.fs, &inode, 5 * 512, &extent), NX_ERR_BAD_FORMAT);
    handmade_put(&image, map + 2, 2, 1); // a hole's device means nothing
    assert_int_equal(erofs_map(&opened.fs, &inode, 0, &extent), NX_OK);
    handmade_put(&image, map + 2 * 8 + 2, 2, 1);
    assert_int_equal(erofs_map(&opened.fs, &inode, 2 * 512, &extent), NX_ERR_UNSUPPORTED);
    handmade_free(&image);
}

static void test_name_of_255_bytes_is_listed_and_found(void **state)
{
    (void)state;
    char name[256];
    memset(name, 'n', 255);
    name[255] = '\0';
    const struct handmade_entry entries[] = {{".", ROOT_NID, 2}, {name, HELLO_NID, 1}};

    // Last in a full block, so that its end is the block's end; then padded with zeros.
    for (unsigned int padding = 0; padding < 2; padding++) {
        struct handmade image = handmade_make(12);
        struct opened opened;
        struct erofs_inode inode;

        handmade_root_put(&image, entries, 2);
        handmade_put(&image, handmade_inode_offset(ROOT_NID) + 8, 4, 24 + 1 + 255 + padding * 100);
        assert_int_equal(image_open(&opened, &image), NX_OK);
        assert_int_equal(resolve(&opened, name, &inode), NX_OK);
        assert_int_equal(inode.nid, HELLO_NID);
        handmade_free(&image);
    }
}

static void test_name_of_256_bytes_is_bad(void **state)
{
    (void)state;
    char name[257];
    memset(name, 'n', 256);
    name[256] = '\0';
    const struct handmade_entry entries[] = {{name, HELLO_NID, 1}};
    struct handmade image = handmade_make(12);
    struct opened opened;
    struct erofs_inode root;
    struct erofs_entry entry;
    uint64_t cookie = 0;

    handmade_root_put(&image, entries, 1);
    assert_int_equal(image_open(&opened, &image), NX_OK);
    assert_int_equal(resolve(&opened, "", &root), NX_OK);
    assert_int_equal(erofs_directory_next(&opened.fs, &root, &cookie, &entry), NX_ERR_BAD_FORMAT);
    assert_int_equal(cookie, 0);
    handmade_free(&image);
}

static void test_damaged_directory_entries_are_bad(void **state)
{
    (void)state;
    static const struct handmade_entry entries[] = {
        {".", ROOT_NID, 2}, {"..", ROOT_NID, 2}, {"aaaa", HELLO_NID, 1}, {"bbbb", HELLO_NID, 1}};
    static const struct {
        unsigned int offset; // in the directory block
        unsigned int width;
        uint64_t value;
    } damages[] = {
        {8, 2, 0},           // no dirents
        {8, 2, 47},          // not a multiple of a dirent
        {8, 2, 12 * 300},    // more dirents than the directory has bytes
        {8, 2, 60},          // one dirent more than there are
        {24 + 8, 2, 0},      // a name among the dirents
        {24 + 8, 2, 55},     // a name that ends where it begins
        {24 + 8, 2, 0xffff}, // a name outside the block
        {36 + 8, 2, 0xffff}, // the last one too
        {24 + 10, 1, 8},     // a type that does not exist
        {51, 1, '/'},        // a slash in a name
        {52, 1, 0},          // a zero inside a name
        {55, 1, 0},          // an empty last name
    };
    for (size_t i = 0; i < sizeof(damages) / sizeof(damages[0]); i++) {
        struct handmade image = handmade_make(12);
        struct opened opened;
        struct erofs_inode root;
        struct erofs_entry entry;
        unsigned int bad = 0;

        size_t block = handmade_root_put(&image, entries, 4);
        handmade_put(&image, block + damages[i].offset, damages[i].width, damages[i].value);
        assert_int_equal(image_open(&opened, &image), NX_OK);
        assert_int_equal(resolve(&opened, "", &root), NX_OK);
        for (uint64_t place = 0; place < 48; place += 12) {
            uint64_t cookie = place;
            switch (erofs_directory_next(&opened.fs, &root, &cookie, &entry)) {
            case NX_OK:
                break;
            case NX_ERR_BAD_FORMAT:
                bad++;
                break;
            default:
                fail_msg("damage %zu: entry at %u", i, (unsigned int)place);
            }
        }
        assert_int_not_equal(bad, 0);
        handmade_free(&image);
    }
}

static void test_entry_that_lies_about_its_inode_is_bad(void **state)
{
    (void)state;
    static const struct {
        struct handmade_entry entry;
        enum nx_status status;
    } cases[] = {
        {{"x", HELLO_NID, 1}, NX_OK},
        {{"x", HELLO_NID, 0}, NX_OK}, // type not said
        {{"x", HELLO_NID, 2}, NX_ERR_BAD_FORMAT},
        {{"x", HELLO_NID, 7}, NX_ERR_BAD_FORMAT},
        {{"x", HANDMADE_SIZE, 1}, NX_ERR_BAD_FORMAT},
        {{"x", UINT64_MAX, 1}, NX_ERR_BAD_FORMAT},
        {{"x", UINT64_C(1) << 59, 1}, NX_ERR_BAD_FORMAT}, // times 32 is 0
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct handmade image = handmade_make(9);
        struct opened opened;
        struct erofs_inode inode;

        handmade_root_put(&image, &cases[i].entry, 1);
        assert_int_equal(image_open(&opened, &image), NX_OK);
        assert_int_equal(resolve(&opened, "x", &inode), cases[i].status);
        handmade_free(&image);
    }
}

static void test_root_stays_its_own_parent_whatever_the_image_says(void **state)
{
    (void)state;
    static const struct handmade_entry entries[] = {
        {".", HELLO_NID, 1}, {"..", HELLO_NID, 1}, {"hello", HELLO_NID, 1}};
    struct handmade image = handmade_make(9);
    struct opened opened;
    struct erofs_inode inode;

    handmade_root_put(&image, entries, 3);
    assert_int_equal(image_open(&opened, &image), NX_OK);
    assert_int_equal(resolve(&opened, "../.././..", &inode), NX_OK);
    assert_int_equal(inode.nid, ROOT_NID);
    assert_int_equal(resolve(&opened, "../hello", &inode), NX_OK);
    assert_int_equal(inode.nid, HELLO_NID);
    handmade_free(&image);
}

static void test_damaged_links_are_refused(void **state)
{
    (void)state;
    static const struct handmade_entry entries[] = {{"x", HELLO_NID, 7}};
    static const struct {
        uint32_t size;
        enum nx_status status;
    } cases[] = {
        {0, NX_ERR_BAD_FORMAT},    {4, NX_ERR_BAD_FORMAT}, // the data area is all zeros
        {1024, NX_ERR_BAD_FORMAT}, {1025, NX_ERR_NAME_TOO_LONG}, {30000, NX_ERR_NAME_TOO_LONG},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct handmade image = handmade_make(9);
        struct opened opened;
        struct erofs_inode inode;

        handmade_root_put(&image, entries, 1);
        handmade_inode_put(
            &image, HELLO_NID,
            (struct handmade_inode){PLAIN, 0, 0120777, cases[i].size, HANDMADE_DATA / 512});
        assert_int_equal(image_open(&opened, &image), NX_OK);
        assert_int_equal(resolve(&opened, "x", &inode), cases[i].status);
        handmade_free(&image);
    }
}

static void test_links_that_only_grow_end_at_the_path_limit(void **state)
{
    (void)state;
    static const struct handmade_entry entries[] = {{"x", HELLO_NID, 7}};
    struct handmade image = handmade_make(9);
    struct opened opened;
    struct erofs_inode inode;

    handmade_root_put(&image, entries, 1);
    handmade_inode_put(&image, HELLO_NID,
                       (struct handmade_inode){PLAIN, 0, 0120777, 300, HANDMADE_DATA / 512});
    memset(image.bytes + HANDMADE_DATA, 'y', 300);
    memcpy(image.bytes + HANDMADE_DATA, "x/", 2);
    assert_int_equal(image_open(&opened, &image), NX_OK);
    assert_int_equal(resolve(&opened, "x", &inode), NX_ERR_NAME_TOO_LONG);
    handmade_free(&image);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_block_size_from_512_to_4096_is_read),
        cmocka_unit_test(test_damaged_superblocks_are_refused_by_name),
        cmocka_unit_test(test_every_unknown_incompatible_feature_is_refused),
        cmocka_unit_test(test_checksum_covers_the_rest_of_its_block),
        cmocka_unit_test(test_images_that_end_early_are_truncated),
        cmocka_unit_test(test_refusals_have_distinct_names),
        cmocka_unit_test(test_extended_attributes_are_skipped),
        cmocka_unit_test(test_inodes_whose_data_leaves_the_image_are_bad),
        cmocka_unit_test(test_unknown_inode_forms_are_refused),
        cmocka_unit_test(test_extended_inode_is_decoded_in_full),
        cmocka_unit_test(test_inode_across_the_end_of_the_file_system_is_bad),
        cmocka_unit_test(test_largest_file_is_mapped_and_one_byte_more_is_bad),
        cmocka_unit_test(test_chunk_map_is_aligned_after_extended_attributes),
        cmocka_unit_test(test_holes_and_neighbouring_chunks_become_whole_extents),
        cmocka_unit_test(test_holes_read_as_zeros),
        cmocka_unit_test(test_chunks_elsewhere_are_refused),
        cmocka_unit_test(test_name_of_255_bytes_is_listed_and_found),
        cmocka_unit_test(test_name_of_256_bytes_is_bad),
        cmocka_unit_test(test_damaged_directory_entries_are_bad),
        cmocka_unit_test(test_entry_that_lies_about_its_inode_is_bad),
        cmocka_unit_test(test_root_stays_its_own_parent_whatever_the_image_says),
        cmocka_unit_test(test_damaged_links_are_refused),
        cmocka_unit_test(test_links_that_only_grow_end_at_the_path_limit),
    };
    return cmocka_run_group_tests_name("erofs format", tests, NULL, NULL);
}
