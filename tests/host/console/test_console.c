// SPDX-License-Identifier: Apache-2.0
// Tests of the console library: keys in, text and screen out.
#include "console/console.h"
#include "terminal.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define UP    "\x1b[A"
#define DOWN  "\x1b[B"
#define RIGHT "\x1b[C"
#define LEFT  "\x1b[D"

struct fixture {
    struct console console;
    struct terminal terminal;
    enum console_event event; // of the last byte typed
};

static void type(struct fixture *fixture, const char *keys)
{
    for (; *keys != '\0'; keys++) {
        fixture->event = console_input(&fixture->console, (uint8_t)*keys);
    }
}

static void assert_row(const struct fixture *fixture, const char *row, size_t column)
{
    char shown[TERMINAL_COLUMNS * 4 + 1];
    terminal_row(&fixture->terminal, shown);
    assert_null(fixture->terminal.error);
    assert_string_equal(shown, row);
    assert_int_equal(fixture->terminal.column, column);
}

// Types `keys`, and expects `line` and, counted from the start of the line, the cursor's column.
static void expect(struct fixture *fixture, const char *keys, const char *line, size_t cursor)
{
    char row[CONSOLE_LINE_BYTES + 3];

    type(fixture, keys);
    assert_string_equal(console_line(&fixture->console, NULL), line);
    snprintf(row, sizeof(row), "> %s", line);
    assert_row(fixture, row, 2 + cursor);
}

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    console_init(&fixture->console, terminal_sink, &fixture->terminal);
    console_begin(&fixture->console, "> ", 2);
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    free(*state);
    return 0;
}

static void again(struct fixture *fixture)
{
    console_begin(&fixture->console, "> ", 2);
}

static void add_words(struct fixture *fixture, const char *const *words)
{
    for (; *words != NULL; words++) {
        assert_int_equal(console_words_add(&fixture->console, *words, strlen(*words)), NX_OK);
    }
}

static void test_typed_text_is_shown_and_returned(void **state)
{
    struct fixture *fixture = *state;
    expect(fixture, "help", "help", 4);
    assert_int_equal(fixture->event, CONSOLE_PENDING);
    type(fixture, "\r");
    assert_int_equal(fixture->event, CONSOLE_LINE);
    assert_string_equal(console_line(&fixture->console, NULL), "help");
    assert_string_equal(fixture->terminal.above, "> help\n");
}

static void test_cursor_keys_and_insertion_in_the_middle(void **state)
{
    struct fixture *fixture = *state;
    expect(fixture, "abc" LEFT LEFT "X", "aXbc", 2);
    expect(fixture, RIGHT RIGHT RIGHT RIGHT, "aXbc", 4);
    expect(fixture, "\x01" LEFT "<", "<aXbc", 1);
    expect(fixture, "\x05>", "<aXbc>", 6);
    expect(fixture, "\x1b[H(\x1b[F)", "(<aXbc>)", 8);
    expect(fixture, "\x1bOH[\x1b[4~]", "[(<aXbc>)]", 10);
}

static void test_backspace_and_delete(void **state)
{
    struct fixture *fixture = *state;
    expect(fixture, "\x7f\x08", "", 0);
    expect(fixture, "abcd\x7f", "abc", 3);
    expect(fixture, LEFT "\x08", "ac", 1);
    expect(fixture, "\x1b[3~", "a", 1);
    expect(fixture, "\x1b[3~", "a", 1);
    expect(fixture, "\x01\x04", "", 0);
}

static void test_kill_keys(void **state)
{
    struct fixture *fixture = *state;
    expect(fixture, "one two three" LEFT LEFT "\x0b", "one two thr", 11);
    expect(fixture, "\x17", "one two ", 8);
    expect(fixture, "\x17", "one ", 4);
    expect(fixture, "zwei" LEFT LEFT "\x15", "ei", 0);
    expect(fixture, "\x17", "ei", 0);
}

static void test_characters_of_several_bytes_move_as_one(void **state)
{
    struct fixture *fixture = *state;
    expect(fixture, "a\xc3\xa4\xe2\x82\xac\xf0\x9f\x90\xa7z",
           "a\xc3\xa4\xe2\x82\xac\xf0\x9f\x90\xa7z", 5);
    expect(fixture, LEFT "\x7f", "a\xc3\xa4\xe2\x82\xacz", 3);
    expect(fixture, LEFT LEFT "\x04", "a\xe2\x82\xacz", 1);
}

