// SPDX-License-Identifier: Apache-2.0
// The block cache over an image whose byte at `n` is known, with a disk that can fail.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "packagefsd/block_cache.h"

#define LINE       BLOCK_CACHE_LINE_BYTES
#define BLOCK      BLOCK_CACHE_BLOCK_BYTES
#define IMAGE_SIZE (LINE * 100 + 3 * BLOCK + 512) // ends inside a block

static uint8_t memory[BLOCK_CACHE_BYTES];
static struct block_cache cache;

static struct disk {
    uint64_t fills;
    uint64_t bad_block;   // no range with this block can be read
    uint64_t wrong_block; // this one arrives changed
    uint64_t checks;
    bool dead;
} disk;

static uint8_t image_byte(uint64_t offset)
{
    return (uint8_t)(offset ^ (offset >> 8) * 31 ^ (offset >> 15) * 7);
}

static enum nx_status disk_fill(void *context, uint64_t offset, uint64_t length, uint8_t *place)
{
    struct disk *self = context;
    self->fills++;
    assert_int_equal(offset % BLOCK, 0);
    assert_int_equal(offset / LINE, (offset + length - 1) / LINE);
    assert_true(offset + length <= IMAGE_SIZE);
    assert_true((offset + length) % BLOCK == 0 || offset + length == IMAGE_SIZE);
    assert_true(place >= memory && place + length <= memory + sizeof(memory));
    bool holds_bad = offset <= self->bad_block * BLOCK && self->bad_block * BLOCK < offset + length;
    for (uint64_t i = 0; i < length; i++) { // a failed transfer may have written anything
        bool wrong = (offset + i) / BLOCK == self->wrong_block;
        place[i] = holds_bad || self->dead || wrong ? 0xee : image_byte(offset + i);
    }
    return holds_bad || self->dead ? NX_ERR_IO : NX_OK;
}

static enum nx_status block_check(void *context, uint64_t offset, uint64_t length,
                                  const uint8_t *block)
{
    struct disk *self = context;
    self->checks++;
    assert_int_equal(offset % BLOCK, 0);
    assert_true(length == BLOCK || offset + length == IMAGE_SIZE);
    for (uint64_t i = 0; i < length; i++) {
        if (block[i] != image_byte(offset + i)) {
            return NX_ERR_HASH;
        }
    }
    return NX_OK;
}

static int prepare(void **state)
{
    (void)state;
    memset(memory, 0xcc, sizeof(memory));
    disk = (struct disk){.bad_block = UINT64_MAX / BLOCK, .wrong_block = UINT64_MAX / BLOCK};
    block_cache_init(&cache, memory, IMAGE_SIZE, disk_fill, block_check, &disk);
    return 0;
}

static void assert_reads(uint64_t offset, size_t length)
{
    static uint8_t buffer[LINE * 3];
    assert_true(length <= sizeof(buffer));
    assert_int_equal(block_cache_read(&cache, offset, buffer, length), NX_OK);
    for (size_t i = 0; i < length; i++) {
        assert_int_equal(buffer[i], image_byte(offset + i));
    }
}

static enum nx_status read_status(uint64_t offset, size_t length)
{
    static uint8_t buffer[LINE];
    return block_cache_read(&cache, offset, buffer, length);
}

static void test_neighbours_come_with_one_request(void **state)
{
    (void)state;
    assert_reads(1024, 128);
    assert_reads(LINE - 1, 1);
    assert_reads(0, LINE);
    assert_int_equal(disk.fills, 1);
    assert_int_equal(cache.misses, 1);
    assert_int_equal(cache.hits, 2);
}

static void test_a_read_may_span_lines(void **state)
{
    (void)state;
    assert_reads(LINE - 100, 2 * LINE + 200);
    assert_int_equal(disk.fills, 4);
}

static void test_the_image_may_end_inside_a_block(void **state)
{
    (void)state;
    assert_reads(IMAGE_SIZE - 700, 700);
    assert_int_equal(disk.fills, 1);
}

static void test_reads_past_the_end_are_refused(void **state)
{
    (void)state;
    assert_int_equal(read_status(IMAGE_SIZE - 1, 2), NX_ERR_OUT_OF_RANGE);
    assert_int_equal(read_status(IMAGE_SIZE + 1, 0), NX_ERR_OUT_OF_RANGE);
    assert_int_equal(read_status(UINT64_MAX, 2), NX_ERR_OUT_OF_RANGE);
    assert_int_equal(disk.fills, 0);
}

