// SPDX-License-Identifier: Apache-2.0
// Input of uartd: from the receive ring through the line editor to the one reader.
#include "uart.capnp.h"
#include "uartd.h"

// Bytes that one answer of readBytes holds beside its Cap'n Proto frame.
#define READ_BYTES_MAX 960u
#define CTRL_C         0x03u

// Ends the wait; the caller then builds the answer for the handle that this returns.
static nx_handle reader_release(struct uartd *uartd)
{
    nx_handle reply = uartd->reader.reply;
    uartd->reader = (struct reader){.kind = READER_NONE};
    return reply;
}

static enum nx_status line_build(struct uartd *uartd, enum console_event event,
                                 struct capnp_builder *message)
{
    struct uart_response_builder response;
    struct capnp_text text;
    size_t length;

    enum nx_status status =
        uart_response_begin(message, nx_page()->data, NX_MESSAGE_BYTES_MAX, &response);
    if (status != NX_OK) {
        return status;
    }
    text.bytes = console_line(&uartd->console, &length);
    text.length = (uint32_t)length;
    uart_response_init_read_line(&response);
    uart_response_set_read_line_end_of_file(&response, event == CONSOLE_END_OF_FILE);
    uart_response_set_read_line_interrupted(&response, event == CONSOLE_INTERRUPTED);
    return uart_response_set_read_line_line(&response, text);
}

static void line_finish(struct uartd *uartd, enum console_event event)
{
    struct capnp_builder message;
    nx_handle reply = reader_release(uartd);

    enum nx_status status =
        event == CONSOLE_TOO_LONG ? NX_ERR_TOO_LARGE : line_build(uartd, event, &message);
    if (status == NX_OK) {
        uartd_answer(reply, capnp_builder_bytes(&message));
    } else {
        uartd_answer_status(reply, status);
    }
}

static bool line_advance(struct uartd *uartd)
{
    uint8_t byte;

    if (!uartd_echo_fits(uartd) || ns16550_read(&uartd->port, &byte, 1) == 0) {
        return false;
    }
    uartd_line_close(uartd);
    enum console_event event = console_input(&uartd->console, byte);
    if (event != CONSOLE_PENDING) {
        line_finish(uartd, event);
    }
    return true;
}

static void bytes_advance(struct uartd *uartd)
{
    uint8_t bytes[READ_BYTES_MAX];
    struct capnp_builder message;
    struct uart_response_builder response;
    size_t count = ns16550_read(&uartd->port, bytes, uartd->reader.maximum);

    if (count == 0) {
        return;
    }
    nx_handle reply = reader_release(uartd);
    enum nx_status status =
        uart_response_begin(&message, nx_page()->data, NX_MESSAGE_BYTES_MAX, &response);
    if (status == NX_OK) {
        uart_response_init_read_bytes(&response);
        status = uart_response_set_read_bytes_data(&response,
                                                   (struct capnp_data){bytes, (uint32_t)count});
    }
    if (status == NX_OK) {
        uartd_answer(reply, capnp_builder_bytes(&message));
    } else {
        uartd_answer_status(reply, status);
    }
}

// Nothing else is kept of a client: a right to receive would keep those asleep who wait for its
// end.
static bool is_notification(nx_handle handle)
{
    enum nx_object_type type;
    uint32_t rights;
    return nx_handle_info(handle, &type, &rights) == NX_OK && type == NX_OBJECT_NOTIFICATION;
}

void uartd_watch_interrupt(struct uartd *uartd, nx_handle notification, uint64_t bits)
{
    if (notification != NX_HANDLE_NONE && !is_notification(notification)) {
        nx_handle_drop(notification);
        notification = NX_HANDLE_NONE;
    }
    nx_handle_drop(uartd->interrupt_watch);
    uartd->interrupt_watch = notification;
    uartd->interrupt_bits = bits;
}

// Whoever watches for Ctrl-C gets it whether somebody reads or not.
static void interrupt_advance(struct uartd *uartd)
{
    if (uartd->interrupt_watch != NX_HANDLE_NONE && ns16550_read_past(&uartd->port, CTRL_C) &&
        nx_notification_signal(uartd->interrupt_watch, uartd->interrupt_bits) != NX_OK) {
        uartd_watch_interrupt(uartd, NX_HANDLE_NONE, 0); // nothing that could be signalled
    }
}

void uartd_input(struct uartd *uartd)
{
    interrupt_advance(uartd);
    while (uartd->reader.kind == READER_LINE && line_advance(uartd)) {
    }
    if (uartd->reader.kind == READER_BYTES) {
        bytes_advance(uartd);
    }
}

// The same client again: it was restarted, or another of its threads lost patience. Nobody else can
// tell whether a waiting client still lives, so its own badge is what frees the console.
static enum nx_status reader_take(struct uartd *uartd, uint64_t badge, enum reader_kind kind)
{
    nx_handle reply;

    if (uartd->reader.kind != READER_NONE && uartd->reader.badge != badge) {
        return NX_ERR_BUSY;
    }
    enum nx_status status = nx_reply_save(&reply);
    if (status != NX_OK) {
        return status;
    }
    if (uartd->reader.kind != READER_NONE) {
        console_abandon(&uartd->console);
        uartd_answer_status(reader_release(uartd), NX_ERR_CANCELLED);
    }
    uartd->reader = (struct reader){.kind = kind, .reply = reply, .badge = badge};
    return NX_OK;
}

enum nx_status uartd_read_bytes(struct uartd *uartd, uint64_t badge, uint32_t maximum)
{
    if (maximum == 0) {
        return NX_ERR_INVALID_ARGUMENT;
    }
    enum nx_status status = reader_take(uartd, badge, READER_BYTES);
    if (status == NX_OK) {
        uartd->reader.maximum = maximum < READ_BYTES_MAX ? maximum : READ_BYTES_MAX;
    }
    return status;
}

enum nx_status uartd_read_line(struct uartd *uartd, uint64_t badge, const char *prompt,
                               size_t length)
{
    char copy[CONSOLE_PROMPT_BYTES]; // the prompt lies in the page, which answers overwrite
    size_t kept = length < sizeof(copy) ? length : sizeof(copy);

    memcpy(copy, prompt, kept);
    enum nx_status status = reader_take(uartd, badge, READER_LINE);
    if (status == NX_OK) {
        uartd_line_close(uartd);
        console_begin(&uartd->console, copy, kept);
    }
    return status;
}
