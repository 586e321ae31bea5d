// SPDX-License-Identifier: Apache-2.0
// Tests of uartd's rules: who prints when, who gets the input, and what becomes of bad requests.
#include "uart.capnp.h"
#include "world.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define ALICE 1u
#define BOB   2u

static int set_up(void **state)
{
    *state = world_new();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    world_free();
    return 0;
}

static void assert_row(struct world *world, const char *row)
{
    char shown[TERMINAL_COLUMNS * 4 + 1];
    terminal_row(&world->terminal, shown);
    assert_string_equal(shown, row);
}

static void test_a_write_comes_out_with_carriage_returns(void **state)
{
    struct world *world = *state;
    size_t call = world_write(ALICE, "one\ntwo\r\nthree\n");
    assert_string_equal(world->output, "one\r\ntwo\r\nthree\r\n");
    assert_int_equal(world_answer(call), NX_OK);
}

static void test_log_text_before_a_write_comes_out_before_it(void **state)
{
    struct world *world = *state;
    strcpy(world->log, "nx: output begin\n"); // without the signal having been taken
    world->log_length = strlen(world->log);
    world_write(ALICE, "answer\n");
    assert_string_equal(world->output, "nx: output begin\r\nanswer\r\n");
}

static void test_an_edited_line_stays_whole_around_others(void **state)
{
    struct world *world = *state;
    world_read_line(ALICE, "nx> ");
    world_type("hw sm");
    world_log("kernel: something\n");
    world_write(BOB, "and more\n");
    assert_row(world, "nx> hw sm");
    assert_string_equal(world->terminal.above, "kernel: something\nand more\n");
    world_type("p");
    assert_row(world, "nx> hw smp");
}

static void test_an_open_line_belongs_to_its_writer(void **state)
{
    struct world *world = *state;
    size_t first = world_write(ALICE, "abc");
    size_t second = world_write(BOB, "x\n");
    world_log("log\n");
    assert_int_equal(world_answer(first), NX_OK);
    assert_int_equal(world_answer(second), NOT_ANSWERED);
    world_write(ALICE, "def\n");
    assert_int_equal(world_answer(second), NX_OK);
    assert_string_equal(world->output, "abcdef\r\nlog\r\nx\r\n");
}

static void test_an_open_line_is_ended_after_its_time(void **state)
{
    struct world *world = *state;
    world_write(ALICE, "abc");
    world_log("log\n");
    assert_string_equal(world->output, "abc");
    uint64_t deadline = uartd_output_deadline(&world->uartd);
    assert_true(deadline != NX_DEADLINE_NEVER);
    world->now = deadline;
    world_run();
    assert_string_equal(world->output, "abc\r\nlog\r\n");
    assert_true(uartd_output_deadline(&world->uartd) == NX_DEADLINE_NEVER);
}

static void test_a_prompt_comes_back_behind_an_open_line(void **state)
{
    struct world *world = *state;
    world_read_line(ALICE, "> ");
    world_write(BOB, "open");
    assert_row(world, "open");
    world->now = uartd_output_deadline(&world->uartd);
    world_run();
    assert_row(world, "> ");
    assert_string_equal(world->terminal.above, "open\n");
    world_write(BOB, "again");
    world_type("k"); // a key does not wait
    assert_row(world, "> k");
    assert_string_equal(world->terminal.above, "open\nagain\n");
}

static void test_a_stalled_line_loses_nothing(void **state)
{
    struct world *world = *state;
    char text[1000];
    size_t calls[64];
    size_t count = 0;
    size_t expected = 0;

    world->stalled = true;
    while (world->uartd.writer_count < WRITERS_MAX && count < 64) {
        memset(text, 'a' + (int)(count % 26), 899);
        text[899] = '\n';
        calls[count] = world_write_bytes(count % 3, text, 900);
        count++;
        expected += 901;
    }
    assert_true(count > WRITERS_MAX && count < 64);
    assert_int_equal(world_answer(calls[count - 1]), NOT_ANSWERED);
    assert_int_equal(world->output_length, 0);
    assert_true(uartd_echo_fits(&world->uartd)); // the editor could still speak
    world->stalled = false;
    world_run();
    assert_int_equal(world->output_length, expected);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(world_answer(calls[i]), NX_OK);
        assert_int_equal(world->output[i * 901], 'a' + (int)(i % 26));
        assert_int_equal(world->output[i * 901 + 898], 'a' + (int)(i % 26));
    }
    world->terminal.error = NULL; // lines wider than the model's screen
}

