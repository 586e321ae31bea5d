// SPDX-License-Identifier: Apache-2.0
// The read-ahead window: who reads in sequence is read ahead of, further each time; nobody else is.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "packagefsd/read_ahead.h"

#define CHUNK READ_AHEAD_FIRST // what a reader fetches at a time
#define PAGES (100u * CHUNK)   // of the file

static struct read_ahead state;

static int prepare(void **unused)
{
    (void)unused;
    state = (struct read_ahead){0};
    return 0;
}

static struct page_run fetch(uint64_t first, uint64_t end)
{
    return read_ahead_note(&state, (struct page_run){first, end}, PAGES);
}

static void assert_run(struct page_run run, uint64_t first, uint64_t end)
{
    assert_int_equal(run.first, first);
    assert_int_equal(run.end, end);
}

static void assert_nothing(struct page_run run)
{
    assert_true(run.first >= run.end);
}

static void test_a_read_from_the_start_opens_the_window(void **unused)
{
    (void)unused;
    assert_run(fetch(0, CHUNK), CHUNK, CHUNK + READ_AHEAD_FIRST);
}

static void test_a_read_in_the_middle_reads_nothing_ahead(void **unused)
{
    (void)unused;
    assert_nothing(fetch(5 * CHUNK, 6 * CHUNK));
    assert_nothing(fetch(50 * CHUNK, 51 * CHUNK));
    assert_nothing(fetch(20 * CHUNK, 21 * CHUNK));
}

static void test_a_reader_that_goes_on_from_the_middle_is_sequential(void **unused)
{
    (void)unused;
    assert_nothing(fetch(5 * CHUNK, 6 * CHUNK));
    assert_run(fetch(6 * CHUNK, 7 * CHUNK), 7 * CHUNK, 8 * CHUNK);
}

static void test_a_jump_closes_the_window(void **unused)
{
    (void)unused;
    (void)fetch(0, CHUNK);
    (void)fetch(CHUNK, 2 * CHUNK);
    (void)fetch(2 * CHUNK, 3 * CHUNK);
    assert_nothing(fetch(60 * CHUNK, 61 * CHUNK));
    assert_run(fetch(61 * CHUNK, 62 * CHUNK), 62 * CHUNK, 63 * CHUNK); // from its first width
}

static void test_asking_again_for_the_same_is_no_progress(void **unused)
{
    (void)unused;
    (void)fetch(0, CHUNK);
    assert_nothing(fetch(0, CHUNK));
}

// The runs of a sequential reader join without a gap or an overlap, stay within the widest window,
// reach it, and leave him less than half a window only at the end of the file.
static void test_the_window_doubles_and_stays_ahead_of_the_reader(void **unused)
{
    (void)unused;
    uint64_t end = CHUNK;
    uint64_t widest = 0;

    for (uint64_t at = 0; at < PAGES; at += CHUNK) {
        struct page_run run = fetch(at, at + CHUNK);
        uint64_t reader = at + CHUNK;
        if (run.first < run.end) {
            assert_int_equal(run.first, end);
            end = run.end;
        }
        assert_true(end <= PAGES);
        assert_true(end - reader <= READ_AHEAD_MAX);
        assert_true(end == PAGES || at < 8 * CHUNK || end - reader >= READ_AHEAD_MAX / 2);
        widest = end - reader > widest ? end - reader : widest;
    }
    assert_int_equal(end, PAGES);
    assert_int_equal(widest, READ_AHEAD_MAX);
}

static void test_a_reader_that_overtakes_is_not_read_behind(void **unused)
{
    (void)unused;
    (void)fetch(0, CHUNK);
    struct page_run run = fetch(CHUNK, 40 * CHUNK); // far more than was read ahead
    assert_true(run.first >= 40 * CHUNK);
}

static void test_nothing_is_read_past_the_end(void **unused)
{
    (void)unused;
    assert_nothing(read_ahead_note(&state, (struct page_run){0, 7}, 7));
    state = (struct read_ahead){0};
    assert_run(read_ahead_note(&state, (struct page_run){0, 7}, 9), 7, 9);
}

static void test_after_a_stop_the_window_opens_anew(void **unused)
{
    (void)unused;
    (void)fetch(0, CHUNK);
    (void)fetch(CHUNK, 2 * CHUNK);
    read_ahead_stop(&state);
    assert_run(fetch(2 * CHUNK, 3 * CHUNK), 3 * CHUNK, 4 * CHUNK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_a_read_from_the_start_opens_the_window, prepare),
        cmocka_unit_test_setup(test_a_read_in_the_middle_reads_nothing_ahead, prepare),
        cmocka_unit_test_setup(test_a_reader_that_goes_on_from_the_middle_is_sequential, prepare),
        cmocka_unit_test_setup(test_a_jump_closes_the_window, prepare),
        cmocka_unit_test_setup(test_asking_again_for_the_same_is_no_progress, prepare),
        cmocka_unit_test_setup(test_the_window_doubles_and_stays_ahead_of_the_reader, prepare),
        cmocka_unit_test_setup(test_a_reader_that_overtakes_is_not_read_behind, prepare),
        cmocka_unit_test_setup(test_nothing_is_read_past_the_end, prepare),
        cmocka_unit_test_setup(test_after_a_stop_the_window_opens_anew, prepare),
    };
    return cmocka_run_group_tests_name("packagefsd read-ahead", tests, NULL, NULL);
}