static void test_broken_utf8_is_dropped(void **state)
{
    struct fixture *fixture = *state;
    expect(fixture,
           "\x80\xbf\xff"
           "a",
           "a", 1);
    expect(fixture,
           "\xc3"
           "b",
           "ab", 2);
    expect(fixture, "\xc0\xaf", "ab", 2);         // overlong
    expect(fixture, "\xed\xa0\x80", "ab", 2);     // surrogate
    expect(fixture, "\xf4\x90\x80\x80", "ab", 2); // past U+10FFFF
    expect(fixture,
           "\xc2\x9b"
           "c",
           "abc", 3);                                // C1 control
    expect(fixture, "\xe2\x82\x1b[D\xac", "abc", 2); // sequence inside a character
}

static void test_unknown_sequences_change_nothing(void **state)
{
    struct fixture *fixture = *state;
    type(fixture, "ab");
    expect(fixture, "\x1b[99~\x1b[1;5Z\x1b[?25h\x1bx\x1bOQ", "ab", 2);
    expect(fixture, "\x1b[999999999999999999999~", "ab", 2);
    expect(fixture, "\x1b[12\x01", "ab", 0); // a control character ends the sequence and counts
    expect(fixture, "\x1b\x1b[C", "ab", 1);
    expect(fixture, "\x02\x1b", "ab", 0);
    expect(fixture, "[C", "ab", 1);
    expect(fixture, "\x07\x0f\x11", "ab", 1);
}

static void test_line_ends_of_all_kinds_end_one_line_each(void **state)
{
    struct fixture *fixture = *state;
    const char *const ends[] = {"\r", "\n", "\r"};
    for (size_t i = 0; i < 3; i++) {
        again(fixture);
        type(fixture, "x");
        type(fixture, ends[i]);
        assert_int_equal(fixture->event, CONSOLE_LINE);
    }
    again(fixture);
    expect(fixture, "\n", "", 0); // belongs to the return before
    assert_int_equal(fixture->event, CONSOLE_PENDING);
    type(fixture, "\n");
    assert_int_equal(fixture->event, CONSOLE_LINE);
}

static void test_interrupt_drops_the_line(void **state)
{
    struct fixture *fixture = *state;
    type(fixture, "half a line\x03");
    assert_int_equal(fixture->event, CONSOLE_INTERRUPTED);
    assert_string_equal(console_line(&fixture->console, NULL), "");
    assert_string_equal(fixture->terminal.above, "> half a line^C\n");
    again(fixture);
    expect(fixture, UP, "", 0); // and is no history
}

static void test_end_of_file_only_on_an_empty_line(void **state)
{
    struct fixture *fixture = *state;
    expect(fixture, "a\x04", "a", 1);
    type(fixture, "\x7f\x04");
    assert_int_equal(fixture->event, CONSOLE_END_OF_FILE);
}

static void test_line_is_bounded(void **state)
{
    struct fixture *fixture = *state;
    size_t length;
    for (size_t i = 0; i < CONSOLE_LINE_BYTES - 1; i++) {
        type(fixture, "x");
    }
    type(fixture, "\xc3\xa4"); // two bytes do not fit, one does
    assert_int_equal(fixture->terminal.bells, 1);
    type(fixture, "yz");
    console_line(&fixture->console, &length);
    assert_int_equal(length, CONSOLE_LINE_BYTES);
    assert_int_equal(fixture->terminal.bells, 2);
    type(fixture, "\x01\x1b[3~\r");
    assert_null(fixture->terminal.error);
    console_line(&fixture->console, &length);
    assert_int_equal(length, CONSOLE_LINE_BYTES - 1);
}

static void test_line_that_did_not_fit_is_not_entered(void **state)
{
    struct fixture *fixture = *state;
    size_t length;
    for (size_t i = 0; i < CONSOLE_LINE_BYTES + 1; i++) {
        type(fixture, "x");
    }
    type(fixture, "\r");
    assert_int_equal(fixture->event, CONSOLE_TOO_LONG);
    console_line(&fixture->console, &length);
    assert_int_equal(length, 0);
    assert_int_equal(fixture->console.history_count, 0);

    console_begin(&fixture->console, "> ", 2);
    for (size_t i = 0; i < CONSOLE_LINE_BYTES + 1; i++) {
        type(fixture, "x");
    }
    type(fixture, "\x7f\r"); // whoever edits it has seen where it ends
    assert_int_equal(fixture->event, CONSOLE_LINE);
    assert_null(fixture->terminal.error);
}