static void test_typing_works_while_the_line_is_stalled(void **state)
{
    struct world *world = *state;
    size_t line = world_read_line(ALICE, "> ");
    char keys[1001];
    world->stalled = true;
    while (world->uartd.writer_count < WRITERS_MAX) {
        world_write(BOB, "a text that fills the ring, line by line, until writers have to wait\n");
    }
    for (size_t i = 0; i < 1000; i++) { // each insertion at the start draws the whole row again
        keys[i] = i % 2 == 0 ? '\x01' : 'k';
    }
    keys[1000] = '\0';
    world_type(keys);
    world_type("\r");
    world->stalled = false;
    world_run();
    assert_non_null(world_line(line));
    assert_int_equal(strlen(world_line(line)), CONSOLE_LINE_BYTES);
    assert_non_null(strstr(world->output, "k\x1b[K\r\n"));
}

static void test_a_line_is_read_and_edited(void **state)
{
    struct world *world = *state;
    size_t first = world_read_line(ALICE, "> ");
    world_type("hellp\x7fo");
    assert_null(world_line(first));
    world_type("\rmore");
    assert_string_equal(world_line(first), "hello");
    assert_row(world, "");
    size_t second = world_read_line(ALICE, "> "); // typed ahead
    assert_row(world, "> more");
    world_type("\r");
    assert_string_equal(world_line(second), "more");
}

static void test_one_reader_at_a_time(void **state)
{
    struct world *world = *state;
    size_t alice = world_read_line(ALICE, "a> ");
    assert_int_equal(world_answer(world_read_line(BOB, "b> ")), NX_ERR_BUSY);
    assert_int_equal(world_answer(world_read_bytes(BOB, 1)), NX_ERR_BUSY);
    world_type("abc");
    assert_row(world, "a> abc");
    size_t bytes = world_read_bytes(ALICE, 1); // its earlier self is gone
    assert_int_equal(world_answer(alice), NX_ERR_CANCELLED);
    assert_row(world, "");
    size_t again = world_read_line(ALICE, "A> ");
    assert_int_equal(world_answer(bytes), NX_ERR_CANCELLED);
    assert_row(world, "A> ");
    world_type("x\r");
    assert_string_equal(world_line(again), "x");
}

static void test_a_dead_reader_frees_the_console(void **state)
{
    struct world *world = *state;
    world_read_line(ALICE, "> ");
    world->caller_dead = true;
    world_type("gone\r");
    world->caller_dead = false;
    size_t bob = world_read_line(BOB, "> ");
    world_type("here\r");
    assert_string_equal(world_line(bob), "here");
}

static void test_raw_bytes_arrive_unedited(void **state)
{
    struct world *world = *state;
    struct uart_response_reader response;
    struct capnp_reader message;
    struct capnp_data data;
    size_t call = world_read_bytes(ALICE, 4);
    world_type("\x1b[A\x7fz");
    assert_int_equal(world_answer(call), NX_OK);
    assert_int_equal(uart_response_decode(world->answers[call].data, world->answers[call].bytes,
                                          &message, &response),
                     NX_OK);
    assert_int_equal(uart_response_read_bytes_data(&response, &data), NX_OK);
    assert_int_equal(data.length, 4);
    assert_memory_equal(data.bytes, "\x1b[A\x7f", 4);
    assert_int_equal(world->output_length, 0);
    assert_int_equal(world_answer(world_read_bytes(ALICE, 0)), NX_ERR_INVALID_ARGUMENT);
}

static void test_completions_are_taken_all_or_none(void **state)
{
    struct world *world = *state;
    const char *const good[] = {"help", "hello"};
    const char *const bad[] = {"quit", "bad\nword"};
    world_read_line(ALICE, "> ");
    assert_int_equal(world_answer(world_complete(good, 2)), NX_OK);
    world_type("h\t");
    assert_row(world, "> hel");
    assert_int_equal(world_answer(world_complete(bad, 2)), NX_ERR_BAD_FORMAT);
    world_type("\x15q\t");
    assert_row(world, "> q");
}

