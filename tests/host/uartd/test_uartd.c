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

static void test_a_framed_write_says_every_byte(void **state)
{
    struct world *world = *state;
    world->uartd.token = "T0k";
    size_t call = world_write_bytes(ALICE, "a%\r\n\0\xff", 6);
    world_log("neuron: a line\n"); // at once: a framed line leaves no row open
    assert_int_equal(world_answer(call), NX_OK);
    assert_string_equal(world->output, "T0k:a%25%0D%0A%00%FF\r\nneuron: a line\r\n");
}

static void test_a_long_framed_write_comes_in_lines(void **state)
{
    struct world *world = *state;
    char text[FRAME_BYTES + 2];
    world->uartd.token = "T";
    memset(text, '\n', sizeof(text));
    size_t call = world_write_bytes(ALICE, text, sizeof(text));
    assert_int_equal(world_answer(call), NX_OK);
    assert_int_equal(world->output_length, 2 * strlen("T:\r\n") + 3 * sizeof(text));
    assert_string_equal(world->output + world->output_length - 10, "T:%0A%0A\r\n");
    world->terminal.error = NULL; // lines wider than the model's screen
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
    char keys[2 * CONSOLE_LINE_BYTES + 1];
    world->stalled = true;
    while (world->uartd.writer_count < WRITERS_MAX) {
        world_write(BOB, "a text that fills the ring, line by line, until writers have to wait\n");
    }
    for (size_t i = 0; i < 2 * CONSOLE_LINE_BYTES;
         i++) { // each insertion at the start draws the whole row again
        keys[i] = i % 2 == 0 ? '\x01' : 'k';
    }
    keys[2 * CONSOLE_LINE_BYTES] = '\0';
    world_type(keys);
    world_type("\r");
    world->stalled = false;
    world_run();
    assert_non_null(world_line(line));
    assert_int_equal(strlen(world_line(line)), CONSOLE_LINE_BYTES);
    assert_non_null(strstr(world->output, "k\x1b[K\r\n"));
}