static void test_long_line_scrolls_sideways_on_its_row(void **state)
{
    struct fixture *fixture = *state;
    char row[TERMINAL_COLUMNS + 1] = "> ";
    for (size_t i = 0; i < 100; i++) {
        char key[2] = {(char)('0' + i % 10), '\0'};
        type(fixture, key);
    }
    for (size_t i = 2; i < 77; i++) { // the last 75 of 100 digits
        row[i] = (char)('0' + (100 - 77 + i) % 10);
    }
    assert_row(fixture, row, 77);
    type(fixture, "\x01");
    for (size_t i = 2; i < 77; i++) {
        row[i] = (char)('0' + (i - 2) % 10);
    }
    assert_row(fixture, row, 2);
}

static void test_interrupting_a_full_row_does_not_wrap(void **state)
{
    struct fixture *fixture = *state;
    for (size_t i = 0; i < 100; i++) {
        type(fixture, "x");
    }
    type(fixture, "\x03");
    assert_null(fixture->terminal.error);
}

static void test_history_browses_and_keeps_the_draft(void **state)
{
    struct fixture *fixture = *state;
    type(fixture, "first\r");
    again(fixture);
    type(fixture, "second\r");
    again(fixture);
    type(fixture, "second\r"); // a repetition is stored once
    again(fixture);
    type(fixture, "\r"); // an empty line not at all
    again(fixture);
    expect(fixture, "draft" UP, "second", 6);
    expect(fixture, UP, "first", 5);
    expect(fixture, UP, "first", 5);
    expect(fixture, DOWN "!", "second!", 7);
    expect(fixture, DOWN, "draft", 5);
    expect(fixture, DOWN, "draft", 5);
}

static void test_history_is_bounded(void **state)
{
    struct fixture *fixture = *state;
    char text[16];
    for (int i = 0; i < 40; i++) {
        snprintf(text, sizeof(text), "line %d\r", i);
        type(fixture, text);
        again(fixture);
    }
    for (int i = 0; i < 40; i++) {
        type(fixture, UP);
    }
    snprintf(text, sizeof(text), "line %d", 40 - (int)CONSOLE_HISTORY_LINES);
    expect(fixture, "", text, strlen(text));
}

static const char *const commands[] = {"hw smp", "hw sbi", "hw vblk info", "help",
                                       "kill",   "cat",    "hello",        NULL};

static void test_tab_extends_to_the_common_prefix(void **state)
{
    struct fixture *fixture = *state;
    add_words(fixture, commands);
    expect(fixture, "k\t", "kill ", 5);
    expect(fixture, "\x15he\t", "hel", 3);
    assert_int_equal(fixture->terminal.bells, 0);
    expect(fixture, "p\t", "help ", 5);
    expect(fixture, "\x15hw v\t", "hw vblk info ", 13);
    expect(fixture, "\x15zz\t", "zz", 2);
    assert_int_equal(fixture->terminal.bells, 1);
}

static void test_no_blank_comes_behind_the_beginning_of_a_path(void **state)
{
    struct fixture *fixture = *state;
    add_words(fixture, (const char *const[]){"ls pkg://", NULL});
    expect(fixture, "ls pk\tetc", "ls pkg://etc", 12);
}

static void test_second_tab_lists_the_next_words_once(void **state)
{
    struct fixture *fixture = *state;
    add_words(fixture, commands);
    expect(fixture, "h\t", "h", 1);
    assert_int_equal(fixture->terminal.bells, 1);
    expect(fixture, "\t", "h", 1);
    assert_string_equal(fixture->terminal.above, "> h\nhw  help  hello\n");
    expect(fixture, "w \t\t", "hw ", 3);
    assert_string_equal(fixture->terminal.above, "> h\nhw  help  hello\n> hw \nsmp  sbi  vblk\n");
}

static void test_a_listed_word_wider_than_the_screen_goes_on_in_the_next_row(void **state)
{
    struct fixture *fixture = *state;
    char wide[151];
    char rows[256];
    memset(wide, 'w', sizeof(wide) - 1);
    wide[sizeof(wide) - 1] = '\0';
    add_words(fixture, (const char *const[]){"x", wide, "y", NULL});
    expect(fixture, "\t\t", "", 0);
    snprintf(rows, sizeof(rows), "> \nx\n%.79s\n%.71s  y\n", wide, wide);
    assert_string_equal(fixture->terminal.above, rows);
}

static void test_tab_in_the_middle_completes_before_the_cursor(void **state)
{
    struct fixture *fixture = *state;
    add_words(fixture, commands);
    expect(fixture, "ki x" LEFT LEFT "\t", "kill x", 4);
}

