// SPDX-License-Identifier: Apache-2.0
// The NS16550 driver library against a model of the device: both directions, errors, hostile ones.
#include "serial/ns16550/ns16550.h"
#include "uart_model.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
// cmocka.h wants the first five above.
#include <cmocka.h>

#define TRANSMIT_SIZE 64u
#define RECEIVE_SIZE  32u

static const struct ns16550_ops ops = {.read = uart_model_read, .write = uart_model_write};

struct bench {
    struct uart_model model;
    struct ns16550 uart;
    uint8_t transmit[TRANSMIT_SIZE];
    uint8_t receive[RECEIVE_SIZE];
};

static struct ns16550_config config_of(struct bench *bench)
{
    return (struct ns16550_config){
        .register_shift = bench->model.shift,
        .transmit = bench->transmit,
        .transmit_size = TRANSMIT_SIZE,
        .receive = bench->receive,
        .receive_size = RECEIVE_SIZE,
    };
}

static struct bench *bench_ready(uint32_t shift)
{
    struct bench *bench = calloc(1, sizeof(*bench));
    assert_non_null(bench);
    bench->model.shift = shift;
    struct ns16550_config config = config_of(bench);
    assert_int_equal(ns16550_init(&bench->uart, &ops, &bench->model, &config), NX_OK);
    return bench;
}

static void bench_destroy(struct bench *bench)
{
    assert_int_equal(bench->model.lost, 0);
    assert_int_equal(bench->model.bad_accesses, 0);
    free(bench);
}

// Interrupts until the line is down; an honest device needs few.
static void bench_serve(struct bench *bench)
{
    for (int turn = 0; turn < 8 && uart_model_line(&bench->model); turn++) {
        assert_int_equal(ns16550_interrupt(&bench->uart), NX_OK);
    }
    assert_false(uart_model_line(&bench->model));
}

static void test_init_sets_8n1_fifos_and_receive_interrupts(void **state)
{
    (void)state;
    for (uint32_t shift = 0; shift <= 4; shift++) {
        struct bench *bench = bench_ready(shift);
        assert_int_equal(bench->model.lcr, 0x03);
        assert_int_equal(bench->model.fcr & 0xc1, 0x81);
        assert_int_equal(bench->model.ier, 0x05);
        assert_int_equal(bench->model.mcr, 0x0b);
        assert_int_equal(bench->model.divisor, 0); // no clock given: not touched
        assert_int_equal(bench->uart.fifo_depth, 16);
        bench_destroy(bench);
    }
}

static void test_init_keeps_what_was_typed_before(void **state)
{
    (void)state;
    uint8_t got[8];
    for (uint8_t fifo = 0; fifo <= 1; fifo++) { // as the firmware has left it
        struct bench *bench = calloc(1, sizeof(*bench));
        assert_non_null(bench);
        bench->model.fcr = fifo;
        const char *typed = fifo != 0 ? "abc" : "a";
        for (size_t i = 0; i < strlen(typed); i++) {
            uart_model_receive(&bench->model, (uint8_t)typed[i], 0);
        }
        uart_model_receive(&bench->model, 'x', fifo != 0 ? 0x08 : 0); // garbage, or one too many
        struct ns16550_config config = config_of(bench);
        assert_int_equal(ns16550_init(&bench->uart, &ops, &bench->model, &config), NX_OK);
        assert_int_equal(ns16550_read(&bench->uart, got, sizeof(got)), strlen(typed));
        assert_memory_equal(got, typed, strlen(typed));
        bench_destroy(bench);
    }
}

static void test_read_past_drops_up_to_the_last_such_byte(void **state)
{
    (void)state;
    struct bench *bench = bench_ready(0);
    uint8_t got[16];
    const char *typed = "ab\x03"
                        "c\x03"
                        "de";
    for (size_t round = 0; round < 2 * RECEIVE_SIZE; round++) { // wherever the ring's end falls
        for (size_t i = 0; i < strlen(typed); i++) {
            uart_model_receive(&bench->model, (uint8_t)typed[i], 0);
        }
        uart_model_silence(&bench->model);
        bench_serve(bench);
        assert_false(ns16550_read_past(&bench->uart, 'x'));
        assert_true(ns16550_read_past(&bench->uart, 0x03));
        assert_false(ns16550_read_past(&bench->uart, 0x03));
        assert_int_equal(ns16550_read(&bench->uart, got, sizeof(got)), 2);
        assert_memory_equal(got, "de", 2);
    }
    bench_destroy(bench);
}

