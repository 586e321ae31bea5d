// SPDX-License-Identifier: Apache-2.0
// Client of uartd.
#include "nexus/console.h"
#include "nexus/clock.h"
#include "nexus/service.h"
#include "uart.capnp.h"

#define BUSY_DELAY (10 * NX_MILLISECOND) // before a flush that was refused asks again

// One request under construction, in the message page.
struct console_call {
    struct capnp_builder message;
    struct uart_request_builder request;
    struct capnp_reader answer;
    struct uart_response_reader response;
};

static enum nx_status console_begin(struct console_call *call)
{
    return uart_request_begin(&call->message, nx_page()->data, NX_MESSAGE_BYTES_MAX,
                              &call->request);
}

// Sends the request, with a handle unless that is NX_HANDLE_NONE, and decodes the answer; its own
// status is the result.
static enum nx_status console_finish_with(struct console_call *call, nx_handle handle,
                                          struct nx_retry *retry)
{
    nx_handle endpoint;
    enum nx_status status = nx_service_endpoint(NX_START_CONSOLE, "console", &endpoint);
    if (status != NX_OK) {
        return status;
    }
    struct nx_message reply;
    status = nx_service_call(endpoint, capnp_builder_bytes(&call->message), handle, &reply, retry);
    if (status == NX_OK) {
        status = uart_response_decode(nx_page()->data, NX_INFO_BYTES(reply.info), &call->answer,
                                      &call->response);
    }
    if (status == NX_OK) {
        status = (enum nx_status)uart_response_status(&call->response);
    }
    return status;
}

static enum nx_status console_finish(struct console_call *call, struct nx_retry *retry)
{
    return console_finish_with(call, NX_HANDLE_NONE, retry);
}

bool nx_console_present(void)
{
    return nx_start_handle(NX_START_CONSOLE) != NX_HANDLE_NONE;
}

static enum nx_status console_write_part(const uint8_t *data, uint32_t length, uint32_t *written)
{
    struct console_call call;
    struct nx_retry retry = {0};
    enum nx_status status;
    do {
        status = console_begin(&call);
        if (status == NX_OK) {
            uart_request_init_write(&call.request);
            status = uart_request_set_write_data(&call.request, (struct capnp_data){data, length});
        }
        if (status != NX_OK) {
            return status;
        }
        status = console_finish(&call, &retry);
    } while (nx_retry_again(&retry));
    if (status == NX_OK) {
        *written = uart_response_write_bytes_written(&call.response);
        status = *written > 0 && *written <= length ? NX_OK : NX_ERR_BAD_FORMAT;
    }
    return status;
}

enum nx_status nx_console_write(const void *data, size_t length)
{
    const uint8_t *next = data;
    while (length > 0) {
        uint32_t part = length < NX_CONSOLE_LINE_MAX ? (uint32_t)length : NX_CONSOLE_LINE_MAX;
        uint32_t written = 0;
        enum nx_status status = console_write_part(next, part, &written);
        if (status != NX_OK) {
            return status;
        }
        next += written;
        length -= written;
    }
    return NX_OK;
}

static enum nx_status console_line_copy(const struct console_call *call, char *line, size_t size,
                                        enum nx_line_end *end)
{
    struct capnp_text text;
    if (uart_response_which(&call->response) != UART_RESPONSE_READ_LINE) {
        return NX_ERR_BAD_FORMAT;
    }
    enum nx_status status = uart_response_read_line_line(&call->response, &text);
    if (status != NX_OK) {
        return status;
    }
    size_t length = text.length < size ? text.length : size - 1;
    memcpy(line, text.bytes, length);
    line[length] = '\0';
    *end = NX_LINE_ENTERED;
    if (uart_response_read_line_interrupted(&call->response)) {
        *end = NX_LINE_INTERRUPTED;
    } else if (uart_response_read_line_end_of_file(&call->response)) {
        *end = NX_LINE_END_OF_FILE;
    }
    return NX_OK;
}

enum nx_status nx_console_read_line(const char *prompt, char *line, size_t size,
                                    enum nx_line_end *end)
{
    if (size == 0) {
        return NX_ERR_INVALID_ARGUMENT;
    }
    struct console_call call;
    struct nx_retry retry = {0};
    enum nx_status status;
    do {
        status = console_begin(&call);
        if (status == NX_OK) {
            uart_request_init_read_line(&call.request);
            status = uart_request_set_read_line_prompt(&call.request, capnp_text_of(prompt));
        }
        if (status != NX_OK) {
            return status;
        }
        status = console_finish(&call, &retry);
    } while (nx_retry_again(&retry));
    return status != NX_OK ? status : console_line_copy(&call, line, size, end);
}