static void test_a_line_that_is_too_long_is_refused_whole(void **state)
{
    (void)state;
    size_t line = world_read_line(ALICE, "> ");
    for (size_t i = 0; i <= CONSOLE_LINE_BYTES; i++) {
        world_type("k");
    }
    world_type("\r");
    assert_int_equal(world_answer(line), NX_ERR_TOO_LARGE);
    line = world_read_line(ALICE, "> ");
    world_type("short\r");
    assert_string_equal(world_line(line), "short");
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

static void test_control_c_is_signalled_to_who_watches(void **state)
{
    struct world *world = *state;
    assert_int_equal(world_answer(world_watch(ALICE, 7, 0x10)), NX_OK);
    world_type("typed ahead\x03next");
    assert_int_equal(world->signals, 1);
    assert_int_equal(world->signalled, 7);
    assert_int_equal(world->signalled_bits, 0x10);
    size_t line = world_read_line(ALICE, "> "); // a reader changes nothing about it
    world_type("\x03");
    assert_int_equal(world->signals, 2);
    assert_int_equal(world_answer(line), NOT_ANSWERED);

    assert_int_equal(world_answer(world_watch(ALICE, NX_HANDLE_NONE, 0)), NX_OK);
    assert_int_equal(world->dropped_handles, 1);
    world_type("\x03");
    assert_int_equal(world->signals, 2);
    assert_int_equal(world_answer(line), NX_OK); // interrupted, as ever
}

static void test_the_last_watch_replaces_the_one_before(void **state)
{
    struct world *world = *state;
    world_watch(ALICE, 7, 1);
    world_watch(BOB, 8, 2);
    assert_int_equal(world->dropped_handles, 1);
    world_type("\x03");
    assert_int_equal(world->signalled, 8);
    assert_int_equal(world->signals, 1);
}

static void test_nothing_but_a_notification_is_kept_of_who_watches(void **state)
{
    struct world *world = *state;
    world_watch(ALICE, NO_NOTIFICATION, 1);
    assert_int_equal(world->dropped_handles, 1);
    world_type("\x03");
    assert_int_equal(world->signals, 0);
}

static void test_empty_writes_are_refused(void **state)
{
    (void)state;
    assert_int_equal(world_answer(world_write(ALICE, "")), NX_ERR_INVALID_ARGUMENT);
}

// ---- Flushes ------------------------------------------------------------------------------------

static void world_log_unsignalled(struct world *world, const char *text)
{
    strcpy(world->log + world->log_length, text);
    world->log_length += strlen(text);
}

static void test_a_flush_of_nothing_is_answered(void **state)
{
    (void)state;
    assert_int_equal(world_answer(world_flush(ALICE)), NX_OK);
}

static void test_a_flush_waits_for_every_byte_before_it(void **state)
{
    struct world *world = *state;
    world->stalled = true;
    world_write(BOB, "a text that is longer than the transmit FIFO is deep\n");
    world_log_unsignalled(world, "the last line of the log\n");
    size_t flush = world_flush(ALICE);
    assert_int_equal(world_answer(flush), NOT_ANSWERED);
    world->stalled = false;
    world_run();
    assert_int_equal(world_answer(flush), NX_OK);
    assert_int_equal(world->output_length, 53 + 1 + 25 + 1);
    assert_int_equal(world->answers[flush].output_length, world->output_length);
    assert_int_equal(world->interrupt_enable & 2, 0); // and the device is left alone again
}

// Text that only reaches the FIFO, so that no interrupt is on when the flush comes.
static void test_a_flush_waits_for_the_fifo_alone(void **state)
{
    struct world *world = *state;
    world->stalled = true;
    assert_int_equal(world_answer(world_write(BOB, "short")), NX_OK);
    assert_int_equal(ns16550_write_pending(&world->uartd.port), 0);
    size_t flush = world_flush(ALICE);
    assert_int_equal(world_answer(flush), NOT_ANSWERED);
    world->stalled = false;
    world_run();
    assert_int_equal(world_answer(flush), NX_OK);
    assert_int_equal(world->answers[flush].output_length, 5);
}

static void test_a_flush_reads_a_log_longer_than_the_ring_to_its_end(void **state)
{
    struct world *world = *state;
    char line[101];
    memset(line, 'l', 99);
    line[99] = '\n';
    line[100] = '\0';
    world->stalled = true;
    for (size_t i = 0; i < 600; i++) {
        world_log_unsignalled(world, line);
    }
    size_t flush = world_flush(ALICE);
    assert_int_equal(world_answer(flush), NOT_ANSWERED);
    world->stalled = false;
    world_run();
    assert_int_equal(world_answer(flush), NX_OK);
    assert_int_equal(world->answers[flush].output_length, 600 * 101);
    world->terminal.error = NULL; // lines wider than the model's screen
}

static void test_a_flush_waits_for_writes_without_room(void **state)
{
    struct world *world = *state;
    char text[900];
    memset(text, 't', 899);
    text[899] = '\n';
    size_t writes = 0;
    world->stalled = true;
    while (world->uartd.writer_count < WRITERS_MAX - 1) {
        world_write_bytes(BOB, text, 900);
        writes++;
    }
    size_t flush = world_flush(ALICE);
    size_t late = world_write(BOB, "late\n");
    assert_int_equal(world_answer(late), NOT_ANSWERED);
    world->stalled = false;
    world_run();
    assert_int_equal(world_answer(late), NX_OK);
    assert_int_equal(world_answer(flush), NX_OK);
    assert_true(world->answers[flush].output_length >= writes * 901);
    world->terminal.error = NULL; // lines wider than the model's screen
}

static void test_a_flush_waits_for_an_open_line(void **state)
{
    struct world *world = *state;
    world_write(BOB, "open");
    world_log_unsignalled(world, "log\n");
    size_t flush = world_flush(ALICE);
    assert_int_equal(world_answer(flush), NOT_ANSWERED);
    world->now = uartd_output_deadline(&world->uartd);
    world_run();
    assert_int_equal(world_answer(flush), NX_OK);
    assert_string_equal(world->output, "open\r\nlog\r\n");
}

static void test_a_flush_does_not_wait_for_what_comes_later(void **state)
{
    struct world *world = *state;
    world->stalled = true;
    world_write(BOB, "before\n");
    size_t flush = world_flush(ALICE);
    world_log("a later line of the log, longer than the FIFO\n");
    world_write(BOB, "and a later write, longer than the FIFO too\n");
    world->stalled = false;
    world_run();
    assert_int_equal(world_answer(flush), NX_OK);
    assert_true(world->answers[flush].output_length >= 8);
    assert_true(world->answers[flush].output_length < world->output_length);
}

static void test_the_last_byte_is_waited_for_by_time_alone(void **state)
{
    struct world *world = *state;
    world->holds_last = true;
    world_write(BOB, "text\n");
    size_t flush = world_flush(ALICE);
    assert_string_equal(world->output, "text\r");
    assert_int_equal(world_answer(flush), NOT_ANSWERED);
    unsigned looks = world->line_looks;
    for (unsigned i = 0; i < 100; i++) { // whatever wakes uartd before the time
        world_run();
    }
    assert_int_equal(world->line_looks, looks);
    uint64_t waited = 0;
    for (unsigned i = 0; i < 6; i++) { // a line that is held up costs less and less
        uint64_t deadline = uartd_flush_deadline(&world->uartd);
        assert_true(deadline != NX_DEADLINE_NEVER && deadline - world->now > waited);
        waited = deadline - world->now;
        world->now = deadline;
        world_run();
        assert_int_equal(world_answer(flush), NOT_ANSWERED);
    }
    world->holds_last = false;
    world->now = uartd_flush_deadline(&world->uartd);
    world_run();
    assert_int_equal(world_answer(flush), NOT_ANSWERED); // it had just looked
    world->now = uartd_flush_deadline(&world->uartd);
    world_run();
    assert_int_equal(world_answer(flush), NX_OK);
    assert_int_equal(world->answers[flush].output_length, 6);
    assert_true(uartd_flush_deadline(&world->uartd) == NX_DEADLINE_NEVER);
}

static void test_later_output_pushes_the_last_byte_out(void **state)
{
    struct world *world = *state;
    world->holds_last = true;
    world_write(BOB, "text\n");
    size_t flush = world_flush(ALICE);
    assert_int_equal(world_answer(flush), NOT_ANSWERED);
    world_write(BOB, "more\n");
    assert_int_equal(world_answer(flush), NX_OK);
    assert_true(uartd_flush_deadline(&world->uartd) == NX_DEADLINE_NEVER);
}

static void test_several_flushes_wait_each_for_its_own(void **state)
{
    struct world *world = *state;
    size_t flushes[3];
    world->stalled = true;
    for (size_t i = 0; i < 3; i++) {
        world_write(BOB, "twenty characters, 20\n");
        flushes[i] = world_flush(i);
    }
    world->stalled = false;
    world_run();
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(world_answer(flushes[i]), NX_OK);
        assert_true(world->answers[flushes[i]].output_length >= (i + 1) * 23);
    }
    assert_true(world->answers[flushes[0]].output_length <
                world->answers[flushes[2]].output_length);
}