static void test_init_sets_the_divisor_when_it_knows_the_clock(void **state)
{
    (void)state;
    static const struct {
        uint32_t clock, baud;
        uint16_t divisor;
        enum nx_status expected;
    } rows[] = {
        {3686400, 115200, 2, NX_OK},
        {1843200, 9600, 12, NX_OK},
        {3686400, 90000, 3, NX_OK}, // nearest to 2.56
        {0, 115200, 0, NX_ERR_INVALID_ARGUMENT},
        {1000, 115200, 0, NX_ERR_INVALID_ARGUMENT},
        {UINT32_MAX, 1, 0, NX_ERR_INVALID_ARGUMENT},
        {UINT32_MAX, UINT32_MAX, 0, NX_ERR_INVALID_ARGUMENT},
    };
    for (size_t row = 0; row < sizeof(rows) / sizeof(rows[0]); row++) {
        struct bench *bench = bench_ready(0);
        struct ns16550_config config = config_of(bench);
        config.clock_hz = rows[row].clock;
        config.baud = rows[row].baud;
        assert_int_equal(ns16550_init(&bench->uart, &ops, &bench->model, &config),
                         rows[row].expected);
        assert_int_equal(bench->model.divisor, rows[row].divisor);
        assert_int_equal(bench->model.lcr, 0x03);
        bench_destroy(bench);
    }
}

static void test_init_refuses_bad_arguments(void **state)
{
    (void)state;
    struct bench *bench = bench_ready(0);
    struct ns16550_config bad[7];
    const struct ns16550_ops half = {.read = uart_model_read, .write = NULL};
    for (size_t row = 0; row < 7; row++) {
        bad[row] = config_of(bench);
    }
    bad[0].register_shift = 5;
    bad[1].transmit = NULL;
    bad[2].transmit_size = 0;
    bad[3].transmit_size = 63;
    bad[4].receive = NULL;
    bad[5].receive_size = (size_t)1 << 21;
    bad[6].receive_size = 24;
    for (size_t row = 0; row < 7; row++) {
        assert_int_equal(ns16550_init(&bench->uart, &ops, &bench->model, &bad[row]),
                         NX_ERR_INVALID_ARGUMENT);
    }
    struct ns16550_config good = config_of(bench);
    assert_int_equal(ns16550_init(NULL, &ops, NULL, &good), NX_ERR_INVALID_ARGUMENT);
    assert_int_equal(ns16550_init(&bench->uart, NULL, NULL, &good), NX_ERR_INVALID_ARGUMENT);
    assert_int_equal(ns16550_init(&bench->uart, &half, NULL, &good), NX_ERR_INVALID_ARGUMENT);
    assert_int_equal(ns16550_init(&bench->uart, &ops, NULL, NULL), NX_ERR_INVALID_ARGUMENT);
    bench_destroy(bench);
}

static void test_no_uart_is_not_found(void **state)
{
    (void)state;
    struct bench *bench = bench_ready(0);
    struct ns16550_config config = config_of(bench);
    bench->model.absent = true;
    bench->model.floating = 0xff;
    assert_int_equal(ns16550_init(&bench->uart, &ops, &bench->model, &config), NX_ERR_NOT_FOUND);
    bench->model.floating = 0;
    assert_int_equal(ns16550_init(&bench->uart, &ops, &bench->model, &config), NX_ERR_NOT_FOUND);
    bench_destroy(bench);
}