static void test_status_counts(void **state)
{
    struct world *world = *state;
    struct uart_report_reader report;
    world_log("a line\n");
    world_type("xy");
    world_status(&report);
    assert_int_equal(uart_report_mmio_base(&report), 0x10000000);
    assert_int_equal(uart_report_interrupt_number(&report), 10);
    assert_int_equal(uart_report_kernel_log_bytes(&report), 7);
    assert_int_equal(uart_report_bytes_out(&report), world->output_length);
    assert_int_equal(uart_report_bytes_in(&report), 2);
}

static void test_a_gap_in_the_log_is_named(void **state)
{
    struct world *world = *state;
    world_log("half a li");
    world->log_lost = 123;
    world_log("whole\n");
    assert_string_equal(world->output, "uartd: kernel log was full lost=123 bytes\r\nwhole\r\n");
}

static void test_a_log_line_without_end_comes_out_at_last(void **state)
{
    struct world *world = *state;
    char text[1501];
    memset(text, 'l', 1500);
    text[1500] = '\0';
    world_log(text);
    world_log("\nnext\n");
    assert_int_equal(world->output_length, 1500 + 2 + 6);
    world->terminal.error = NULL; // a line wider than the model's screen
}

static void test_malformed_requests_get_a_status(void **state)
{
    struct world *world = *state;
    srand(1);
    for (size_t i = 0; i < 20000; i++) {
        size_t bytes = (size_t)rand() % 64;
        for (size_t at = 0; at < bytes; at++) {
            world->page.data[at] = (uint8_t)(rand() % 4 == 0 ? rand() : 0);
        }
        if (bytes >= 8 && i % 2 == 0) { // a root struct of one data word and one pointer
            memcpy(world->page.data, "\0\0\0\0\1\0\1\0", 8);
        }
        world->calls = 0; // each request is answered or kept; only the first slot is used
        world->answers[0].given = false;
        world->uartd.reader = (struct reader){.kind = READER_NONE};
        (void)world_send(ALICE, bytes);
    }
    world->calls = 0;
    world->answers[0].given = false;
    memset(world->page.data, 0xff, 16);
    (void)world_send(ALICE, 16);
    assert_int_equal(world->answers[0].transport, NX_ERR_BAD_FORMAT);
    world->terminal.error = NULL; // random writes may say anything to the terminal
}

static void test_handles_that_ride_along_are_dropped(void **state)
{
    struct world *world = *state;
    struct nx_message message = {.info = NX_INFO(0, 2), .badge = ALICE};
    world->page.handles[0] = 5;
    world->page.handles[1] = 6;
    world->calls++;
    world->current_open = true;
    uartd_serve(&world->uartd, &message);
    assert_int_equal(world->dropped_handles, 2);
    assert_int_equal(world->answers[0].transport, NX_ERR_BAD_FORMAT);
}

static void test_empty_writes_are_refused(void **state)
{
    (void)state;
    assert_int_equal(world_answer(world_write(ALICE, "")), NX_ERR_INVALID_ARGUMENT);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_a_write_comes_out_with_carriage_returns),
        CASE(test_log_text_before_a_write_comes_out_before_it),
        CASE(test_an_edited_line_stays_whole_around_others),
        CASE(test_an_open_line_belongs_to_its_writer),
        CASE(test_an_open_line_is_ended_after_its_time),
        CASE(test_a_prompt_comes_back_behind_an_open_line),
        CASE(test_a_stalled_line_loses_nothing),
        CASE(test_typing_works_while_the_line_is_stalled),
        CASE(test_a_line_is_read_and_edited),
        CASE(test_one_reader_at_a_time),
        CASE(test_a_dead_reader_frees_the_console),
        CASE(test_raw_bytes_arrive_unedited),
        CASE(test_completions_are_taken_all_or_none),
        CASE(test_status_counts),
        CASE(test_a_gap_in_the_log_is_named),
        CASE(test_a_log_line_without_end_comes_out_at_last),
        CASE(test_malformed_requests_get_a_status),
        CASE(test_handles_that_ride_along_are_dropped),
        CASE(test_empty_writes_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
