// SPDX-License-Identifier: Apache-2.0
// The world around uartd in host tests: see world.h.
#include "world.h"
#include "uart.capnp.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static struct world *world;

// ---- Runtime and kernel -------------------------------------------------------------------------

uint64_t nx_clock_now(void)
{
    return world->now;
}

struct nx_message_page *nx_page(void)
{
    return &world->page;
}

const struct nx_start_info *nx_start(void)
{
    return &world->start;
}

void nx_handle_drop(nx_handle handle)
{
    world->dropped_handles += handle != NX_HANDLE_NONE;
}

enum nx_status nx_handle_info(nx_handle handle, enum nx_object_type *type, uint32_t *rights)
{
    *type = handle == NO_NOTIFICATION ? NX_OBJECT_ENDPOINT : NX_OBJECT_NOTIFICATION;
    *rights = NX_RIGHT_SIGNAL;
    return NX_OK;
}

enum nx_status nx_reply_save(nx_handle *reply)
{
    if (!world->current_open) {
        return NX_ERR_BAD_STATE;
    }
    world->current_open = false;
    *reply = (nx_handle)world->calls;
    return NX_OK;
}

enum nx_status nx_endpoint_reply(nx_handle reply, const struct nx_message *message)
{
    if (reply == NX_HANDLE_NONE) {
        assert_true(world->current_open);
        world->current_open = false;
        reply = (nx_handle)world->calls;
    }
    struct answer *answer = &world->answers[reply - 1];
    assert_false(answer->given); // a reply right is good for one answer
    answer->given = true;
    answer->output_length = world->output_length;
    answer->transport = (enum nx_status)message->words[0];
    answer->bytes = NX_INFO_BYTES(message->info);
    memcpy(answer->data, world->page.data, answer->bytes);
    return world->caller_dead ? NX_ERR_PEER_CLOSED : NX_OK;
}

enum nx_status nx_notification_signal(nx_handle notification, uint64_t bits)
{
    world->signalled = notification;
    world->signalled_bits = bits;
    world->signals++;
    return NX_OK;
}

enum nx_status nx_log_read(nx_handle log, uint64_t cursor, struct nx_log_part *part)
{
    (void)log;
    uint64_t rest = world->log_length - cursor;
    *part = (struct nx_log_part){.lost = world->log_lost};
    part->bytes = rest < NX_MESSAGE_BYTES_MAX ? rest : NX_MESSAGE_BYTES_MAX;
    part->next_cursor = cursor + part->bytes;
    memset(world->page.data, 0xee, sizeof(world->page.data)); // whoever still needs it sees that
    memcpy(world->page.data, world->log + cursor, part->bytes);
    world->log_lost = 0;
    return NX_OK;
}

// ---- The device ---------------------------------------------------------------------------------

static bool transmitter_interrupts(void)
{
    return (world->interrupt_enable & 2) != 0 && world->fifo_used == 0;
}

static uint8_t line_status(void)
{
    unsigned received = *world->typed != '\0' ? 0x01 : 0;
    unsigned fifo_empty = world->fifo_used == 0 ? 0x20 : 0;
    unsigned all_empty = world->fifo_used == 0 && !world->shift_full ? 0x40 : 0;
    return (uint8_t)(received | fifo_empty | all_empty);
}

static uint8_t device_read(void *context, uint32_t offset)
{
    (void)context;
    switch (offset) {
    case 0:
        return (uint8_t)*world->typed++;
    case 1:
        return world->interrupt_enable;
    case 2:
        return *world->typed != '\0' ? 0xc4 : transmitter_interrupts() ? 0xc2 : 0xc1;
    case 5:
        world->line_looks++;
        return line_status();
    case 7:
        return world->scratch;
    default:
        return 0;
    }
}

static void device_write(void *context, uint32_t offset, uint8_t value)
{
    (void)context;
    if (offset == 0) {
        assert_true(world->fifo_used < FIFO_BYTES);
        world->fifo[world->fifo_used++] = value;
    } else if (offset == 1) {
        world->interrupt_enable = value;
    } else if (offset == 7) {
        world->scratch = value;
    }
}

static const struct ns16550_ops device_ops = {device_read, device_write};

static void byte_leaves(void)
{
    assert_true(world->output_length + 1 < OUTPUT_MAX);
    world->output[world->output_length] = (char)world->shift;
    world->output_length++;
    world->output[world->output_length] = '\0';
    terminal_sink(&world->terminal, (const char *)&world->shift, 1);
    world->shift_full = false;
}

// The line takes what is in the FIFO. Whether it did.
static bool device_advances(void)
{
    if (world->stalled || (world->fifo_used == 0 && (!world->shift_full || world->holds_last))) {
        return false;
    }
    for (size_t i = 0; i < world->fifo_used; i++) {
        if (world->shift_full) {
            byte_leaves();
        }
        world->shift = world->fifo[i];
        world->shift_full = true;
    }
    world->fifo_used = 0;
    if (!world->holds_last) {
        byte_leaves();
    }
    return true;
}

// ---- Driving it ---------------------------------------------------------------------------------

struct world *world_new(void)
{
    world = calloc(1, sizeof(*world));
    world->typed = "";
    world->start.device_base = 0x10000000;
    world->start.interrupt_number = 10;
    struct uartd *uartd = &world->uartd;
    struct ns16550_config config = {
        .transmit = uartd->transmit_memory,
        .transmit_size = TRANSMIT_BYTES,
        .receive = uartd->receive_memory,
        .receive_size = RECEIVE_BYTES,
    };
    uartd->look_deadline = NX_DEADLINE_NEVER;
    console_init(&uartd->console, uartd_echo, uartd);
    assert_int_equal(ns16550_init(&uartd->port, &device_ops, NULL, &config), NX_OK);
    return world;
}