static void test_a_short_line_goes_out_without_an_interrupt(void **state)
{
    (void)state;
    struct bench *bench = bench_ready(0);
    assert_int_equal(ns16550_write(&bench->uart, "hello, uart\n", 12), 12);
    assert_int_equal(bench->model.ier, 0x05);
    assert_int_equal(ns16550_write_pending(&bench->uart), 0);
    uart_model_drain(&bench->model);
    assert_false(uart_model_line(&bench->model));
    assert_memory_equal(bench->model.wire, "hello, uart\n", 12);
    bench_destroy(bench);
}

static void test_a_line_that_finds_the_transmitter_busy_follows_by_interrupt(void **state)
{
    (void)state;
    struct bench *bench = bench_ready(0);
    assert_int_equal(ns16550_write(&bench->uart, "one ", 4), 4);
    assert_int_equal(ns16550_write(&bench->uart, "two", 3), 3);
    assert_int_equal(ns16550_write_pending(&bench->uart), 3);
    uart_model_drain(&bench->model);
    bench_serve(bench);
    uart_model_drain(&bench->model);
    assert_int_equal(bench->model.wire_length, 7);
    assert_memory_equal(bench->model.wire, "one two", 7);
    bench_destroy(bench);
}

// Many rounds, so that the free-running positions of a 64-byte ring wrap often.
static void transmit_much(struct bench *bench)
{
    uint32_t sent = 0;
    while (sent < 60000) {
        uint8_t chunk[23];
        for (uint32_t index = 0; index < sizeof(chunk); index++) {
            chunk[index] = (uint8_t)((sent + index) * 7 + (sent + index) / 256);
        }
        size_t room = ns16550_write_room(&bench->uart);
        size_t accepted = ns16550_write(&bench->uart, chunk, sizeof(chunk));
        assert_int_equal(accepted, room < sizeof(chunk) ? room : sizeof(chunk));
        sent += (uint32_t)accepted;
        if (accepted < sizeof(chunk)) {
            uart_model_drain(&bench->model);
            bench_serve(bench);
        }
    }
    for (int turn = 0; turn < 200 && bench->model.wire_length < sent; turn++) {
        uart_model_drain(&bench->model);
        bench_serve(bench);
    }
    assert_int_equal(bench->model.wire_length, sent);
    for (uint32_t index = 0; index < sent; index++) {
        assert_int_equal(bench->model.wire[index], (uint8_t)(index * 7 + index / 256));
    }
    uart_model_drain(&bench->model);
    bench_serve(bench);
    assert_int_equal(bench->model.ier, 0x05); // nothing to send: no transmit interrupt
    assert_int_equal(bench->uart.counters.transmitted, sent);
}

static void test_much_output_arrives_whole_and_in_order(void **state)
{
    (void)state;
    struct bench *bench = bench_ready(0);
    transmit_much(bench);
    bench_destroy(bench);
}

static void test_a_uart_without_fifo_gets_one_byte_at_a_time(void **state)
{
    (void)state;
    struct bench *bench = bench_ready(2);
    struct ns16550_config config = config_of(bench);
    bench->model.without_fifo = true;
    bench->model.fcr = 0;
    assert_int_equal(ns16550_init(&bench->uart, &ops, &bench->model, &config), NX_OK);
    assert_int_equal(bench->uart.fifo_depth, 1);
    transmit_much(bench);
    bench_destroy(bench);
}

static void test_input_arrives_at_the_trigger_level_and_at_the_timeout(void **state)
{
    (void)state;
    struct bench *bench = bench_ready(0);
    uint8_t got[16];
    for (uint8_t index = 0; index < 7; index++) {
        uart_model_receive(&bench->model, (uint8_t)('a' + index), 0);
    }
    assert_false(uart_model_line(&bench->model)); // below the trigger
    uart_model_silence(&bench->model);
    bench_serve(bench);
    assert_int_equal(ns16550_read(&bench->uart, got, sizeof(got)), 7);
    assert_memory_equal(got, "abcdefg", 7);
    for (uint8_t index = 0; index < 8; index++) {
        uart_model_receive(&bench->model, (uint8_t)('A' + index), 0);
    }
    bench_serve(bench);
    assert_int_equal(ns16550_read(&bench->uart, got, 3), 3);
    assert_int_equal(ns16550_read(&bench->uart, got + 3, sizeof(got) - 3), 5);
    assert_memory_equal(got, "ABCDEFGH", 8);
    assert_int_equal(ns16550_read(&bench->uart, got, sizeof(got)), 0);
    bench_destroy(bench);
}

