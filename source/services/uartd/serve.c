// SPDX-License-Identifier: Apache-2.0
// The requests of uart.capnp. Every well-formed one gets a Response; what is not well-formed gets a
// status in register word 0.
#include "uart.capnp.h"
#include "uartd.h"

void uartd_answer(nx_handle reply, size_t bytes)
{
    struct nx_message message = {.words = {NX_OK}, .info = NX_INFO(bytes, 0)};
    // The only failure is that the caller has gone.
    (void)!nx_endpoint_reply(reply, &message);
}

void uartd_answer_status(nx_handle reply, enum nx_status status)
{
    struct capnp_builder message;
    struct uart_response_builder response;

    if (uart_response_begin(&message, nx_page()->data, NX_MESSAGE_BYTES_MAX, &response) != NX_OK) {
        return; // an empty page always has room
    }
    uart_response_set_status(&response, (uint16_t)status);
    uart_response_set_empty(&response);
    uartd_answer(reply, capnp_builder_bytes(&message));
}

static void answer_transport(enum nx_status status)
{
    struct nx_message message = {.words = {status}};
    (void)!nx_endpoint_reply(NX_HANDLE_NONE, &message);
}

// Keeps the bytes and the caller; uartd_output then prints them. The main loop takes no requests
// while all places are taken.
static enum nx_status serve_write(struct uartd *uartd, uint64_t badge,
                                  const struct uart_request_reader *request)
{
    struct capnp_data data;
    struct writer *writer = &uartd->writers[uartd->writer_count];

    enum nx_status status = uart_request_write_data(request, &data);
    if (status != NX_OK) {
        return status;
    }
    if (data.length == 0) {
        return NX_ERR_INVALID_ARGUMENT;
    }
    if (data.length > WRITE_BYTES || uartd->writer_count == WRITERS_MAX) {
        return NX_ERR_TOO_LARGE;
    }
    status = nx_reply_save(&writer->reply);
    if (status != NX_OK) {
        return status;
    }
    writer->badge = badge;
    writer->number = uartd->writes_taken++;
    writer->length = data.length;
    writer->done = 0;
    memcpy(writer->data, data.bytes, data.length);
    uartd->writer_count++;
    uartd->drain.pending = true; // what was logged before this write comes out before it
    return NX_OK;
}

static enum nx_status serve_read_line(struct uartd *uartd, uint64_t badge,
                                      const struct uart_request_reader *request)
{
    struct capnp_text prompt;
    enum nx_status status = uart_request_read_line_prompt(request, &prompt);
    return status == NX_OK ? uartd_read_line(uartd, badge, prompt.bytes, prompt.length) : status;
}

static enum nx_status completions_take(struct uartd *uartd,
                                       const struct uart_request_reader *request)
{
    struct capnp_list words;
    struct capnp_text word;

    console_words_clear(&uartd->console);
    enum nx_status status = uart_request_set_completions_words(request, &words);
    for (uint32_t i = 0; status == NX_OK && i < words.count; i++) {
        status = capnp_list_text(&words, i, &word);
        if (status == NX_OK) {
            status = console_words_add(&uartd->console, word.bytes, word.length);
        }
    }
    if (status != NX_OK) {
        console_words_clear(&uartd->console); // all of them or none
    }
    return status;
}

static enum nx_status report_build(const struct uartd *uartd, struct capnp_builder *message)
{
    const struct ns16550_counters *counters = &uartd->port.counters;
    struct uart_response_builder response;
    struct uart_report_builder report;

    enum nx_status status =
        uart_response_begin(message, nx_page()->data, NX_MESSAGE_BYTES_MAX, &response);
    if (status == NX_OK) {
        status = uart_response_init_report(&response, &report);
    }
    if (status == NX_OK) {
        uart_report_set_mmio_base(&report, nx_start()->device_base);
        uart_report_set_interrupt_number(&report, nx_start()->interrupt_number);
        uart_report_set_bytes_in(&report, counters->received);
        uart_report_set_bytes_out(&report, counters->transmitted);
        uart_report_set_interrupts(&report, counters->interrupts);
        uart_report_set_overruns(&report, counters->overruns + counters->receive_dropped);
        uart_report_set_kernel_log_bytes(&report, uartd->drain.bytes_printed);
    }
    return status;
}

static void serve_status(const struct uartd *uartd)
{
    struct capnp_builder message;
    enum nx_status status = report_build(uartd, &message);

    if (status == NX_OK) {
        uartd_answer(NX_HANDLE_NONE, capnp_builder_bytes(&message));
    } else {
        uartd_answer_status(NX_HANDLE_NONE, status);
    }
}

// Takes over `handle`, the one that came with the request.
static void serve_request(struct uartd *uartd, uint64_t badge,
                          const struct uart_request_reader *request, nx_handle handle)
{
    enum nx_status status;

    if (uart_request_which(request) == UART_REQUEST_WATCH_INTERRUPT) {
        uartd_watch_interrupt(uartd, handle, uart_request_watch_interrupt_bits(request));
        uartd_answer_status(NX_HANDLE_NONE, NX_OK);
        return;
    }
    nx_handle_drop(handle); // no other request wants one
    switch (uart_request_which(request)) {
    case UART_REQUEST_STATUS:
        serve_status(uartd);
        return;
    case UART_REQUEST_WRITE:
        status = serve_write(uartd, badge, request);
        break;
    case UART_REQUEST_READ_LINE:
        status = serve_read_line(uartd, badge, request);
        break;
    case UART_REQUEST_READ_BYTES:
        status = uartd_read_bytes(uartd, badge, uart_request_read_bytes_maximum(request));
        break;
    case UART_REQUEST_SET_COMPLETIONS:
        uartd_answer_status(NX_HANDLE_NONE, completions_take(uartd, request));
        return;
    case UART_REQUEST_FLUSH:
        status = uartd_flush_begin(uartd);
        break;
    default: // from a client with a newer schema
        status = NX_ERR_UNSUPPORTED;
        break;
    }
    if (status != NX_OK) { // on NX_OK the caller waits for its answer
        uartd_answer_status(NX_HANDLE_NONE, status);
    }
}

void uartd_serve(struct uartd *uartd, const struct nx_message *message)
{
    struct capnp_reader reader;
    struct uart_request_reader request;

    uint32_t handles = NX_INFO_HANDLES(message->info);
    nx_handle handle = handles > 0 ? nx_page()->handles[0] : NX_HANDLE_NONE;

    // No request brings more than one; whatever else came would only fill the table.
    for (uint32_t i = 1; i < handles; i++) {
        nx_handle_drop(nx_page()->handles[i]);
    }
    enum nx_status status =
        uart_request_decode(nx_page()->data, NX_INFO_BYTES(message->info), &reader, &request);
    if (status != NX_OK) {
        nx_handle_drop(handle);
        answer_transport(NX_ERR_BAD_FORMAT);
        return;
    }
    serve_request(uartd, message->badge, &request, handle);
}
