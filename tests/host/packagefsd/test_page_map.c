// SPDX-License-Identifier: Apache-2.0
// The page map against an array of booleans, and at the edges of its words.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "packagefsd/page_map.h"

#define PAGES 300u // four words and a part

static uint64_t bits[PAGE_MAP_WORDS(PAGES)];
static struct page_map map;

static int prepare(void **state)
{
    (void)state;
    memset(bits, 0, sizeof(bits));
    page_map_init(&map, bits, PAGES);
    return 0;
}

static void assert_missing(uint64_t first, uint64_t end, uint64_t run_first, uint64_t run_end)
{
    struct page_run run;
    assert_true(page_map_missing(&map, first, end, &run));
    assert_int_equal(run.first, run_first);
    assert_int_equal(run.end, run_end);
}

static void test_a_fresh_map_misses_everything_asked_for(void **state)
{
    (void)state;
    assert_missing(0, PAGES, 0, PAGES);
    assert_missing(63, 65, 63, 65);
    assert_missing(299, 300, 299, 300);
}

static void test_an_empty_range_misses_nothing(void **state)
{
    (void)state;
    struct page_run run;
    assert_false(page_map_missing(&map, 64, 64, &run));
    assert_false(page_map_missing(&map, PAGES, PAGES, &run));
}

static void test_the_valid_prefix_ends_at_the_first_gap(void **state)
{
    (void)state;
    assert_int_equal(page_map_valid_prefix(&map), 0);
    page_map_set(&map, 1, PAGES);
    assert_int_equal(page_map_valid_prefix(&map), 0);
    (void)prepare(NULL);
    page_map_set(&map, 0, 130);
    page_map_set(&map, 131, PAGES);
    assert_int_equal(page_map_valid_prefix(&map), 130);
    page_map_set(&map, 130, 131);
    assert_int_equal(page_map_valid_prefix(&map), PAGES);
}

static void test_missing_runs_stop_at_valid_pages_and_at_the_end_asked_for(void **state)
{
    (void)state;
    page_map_set(&map, 60, 70);
    assert_missing(0, PAGES, 0, 60);
    assert_missing(0, 20, 0, 20);
    assert_missing(60, 100, 70, 100);
    assert_missing(65, PAGES, 70, PAGES);
    struct page_run run;
    assert_false(page_map_missing(&map, 60, 70, &run));
    assert_false(page_map_missing(&map, 64, 65, &run));
}

static void test_setting_twice_counts_once(void **state)
{
    (void)state;
    page_map_set(&map, 10, 140);
    assert_int_equal(map.valid, 130);
    page_map_set(&map, 10, 140);
    page_map_set(&map, 0, 11);
    assert_int_equal(map.valid, 140);
    page_map_set(&map, 0, PAGES);
    assert_int_equal(map.valid, PAGES);
}

static void test_whole_words_are_set(void **state)
{
    (void)state;
    page_map_set(&map, 64, 192);
    assert_int_equal(bits[0], 0);
    assert_int_equal(bits[1], UINT64_MAX);
    assert_int_equal(bits[2], UINT64_MAX);
    assert_int_equal(bits[3], 0);
}

// A generator with a fixed seed: xorshift.
static uint64_t random_next(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed;
}

static void model_check(const bool *model)
{
    uint64_t count = 0;
    for (uint64_t first = 0; first < PAGES; first++) {
        uint64_t start = first;
        uint64_t end;
        struct page_run run;
        count += model[first];
        while (start < PAGES && model[start]) {
            start++;
        }
        for (end = start; end < PAGES && !model[end]; end++) {
            continue;
        }
        assert_int_equal(page_map_missing(&map, first, PAGES, &run), start < PAGES);
        assert_int_equal(run.first, start);
        assert_int_equal(run.end, end);
    }
    assert_int_equal(map.valid, count);
}

static void test_any_sequence_of_sets_and_clears_agrees_with_an_array(void **state)
{
    (void)state;
    uint64_t seed = 0x9e3779b97f4a7c15u;
    for (uint32_t round = 0; round < 50; round++) {
        bool model[PAGES] = {false};
        prepare(NULL);
        for (uint32_t step = 0; step < 12; step++) {
            uint64_t first = random_next(&seed) % PAGES;
            uint64_t end = first + random_next(&seed) % (step % 2 != 0 ? 4 : 100);
            end = end < PAGES ? end : PAGES;
            bool value = step % 3 != 2;
            bool any = false;
            for (uint64_t page = first; page < end; page++) {
                any = any || model[page];
                model[page] = value;
            }
            assert_int_equal(page_map_any(&map, first, end), any);
            (value ? page_map_set : page_map_clear)(&map, first, end);
            model_check(model);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_a_fresh_map_misses_everything_asked_for, prepare),
        cmocka_unit_test_setup(test_an_empty_range_misses_nothing, prepare),
        cmocka_unit_test_setup(test_the_valid_prefix_ends_at_the_first_gap, prepare),
        cmocka_unit_test_setup(test_missing_runs_stop_at_valid_pages_and_at_the_end_asked_for,
                               prepare),
        cmocka_unit_test_setup(test_setting_twice_counts_once, prepare),
        cmocka_unit_test_setup(test_whole_words_are_set, prepare),
        cmocka_unit_test(test_any_sequence_of_sets_and_clears_agrees_with_an_array),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