static void test_bad_completion_words_are_refused(void **state)
{
    struct fixture *fixture = *state;
    char word[300];
    memset(word, 'w', sizeof(word));
    assert_int_equal(console_words_add(&fixture->console, "", 0), NX_ERR_BAD_FORMAT);
    assert_int_equal(console_words_add(&fixture->console, "a\x1b[2J", 5), NX_ERR_BAD_FORMAT);
    assert_int_equal(console_words_add(&fixture->console, "a\0b", 3), NX_ERR_BAD_FORMAT);
    assert_int_equal(console_words_add(&fixture->console, word, 257), NX_ERR_TOO_LARGE);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(console_words_add(&fixture->console, word, 256), NX_OK);
    }
    assert_int_equal(console_words_add(&fixture->console, word, 253), NX_ERR_TOO_LARGE);
    assert_int_equal(console_words_add(&fixture->console, word, 252), NX_OK);
    console_words_clear(&fixture->console);
    for (size_t i = 0; i < CONSOLE_WORDS_MAX; i++) {
        assert_int_equal(console_words_add(&fixture->console, "w", 1), NX_OK);
    }
    assert_int_equal(console_words_add(&fixture->console, "w", 1), NX_ERR_TOO_LARGE);
}

static void test_hidden_line_comes_back_as_it_was(void **state)
{
    struct fixture *fixture = *state;
    type(fixture, "abc" LEFT);
    console_hide(&fixture->console);
    assert_row(fixture, "", 0);
    console_hide(&fixture->console);
    terminal_sink(&fixture->terminal, "log line\n", 9);
    console_show(&fixture->console);
    expect(fixture, "", "abc", 2);
    console_show(&fixture->console);
    assert_string_equal(fixture->terminal.above, "log line\n");
    console_hide(&fixture->console);
    expect(fixture, "X", "abXc", 3); // a key shows it too
}

static void test_clear_screen_keeps_the_line(void **state)
{
    struct fixture *fixture = *state;
    expect(fixture, "abc" LEFT "\x0c", "abc", 2);
}

static void test_nothing_happens_without_a_line(void **state)
{
    struct fixture *fixture = *state;
    console_abandon(&fixture->console);
    assert_row(fixture, "", 0);
    type(fixture, "abc\r");
    console_hide(&fixture->console);
    console_show(&fixture->console);
    assert_int_equal(fixture->event, CONSOLE_PENDING);
    assert_row(fixture, "", 0);
}

static void test_prompt_is_cut_and_cleaned(void **state)
{
    struct fixture *fixture = *state;
    console_begin(&fixture->console, "a\x1b[2J\xc3\xa4$", 8);
    assert_row(fixture, "a?[2J??$", 8);
    console_begin(&fixture->console, "0123456789012345678901234567890123456789", 40);
    assert_row(fixture, "01234567890123456789012345678901", 32);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_typed_text_is_shown_and_returned),
        CASE(test_cursor_keys_and_insertion_in_the_middle),
        CASE(test_backspace_and_delete),
        CASE(test_kill_keys),
        CASE(test_characters_of_several_bytes_move_as_one),
        CASE(test_broken_utf8_is_dropped),
        CASE(test_unknown_sequences_change_nothing),
        CASE(test_line_ends_of_all_kinds_end_one_line_each),
        CASE(test_interrupt_drops_the_line),
        CASE(test_end_of_file_only_on_an_empty_line),
        CASE(test_line_is_bounded),
        CASE(test_line_that_did_not_fit_is_not_entered),
        CASE(test_long_line_scrolls_sideways_on_its_row),
        CASE(test_interrupting_a_full_row_does_not_wrap),
        CASE(test_history_browses_and_keeps_the_draft),
        CASE(test_history_is_bounded),
        CASE(test_tab_extends_to_the_common_prefix),
        CASE(test_no_blank_comes_behind_the_beginning_of_a_path),
        CASE(test_second_tab_lists_the_next_words_once),
        CASE(test_a_listed_word_wider_than_the_screen_goes_on_in_the_next_row),
        CASE(test_tab_in_the_middle_completes_before_the_cursor),
        CASE(test_bad_completion_words_are_refused),
        CASE(test_hidden_line_comes_back_as_it_was),
        CASE(test_clear_screen_keeps_the_line),
        CASE(test_nothing_happens_without_a_line),
        CASE(test_prompt_is_cut_and_cleaned),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