static void test_too_many_flushes_are_refused_until_there_is_room(void **state)
{
    struct world *world = *state;
    size_t flushes[FLUSHES_MAX];
    world->stalled = true;
    world_write(BOB, "text\n");
    for (size_t i = 0; i < FLUSHES_MAX; i++) {
        flushes[i] = world_flush(i);
    }
    assert_int_equal(world_answer(world_flush(BOB)), NX_ERR_BUSY);
    world->stalled = false;
    world_run();
    for (size_t i = 0; i < FLUSHES_MAX; i++) {
        assert_int_equal(world_answer(flushes[i]), NX_OK);
    }
    assert_int_equal(world_answer(world_flush(BOB)), NX_OK);
}

static void test_a_dead_client_of_a_flush_is_forgotten(void **state)
{
    struct world *world = *state;
    world->stalled = true;
    world_write(BOB, "text\n");
    (void)world_flush(ALICE);
    world->caller_dead = true;
    world->stalled = false;
    world_run();
    world->caller_dead = false;
    assert_int_equal(world->uartd.flush_count, 0);
    assert_int_equal(world_answer(world_flush(BOB)), NX_OK);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_a_write_comes_out_with_carriage_returns),
        CASE(test_a_framed_write_says_every_byte),
        CASE(test_a_long_framed_write_comes_in_lines),
        CASE(test_log_text_before_a_write_comes_out_before_it),
        CASE(test_an_edited_line_stays_whole_around_others),
        CASE(test_an_open_line_belongs_to_its_writer),
        CASE(test_an_open_line_is_ended_after_its_time),
        CASE(test_a_prompt_comes_back_behind_an_open_line),
        CASE(test_a_stalled_line_loses_nothing),
        CASE(test_typing_works_while_the_line_is_stalled),
        CASE(test_a_line_that_is_too_long_is_refused_whole),
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
        CASE(test_control_c_is_signalled_to_who_watches),
        CASE(test_the_last_watch_replaces_the_one_before),
        CASE(test_nothing_but_a_notification_is_kept_of_who_watches),
        CASE(test_empty_writes_are_refused),
        CASE(test_a_flush_of_nothing_is_answered),
        CASE(test_a_flush_waits_for_every_byte_before_it),
        CASE(test_a_flush_waits_for_the_fifo_alone),
        CASE(test_a_flush_reads_a_log_longer_than_the_ring_to_its_end),
        CASE(test_a_flush_waits_for_writes_without_room),
        CASE(test_a_flush_waits_for_an_open_line),
        CASE(test_a_flush_does_not_wait_for_what_comes_later),
        CASE(test_the_last_byte_is_waited_for_by_time_alone),
        CASE(test_later_output_pushes_the_last_byte_out),
        CASE(test_several_flushes_wait_each_for_its_own),
        CASE(test_too_many_flushes_are_refused_until_there_is_room),
        CASE(test_a_dead_client_of_a_flush_is_forgotten),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