static void test_a_full_receive_ring_drops_the_new_and_keeps_the_old(void **state)
{
    (void)state;
    struct bench *bench = bench_ready(0);
    uint8_t got[64];
    for (uint32_t index = 0; index < 48; index++) {
        uart_model_receive(&bench->model, (uint8_t)index, 0);
        bench_serve(bench);
    }
    assert_int_equal(ns16550_read(&bench->uart, got, sizeof(got)), RECEIVE_SIZE);
    for (uint32_t index = 0; index < RECEIVE_SIZE; index++) {
        assert_int_equal(got[index], index);
    }
    assert_int_equal(bench->uart.counters.receive_dropped, 48 - RECEIVE_SIZE);
    bench_destroy(bench);
}

static void test_line_errors_are_counted_and_bad_bytes_dropped(void **state)
{
    (void)state;
    struct bench *bench = bench_ready(0);
    uint8_t got[16];
    uart_model_receive(&bench->model, 'a', 0);
    uart_model_receive(&bench->model, 'b', 0x04); // parity
    uart_model_receive(&bench->model, 'c', 0);
    uart_model_receive(&bench->model, 'd', 0x08); // framing
    uart_model_receive(&bench->model, 0, 0x18);   // break
    uart_model_receive(&bench->model, 'e', 0);
    uart_model_silence(&bench->model);
    bench_serve(bench);
    assert_int_equal(ns16550_read(&bench->uart, got, sizeof(got)), 3);
    assert_memory_equal(got, "ace", 3);
    assert_int_equal(bench->uart.counters.parity_errors, 1);
    assert_int_equal(bench->uart.counters.framing_errors, 1);
    assert_int_equal(bench->uart.counters.breaks, 1);
    bench_destroy(bench);
}

static void test_an_overrun_is_counted_and_the_sixteen_bytes_are_good(void **state)
{
    (void)state;
    struct bench *bench = bench_ready(0);
    uint8_t got[32];
    for (uint32_t index = 0; index < 20; index++) {
        uart_model_receive(&bench->model, (uint8_t)index, 0);
    }
    bench_serve(bench);
    assert_int_equal(ns16550_read(&bench->uart, got, sizeof(got)), 16);
    for (uint32_t index = 0; index < 16; index++) {
        assert_int_equal(got[index], index);
    }
    assert_int_equal(bench->uart.counters.overruns, 1);
    bench_destroy(bench);
}

// Writing looks at the line status, which takes the error bits of the waiting byte away.
static void test_a_bad_byte_is_dropped_even_if_a_write_sees_it_first(void **state)
{
    (void)state;
    struct bench *bench = bench_ready(0);
    uint8_t got[16];
    uart_model_receive(&bench->model, 'x', 0x04);
    uart_model_receive(&bench->model, 'y', 0);
    assert_int_equal(ns16550_write(&bench->uart, "!", 1), 1);
    uart_model_silence(&bench->model);
    bench_serve(bench);
    assert_int_equal(ns16550_read(&bench->uart, got, sizeof(got)), 1);
    assert_int_equal(got[0], 'y');
    assert_int_equal(bench->uart.counters.parity_errors, 1);
    bench_destroy(bench);
}

static void test_both_directions_at_once(void **state)
{
    (void)state;
    struct bench *bench = bench_ready(0);
    uint32_t received = 0;
    uint32_t sent = 0;
    for (uint32_t round = 0; round < 2000; round++) {
        uint8_t got[16];
        uint8_t out[5] = {(uint8_t)sent, (uint8_t)(sent + 1), (uint8_t)(sent + 2),
                          (uint8_t)(sent + 3), (uint8_t)(sent + 4)};
        for (uint32_t index = 0; index < 3; index++) {
            uart_model_receive(&bench->model, (uint8_t)(3 * round + index), 0);
        }
        sent += (uint32_t)ns16550_write(&bench->uart, out, sizeof(out));
        uart_model_drain(&bench->model);
        uart_model_silence(&bench->model);
        bench_serve(bench);
        size_t count = ns16550_read(&bench->uart, got, sizeof(got));
        for (size_t index = 0; index < count; index++, received++) {
            assert_int_equal(got[index], (uint8_t)received);
        }
    }
    assert_int_equal(received, 6000);
    assert_int_equal(sent, 10000);
    assert_int_equal(bench->model.wire_length, 10000);
    assert_int_equal(bench->uart.counters.spurious_interrupts, 0);
    bench_destroy(bench);
}