static void test_the_line_used_longest_ago_makes_room(void **state)
{
    (void)state;
    for (uint64_t line = 0; line < BLOCK_CACHE_LINES; line++) {
        assert_reads(line * LINE, 1);
    }
    assert_reads(0, 1); // line 0 is the newest again, line 1 the oldest
    assert_reads(BLOCK_CACHE_LINES * LINE, 1);
    uint64_t fills = disk.fills;
    assert_reads(5, 1);
    assert_reads(2 * LINE, 1);
    assert_int_equal(disk.fills, fills);
    assert_reads(LINE, 1);
    assert_int_equal(disk.fills, fills + 1);
}

static void test_a_bad_block_takes_no_neighbour_with_it(void **state)
{
    (void)state;
    disk.bad_block = 3;
    assert_int_equal(read_status(3 * BLOCK + 10, 1), NX_ERR_IO);
    assert_reads(2 * BLOCK, BLOCK);
    assert_reads(4 * BLOCK, 2 * BLOCK);
    assert_int_equal(read_status(2 * BLOCK, 2 * BLOCK), NX_ERR_IO);
    assert_reads(2 * BLOCK, BLOCK); // not overwritten by the attempts since
    assert_reads(LINE, LINE);
}

static void test_a_failed_read_is_tried_again(void **state)
{
    (void)state;
    disk.dead = true;
    assert_int_equal(read_status(100, 1), NX_ERR_IO);
    assert_int_equal(read_status(100, 1), NX_ERR_IO);
    disk.dead = false;
    assert_reads(100, 1);
    assert_reads(0, LINE);
}

static void test_a_line_that_lost_its_place_does_not_answer_for_it(void **state)
{
    (void)state;
    assert_reads(0, LINE);
    disk.dead = true;
    for (uint64_t line = 1; line <= BLOCK_CACHE_LINES; line++) {
        assert_int_equal(read_status(line * LINE, 1), NX_ERR_IO);
    }
    assert_int_equal(read_status(0, 1), NX_ERR_IO);
    disk.dead = false;
    assert_reads(0, LINE);
}

static void test_a_block_is_checked_once_and_when_it_is_wanted(void **state)
{
    (void)state;
    assert_reads(2 * BLOCK + 5, 1);
    assert_int_equal(disk.checks, 1); // its seven neighbours have arrived, unchecked
    assert_reads(2 * BLOCK, BLOCK);
    assert_int_equal(disk.checks, 1);
    assert_reads(0, LINE);
    assert_int_equal(disk.checks, BLOCK_CACHE_LINE_BLOCKS);
    assert_int_equal(disk.fills, 1);
}

static void test_a_changed_block_is_refused_and_fetched_again(void **state)
{
    (void)state;
    disk.wrong_block = 3;
    assert_int_equal(read_status(3 * BLOCK, 1), NX_ERR_HASH);
    assert_reads(2 * BLOCK, BLOCK); // its neighbours are good
    assert_reads(4 * BLOCK, BLOCK);
    assert_int_equal(read_status(2 * BLOCK, 3 * BLOCK), NX_ERR_HASH);
    uint64_t fills = disk.fills;
    disk.wrong_block = UINT64_MAX / BLOCK;
    assert_reads(3 * BLOCK, BLOCK);
    assert_int_equal(disk.fills, fills + 1);
}

static void test_any_sequence_of_reads_returns_the_image(void **state)
{
    (void)state;
    uint64_t seed = 0x2545f4914f6cdd1du;
    for (uint32_t step = 0; step < 3000; step++) {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        uint64_t offset = seed % IMAGE_SIZE;
        uint64_t length = (seed >> 40) % 6000;
        length = length <= IMAGE_SIZE - offset ? length : IMAGE_SIZE - offset;
        disk.bad_block = seed % 7 == 0 ? offset / BLOCK : UINT64_MAX / BLOCK;
        enum nx_status status = read_status(offset, (size_t)length);
        assert_true(status == NX_OK || status == NX_ERR_IO);
        disk.bad_block = UINT64_MAX / BLOCK;
        assert_reads(offset, (size_t)length);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_neighbours_come_with_one_request, prepare),
        cmocka_unit_test_setup(test_a_read_may_span_lines, prepare),
        cmocka_unit_test_setup(test_the_image_may_end_inside_a_block, prepare),
        cmocka_unit_test_setup(test_reads_past_the_end_are_refused, prepare),
        cmocka_unit_test_setup(test_the_line_used_longest_ago_makes_room, prepare),
        cmocka_unit_test_setup(test_a_bad_block_takes_no_neighbour_with_it, prepare),
        cmocka_unit_test_setup(test_a_block_is_checked_once_and_when_it_is_wanted, prepare),
        cmocka_unit_test_setup(test_a_changed_block_is_refused_and_fetched_again, prepare),
        cmocka_unit_test_setup(test_a_failed_read_is_tried_again, prepare),
        cmocka_unit_test_setup(test_a_line_that_lost_its_place_does_not_answer_for_it, prepare),
        cmocka_unit_test_setup(test_any_sequence_of_reads_returns_the_image, prepare),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