void world_free(void)
{
    const char *error = world->terminal.error;
    free(world);
    world = NULL;
    assert_null(error);
}

void world_run(void)
{
    bool moved;
    do {
        uartd_input(&world->uartd);
        uartd_output(&world->uartd);
        uartd_flush(&world->uartd);
        moved = device_advances();
        if (*world->typed != '\0' || transmitter_interrupts()) {
            assert_int_equal(ns16550_interrupt(&world->uartd.port), NX_OK);
            moved = true;
        }
    } while (moved);
}

void world_log(const char *text)
{
    size_t length = strlen(text);
    assert_true(world->log_length + length <= sizeof(world->log));
    memcpy(world->log + world->log_length, text, length);
    world->log_length += length;
    world->uartd.drain.pending = true;
    world_run();
}

void world_type(const char *keys)
{
    world->typed = keys;
    world_run();
}

static size_t send_with(uint64_t badge, size_t bytes, nx_handle handle)
{
    struct nx_message message = {.info = NX_INFO(bytes, handle != NX_HANDLE_NONE), .badge = badge};
    world->page.handles[0] = handle;
    size_t call = world->calls++;
    assert_true(call < ANSWERS_MAX);
    assert_true(world->uartd.writer_count < WRITERS_MAX); // else the loop would not receive
    world->current_open = true;
    uartd_serve(&world->uartd, &message);
    assert_false(world->current_open); // answered or saved
    world_run();
    return call;
}

size_t world_send(uint64_t badge, size_t bytes)
{
    return send_with(badge, bytes, NX_HANDLE_NONE);
}

struct request {
    struct capnp_builder message;
    struct uart_request_builder builder;
};

static struct request request_begin(void)
{
    struct request request;
    assert_int_equal(uart_request_begin(&request.message, world->page.data, NX_MESSAGE_BYTES_MAX,
                                        &request.builder),
                     NX_OK);
    return request;
}

size_t world_write_bytes(uint64_t badge, const void *bytes, size_t length)
{
    struct request request = request_begin();
    struct capnp_data data = {bytes, (uint32_t)length};
    request.builder.message = &request.message;
    uart_request_init_write(&request.builder);
    assert_int_equal(uart_request_set_write_data(&request.builder, data), NX_OK);
    return world_send(badge, capnp_builder_bytes(&request.message));
}

size_t world_write(uint64_t badge, const char *text)
{
    return world_write_bytes(badge, text, strlen(text));
}

size_t world_read_line(uint64_t badge, const char *prompt)
{
    struct request request = request_begin();
    request.builder.message = &request.message;
    uart_request_init_read_line(&request.builder);
    assert_int_equal(uart_request_set_read_line_prompt(&request.builder, capnp_text_of(prompt)),
                     NX_OK);
    return world_send(badge, capnp_builder_bytes(&request.message));
}

size_t world_read_bytes(uint64_t badge, uint32_t maximum)
{
    struct request request = request_begin();
    request.builder.message = &request.message;
    uart_request_init_read_bytes(&request.builder);
    uart_request_set_read_bytes_maximum(&request.builder, maximum);
    return world_send(badge, capnp_builder_bytes(&request.message));
}

size_t world_flush(uint64_t badge)
{
    struct request request = request_begin();
    request.builder.message = &request.message;
    uart_request_set_flush(&request.builder);
    return world_send(badge, capnp_builder_bytes(&request.message));
}

size_t world_watch(uint64_t badge, nx_handle notification, uint64_t bits)
{
    struct request request = request_begin();
    request.builder.message = &request.message;
    uart_request_init_watch_interrupt(&request.builder);
    uart_request_set_watch_interrupt_bits(&request.builder, bits);
    return send_with(badge, capnp_builder_bytes(&request.message), notification);
}

size_t world_complete(const char *const *words, uint32_t count)
{
    struct request request = request_begin();
    struct capnp_list_builder list;
    request.builder.message = &request.message;
    uart_request_init_set_completions(&request.builder);
    assert_int_equal(uart_request_init_set_completions_words(&request.builder, count, &list),
                     NX_OK);
    for (uint32_t i = 0; i < count; i++) {
        assert_int_equal(capnp_list_set_text(&list, i, capnp_text_of(words[i])), NX_OK);
    }
    return world_send(1, capnp_builder_bytes(&request.message));
}

static struct capnp_reader answer_message;

static struct uart_response_reader answer_read(size_t call)
{
    struct uart_response_reader response;
    struct answer *answer = &world->answers[call];
    assert_true(answer->given);
    assert_int_equal(answer->transport, NX_OK);
    assert_int_equal(uart_response_decode(answer->data, answer->bytes, &answer_message, &response),
                     NX_OK);
    return response;
}

size_t world_status(struct uart_report_reader *report)
{
    struct request request = request_begin();
    request.builder.message = &request.message;
    uart_request_set_status(&request.builder);
    size_t call = world_send(1, capnp_builder_bytes(&request.message));
    struct uart_response_reader response = answer_read(call);
    assert_int_equal(uart_response_report(&response, report), NX_OK);
    return call;
}

unsigned world_answer(size_t call)
{
    if (!world->answers[call].given) {
        return NOT_ANSWERED;
    }
    struct uart_response_reader response = answer_read(call);
    return uart_response_status(&response);
}

const char *world_line(size_t call)
{
    struct capnp_text text;
    if (!world->answers[call].given) {
        return NULL;
    }
    struct uart_response_reader response = answer_read(call);
    if (uart_response_which(&response) != UART_RESPONSE_READ_LINE) {
        return NULL;
    }
    assert_int_equal(uart_response_read_line_line(&response, &text), NX_OK);
    return text.bytes;
}