static void test_an_interrupt_without_cause_is_counted(void **state)
{
    (void)state;
    struct bench *bench = bench_ready(0);
    assert_int_equal(ns16550_interrupt(&bench->uart), NX_OK);
    assert_int_equal(bench->uart.counters.spurious_interrupts, 1);
    bench_destroy(bench);
}

static void test_a_stuck_device_takes_bounded_work(void **state)
{
    (void)state;
    for (uint32_t cause = 0; cause < 16; cause += 2) {
        struct bench *bench = bench_ready(0);
        uint8_t text[40] = {0};
        assert_int_equal(ns16550_write(&bench->uart, text, sizeof(text)), sizeof(text));
        bench->model.stuck_cause = true; // among them "transmitter empty" while it is full
        bench->model.cause = (uint8_t)cause;
        assert_int_equal(ns16550_interrupt(&bench->uart), NX_ERR_DEVICE);
        assert_int_equal(bench->uart.counters.stuck_interrupts, 1);
        bench_destroy(bench);
    }
    struct bench *bench = bench_ready(0);
    uint8_t got[8];
    bench->model.stuck_receive = true;
    assert_int_equal(ns16550_interrupt(&bench->uart), NX_ERR_DEVICE);
    assert_int_equal(bench->uart.counters.received, RECEIVE_SIZE);
    assert_true(bench->uart.counters.receive_dropped < 10000);
    bench->model.stuck_receive = false;
    // And it works again once the device does.
    while (ns16550_read(&bench->uart, got, sizeof(got)) > 0) {
    }
    uart_model_receive(&bench->model, 'k', 0);
    uart_model_silence(&bench->model);
    bench_serve(bench);
    assert_int_equal(ns16550_read(&bench->uart, got, sizeof(got)), 1);
    assert_int_equal(got[0], 'k');
    bench_destroy(bench);
}

static void test_a_watched_line_tells_when_its_bytes_have_left(void **state)
{
    (void)state;
    struct bench *bench = bench_ready(0);
    uint8_t text[20] = {0};
    assert_int_equal(ns16550_write(&bench->uart, text, sizeof(text)), sizeof(text));
    assert_int_equal(ns16550_accepted(&bench->uart), 20);
    assert_int_equal(ns16550_departed(&bench->uart), 0);
    ns16550_watch(&bench->uart, true);
    uart_model_receive(&bench->model, 'r', 0); // its interrupt shows a line that is busy
    uart_model_silence(&bench->model);
    bench_serve(bench);
    assert_int_equal(ns16550_departed(&bench->uart), 0);
    uart_model_drain(&bench->model);
    bench_serve(bench);
    assert_int_equal(ns16550_write_pending(&bench->uart), 0);
    assert_int_equal(ns16550_departed(&bench->uart), 16);
    assert_int_equal(bench->model.ier, 0x07); // the FIFO holds the other four
    uart_model_drain(&bench->model);
    bench_serve(bench);
    assert_int_equal(ns16550_departed(&bench->uart), 20);
    assert_false(ns16550_shifting(&bench->uart));
    assert_int_equal(bench->model.ier, 0x05);
    bench_destroy(bench);
}