enum nx_status nx_console_read_bytes(void *data, size_t size, size_t *length)
{
    struct console_call call;
    struct nx_retry retry = {0};
    enum nx_status status;
    do {
        status = console_begin(&call);
        if (status != NX_OK) {
            return status;
        }
        uart_request_init_read_bytes(&call.request);
        uart_request_set_read_bytes_maximum(
            &call.request, size < NX_CONSOLE_LINE_MAX ? (uint32_t)size : NX_CONSOLE_LINE_MAX);
        status = console_finish(&call, &retry);
    } while (nx_retry_again(&retry));
    struct capnp_data bytes;
    if (status == NX_OK) {
        status = uart_response_read_bytes_data(&call.response, &bytes);
    }
    if (status == NX_OK) {
        *length = bytes.length < size ? bytes.length : size;
        memcpy(data, bytes.bytes, *length);
    }
    return status;
}

enum nx_status nx_console_set_completions(const char *const *words, uint32_t count)
{
    struct console_call call;
    struct nx_retry retry = {0};
    enum nx_status status;
    do {
        struct capnp_list_builder list;
        status = console_begin(&call);
        if (status == NX_OK) {
            uart_request_init_set_completions(&call.request);
            status = uart_request_init_set_completions_words(&call.request, count, &list);
        }
        for (uint32_t i = 0; i < count && status == NX_OK; i++) {
            status = capnp_list_set_text(&list, i, capnp_text_of(words[i]));
        }
        if (status != NX_OK) {
            return status;
        }
        status = console_finish(&call, &retry);
    } while (nx_retry_again(&retry));
    return status;
}

enum nx_status nx_console_watch_interrupt(nx_handle notification, uint64_t bits)
{
    struct console_call call;
    struct nx_retry retry = {0};
    nx_handle target = NX_HANDLE_NONE; // signals and does nothing else
    enum nx_status status = NX_OK;
    if (notification != NX_HANDLE_NONE) {
        status = nx_handle_duplicate(notification, NX_RIGHT_SIGNAL | NX_RIGHT_TRANSFER, 0, &target);
    }
    if (status != NX_OK) {
        return status;
    }
    do {
        status = console_begin(&call);
        if (status != NX_OK) {
            break;
        }
        uart_request_init_watch_interrupt(&call.request);
        uart_request_set_watch_interrupt_bits(&call.request, bits);
        status = console_finish_with(&call, target, &retry);
    } while (nx_retry_again(&retry));
    nx_handle_drop(target);
    return status;
}

static enum nx_status console_flush_once(nx_handle endpoint, uint64_t deadline)
{
    struct console_call call;
    enum nx_status status = console_begin(&call);
    if (status != NX_OK) {
        return status;
    }
    uart_request_set_flush(&call.request);
    nx_page()->deadline = deadline;
    struct nx_message message = {
        .info = NX_INFO(capnp_builder_bytes(&call.message), 0) | NX_INFO_DEADLINE,
    };
    status = nx_endpoint_call(endpoint, &message);
    if (status == NX_OK) {
        status = (enum nx_status)message.words[0];
    }
    if (status == NX_OK) {
        status = uart_response_decode(nx_page()->data, NX_INFO_BYTES(message.info), &call.answer,
                                      &call.response);
    }
    return status == NX_OK ? (enum nx_status)uart_response_status(&call.response) : status;
}

enum nx_status nx_console_flush_through(nx_handle endpoint, uint64_t deadline)
{
    enum nx_status status = console_flush_once(endpoint, deadline);
    while (status == NX_ERR_BUSY && nx_clock_now() < deadline) {
        nx_sleep(BUSY_DELAY);
        status = console_flush_once(endpoint, deadline);
    }
    return status == NX_ERR_BUSY ? NX_ERR_TIMED_OUT : status;
}

enum nx_status nx_console_flush(uint64_t deadline)
{
    nx_handle endpoint;
    struct nx_retry retry = {0};
    enum nx_status status = nx_service_endpoint(NX_START_CONSOLE, "console", &endpoint);
    if (status != NX_OK) {
        return status;
    }
    do {
        status = nx_console_flush_through(endpoint, deadline);
        retry.interrupted = status == NX_ERR_PEER_CLOSED && nx_clock_now() < deadline;
    } while (nx_retry_again(&retry));
    return status;
}

enum nx_status nx_console_info(struct nx_console_facts *facts)
{
    struct console_call call;
    struct nx_retry retry = {0};
    struct uart_report_reader report;
    enum nx_status status;
    do {
        status = console_begin(&call);
        if (status != NX_OK) {
            return status;
        }
        uart_request_set_status(&call.request);
        status = console_finish(&call, &retry);
    } while (nx_retry_again(&retry));
    if (status == NX_OK) {
        status = uart_response_report(&call.response, &report);
    }
    if (status == NX_OK) {
        *facts = (struct nx_console_facts){
            .mmio_base = uart_report_mmio_base(&report),
            .interrupt_number = uart_report_interrupt_number(&report),
            .bytes_in = uart_report_bytes_in(&report),
            .bytes_out = uart_report_bytes_out(&report),
            .interrupts = uart_report_interrupts(&report),
            .overruns = uart_report_overruns(&report),
            .kernel_log_bytes = uart_report_kernel_log_bytes(&report),
        };
    }
    return status;
}
