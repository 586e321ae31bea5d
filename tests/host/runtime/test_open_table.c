// SPDX-License-Identifier: Apache-2.0
// The table of open files: sharing by path, and what stays after the last close.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "nexus/src/open_table.h"

#define FILES 64u

static struct open_table table;
static struct open_entry files[FILES];
static char names[FILES][16];

static int prepare(void **state)
{
    (void)state;
    table = (struct open_table){0};
    for (uint32_t i = 0; i < FILES; i++) {
        (void)snprintf(names[i], sizeof(names[i]), "dir/file-%u", i);
        files[i] = (struct open_entry){.path = open_path_of(names[i]), .weight = 4096};
    }
    return 0;
}

static struct open_entry *take(const char *text)
{
    struct open_path path = open_path_of(text);
    return open_table_take(&table, &path);
}

// Opens and closes; nothing goes.
static void visit(uint32_t file)
{
    open_table_add(&table, &files[file]);
    open_table_give(&table, &files[file]);
    assert_null(open_table_excess(&table));
}

static void test_a_path_that_is_open_is_shared(void **state)
{
    (void)state;
    open_table_add(&table, &files[1]);
    assert_ptr_equal(take("dir/file-1"), &files[1]);
    assert_int_equal(files[1].references, 2);
    assert_null(take("dir/file-2"));
    assert_null(take("dir/file-"));
    assert_null(take("dir/file-11"));
    assert_null(take(""));
}

static void test_an_open_file_never_goes(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < FILES; i++) {
        open_table_add(&table, &files[i]);
    }
    (void)take(names[0]);
    open_table_give(&table, &files[0]); // one of two references
    assert_null(open_table_excess(&table));
    assert_null(open_table_evict(&table));
}

static void test_a_closed_file_is_there_for_the_next_open(void **state)
{
    (void)state;
    visit(3);
    assert_ptr_equal(take(names[3]), &files[3]);
    assert_int_equal(files[3].references, 1);
    assert_int_equal(table.idle_count, 0);
    assert_int_equal(table.idle_weight, 0);
}

static void test_the_file_closed_longest_ago_goes_first(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < OPEN_TABLE_IDLE_MAX; i++) {
        visit(i);
    }
    assert_ptr_equal(take(names[0]), &files[0]);
    open_table_give(&table, &files[0]); // now the newest
    open_table_add(&table, &files[20]);
    open_table_give(&table, &files[20]);
    assert_ptr_equal(open_table_excess(&table), &files[1]);
    assert_null(open_table_excess(&table));
    assert_null(take(names[1]));
    assert_ptr_equal(take(names[0]), &files[0]);
}

static void test_weight_is_bounded_too(void **state)
{
    (void)state;
    files[0].weight = OPEN_TABLE_IDLE_WEIGHT / 2;
    files[1].weight = OPEN_TABLE_IDLE_WEIGHT / 2;
    visit(0);
    visit(1);
    open_table_add(&table, &files[2]);
    open_table_give(&table, &files[2]);
    assert_ptr_equal(open_table_excess(&table), &files[0]);
    assert_null(open_table_excess(&table));
}

static void test_a_file_too_heavy_to_stay_pushes_no_other_out(void **state)
{
    (void)state;
    visit(0);
    visit(1);
    files[2].weight = OPEN_TABLE_IDLE_WEIGHT + 1;
    open_table_add(&table, &files[2]);
    open_table_give(&table, &files[2]);
    assert_ptr_equal(open_table_excess(&table), &files[2]);
    assert_null(open_table_excess(&table));
    assert_int_equal(table.idle_count, 2);
}

static void test_evicting_empties_the_table(void **state)
{
    (void)state;
    visit(4);
    visit(5);
    assert_ptr_equal(open_table_evict(&table), &files[4]);
    assert_ptr_equal(open_table_evict(&table), &files[5]);
    assert_null(open_table_evict(&table));
    assert_null(table.idle_newest);
    assert_null(table.idle_oldest);
    for (uint32_t i = 0; i < OPEN_TABLE_BUCKETS; i++) {
        assert_null(table.buckets[i]);
    }
}

// Against a plain model: which files are open or idle, and in what order they were closed.
static void test_a_long_run_agrees_with_a_model(void **state)
{
    (void)state;
    uint32_t closed_at[FILES] = {0}; // 0: not in the table
    uint32_t opened[FILES] = {0};
    uint32_t random = 1;

    for (uint32_t step = 1; step < 20000; step++) {
        random = random * 1103515245u + 12345u;
        uint32_t file = (random >> 16) % FILES;
        if (opened[file] > 0 && (random >> 8) % 3 != 0) {
            open_table_give(&table, &files[file]);
            opened[file]--;
            closed_at[file] = opened[file] == 0 ? step : 0;
        } else {
            struct open_entry *entry = take(names[file]);
            assert_ptr_equal(entry, opened[file] > 0 || closed_at[file] != 0 ? &files[file] : NULL);
            if (entry == NULL) {
                open_table_add(&table, &files[file]);
            }
            opened[file]++;
            closed_at[file] = 0;
        }
        for (struct open_entry *gone; (gone = open_table_excess(&table)) != NULL;) {
            uint32_t oldest = FILES;
            for (uint32_t i = 0; i < FILES; i++) {
                if (closed_at[i] != 0 && (oldest == FILES || closed_at[i] < closed_at[oldest])) {
                    oldest = i;
                }
            }
            assert_ptr_equal(gone, &files[oldest]);
            closed_at[oldest] = 0;
        }
        assert_in_range(table.idle_count, 0, OPEN_TABLE_IDLE_MAX);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_a_path_that_is_open_is_shared, prepare),
        cmocka_unit_test_setup(test_an_open_file_never_goes, prepare),
        cmocka_unit_test_setup(test_a_closed_file_is_there_for_the_next_open, prepare),
        cmocka_unit_test_setup(test_the_file_closed_longest_ago_goes_first, prepare),
        cmocka_unit_test_setup(test_weight_is_bounded_too, prepare),
        cmocka_unit_test_setup(test_a_file_too_heavy_to_stay_pushes_no_other_out, prepare),
        cmocka_unit_test_setup(test_evicting_empties_the_table, prepare),
        cmocka_unit_test_setup(test_a_long_run_agrees_with_a_model, prepare),
    };
    return cmocka_run_group_tests_name("open table", tests, NULL, NULL);
}