static void test_a_watch_that_starts_late_hears_of_it_too(void **state)
{
    (void)state;
    for (int empty = 0; empty < 2; empty++) {
        struct bench *bench = bench_ready(0);
        assert_int_equal(ns16550_write(&bench->uart, "abc", 3), 3);
        assert_int_equal(bench->model.ier, 0x05);
        if (empty) {
            uart_model_drain(&bench->model);
        }
        ns16550_watch(&bench->uart, true);
        if (!empty) {
            bench_serve(bench);
            assert_int_equal(ns16550_departed(&bench->uart), 0);
            uart_model_drain(&bench->model);
        }
        bench_serve(bench);
        assert_int_equal(ns16550_departed(&bench->uart), 3);
        assert_int_equal(bench->model.ier, 0x05);
        bench_destroy(bench);
    }
}

static void test_the_byte_in_the_shift_register_has_not_left(void **state)
{
    (void)state;
    struct bench *bench = bench_ready(0);
    ns16550_watch(&bench->uart, true);
    assert_int_equal(ns16550_write(&bench->uart, "abc", 3), 3);
    assert_false(ns16550_shifting(&bench->uart));
    uart_model_drain_to_last(&bench->model);
    bench_serve(bench);
    assert_int_equal(ns16550_departed(&bench->uart), 2);
    assert_true(ns16550_shifting(&bench->uart));
    assert_int_equal(bench->model.ier, 0x05); // no interrupt would come
    ns16550_look(&bench->uart);
    assert_int_equal(ns16550_departed(&bench->uart), 2);
    uart_model_drain(&bench->model);
    ns16550_look(&bench->uart);
    assert_int_equal(ns16550_departed(&bench->uart), 3);
    assert_false(ns16550_shifting(&bench->uart));
    bench_destroy(bench);
}

static void test_stop_silences_the_device(void **state)
{
    (void)state;
    struct bench *bench = bench_ready(0);
    uint8_t text[40] = {0};
    assert_int_equal(ns16550_write(&bench->uart, text, sizeof(text)), sizeof(text));
    assert_int_equal(bench->model.ier, 0x07);
    ns16550_stop(&bench->uart);
    assert_int_equal(bench->model.ier, 0);
    assert_int_equal(ns16550_write_pending(&bench->uart), 0);
    uart_model_receive(&bench->model, 'a', 0);
    assert_false(uart_model_line(&bench->model));
    bench_destroy(bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_init_sets_8n1_fifos_and_receive_interrupts),
        cmocka_unit_test(test_init_sets_the_divisor_when_it_knows_the_clock),
        cmocka_unit_test(test_init_refuses_bad_arguments),
        cmocka_unit_test(test_no_uart_is_not_found),
        cmocka_unit_test(test_a_short_line_goes_out_without_an_interrupt),
        cmocka_unit_test(test_a_line_that_finds_the_transmitter_busy_follows_by_interrupt),
        cmocka_unit_test(test_much_output_arrives_whole_and_in_order),
        cmocka_unit_test(test_a_uart_without_fifo_gets_one_byte_at_a_time),
        cmocka_unit_test(test_input_arrives_at_the_trigger_level_and_at_the_timeout),
        cmocka_unit_test(test_init_keeps_what_was_typed_before),
        cmocka_unit_test(test_read_past_drops_up_to_the_last_such_byte),
        cmocka_unit_test(test_a_full_receive_ring_drops_the_new_and_keeps_the_old),
        cmocka_unit_test(test_line_errors_are_counted_and_bad_bytes_dropped),
        cmocka_unit_test(test_an_overrun_is_counted_and_the_sixteen_bytes_are_good),
        cmocka_unit_test(test_a_bad_byte_is_dropped_even_if_a_write_sees_it_first),
        cmocka_unit_test(test_both_directions_at_once),
        cmocka_unit_test(test_an_interrupt_without_cause_is_counted),
        cmocka_unit_test(test_a_stuck_device_takes_bounded_work),
        cmocka_unit_test(test_a_watched_line_tells_when_its_bytes_have_left),
        cmocka_unit_test(test_a_watch_that_starts_late_hears_of_it_too),
        cmocka_unit_test(test_the_byte_in_the_shift_register_has_not_left),
        cmocka_unit_test(test_stop_silences_the_device),
    };
    return cmocka_run_group_tests_name("ns16550", tests, NULL, NULL);
}
