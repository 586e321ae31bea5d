// SPDX-License-Identifier: Apache-2.0
// A console that keeps what is written to it: see capture.h.
#include "capture.h"
#include "uart.capnp.h"
#include <stdlib.h>

static void text_keep(struct capture *capture, const struct capnp_data *data)
{
    size_t room = CAPTURE_BYTES - capture->length;
    size_t count = data->length < room ? data->length : room;

    memcpy(capture->text + capture->length, data->bytes, count);
    capture->length += count;
    capture->truncated |= count < data->length;
}

static enum nx_status write_take(struct capture *capture, const struct nx_message *message,
                                 uint32_t *written)
{
    struct capnp_reader reader;
    struct uart_request_reader request;
    struct capnp_data data;

    enum nx_status status =
        uart_request_decode(nx_page()->data, NX_INFO_BYTES(message->info), &reader, &request);
    if (status != NX_OK) {
        return status;
    }
    if (uart_request_which(&request) != UART_REQUEST_WRITE) {
        return NX_ERR_UNSUPPORTED; // nobody types here
    }
    status = uart_request_write_data(&request, &data);
    if (status == NX_OK) {
        text_keep(capture, &data);
        *written = data.length;
    }
    return status;
}

// Makes the answer in the page. The transport's status is the only failure.
static struct nx_message answer_build(enum nx_status result, uint32_t written)
{
    struct nx_message message = {.words = {NX_ERR_BAD_FORMAT}};
    struct capnp_builder builder;
    struct uart_response_builder response;

    if (result == NX_ERR_BAD_FORMAT ||
        uart_response_begin(&builder, nx_page()->data, NX_MESSAGE_BYTES_MAX, &response) != NX_OK) {
        return message;
    }
    uart_response_set_status(&response, (uint16_t)result);
    if (result == NX_OK) {
        uart_response_init_write(&response);
        uart_response_set_write_bytes_written(&response, written);
    } else {
        uart_response_set_empty(&response);
    }
    message.words[0] = NX_OK;
    message.info = NX_INFO(capnp_builder_bytes(&builder), 0);
    return message;
}

void capture_request(struct capture *capture, const struct nx_message *message)
{
    uint32_t written = 0;

    for (uint32_t i = 0; i < NX_INFO_HANDLES(message->info); i++) {
        nx_handle_drop(nx_page()->handles[i]);
    }
    enum nx_status result = write_take(capture, message, &written);
    struct nx_message answer = answer_build(result, written);
    // The only failure is that the caller has gone.
    (void)!nx_endpoint_reply(NX_HANDLE_NONE, &answer);
}

enum nx_status capture_open(struct capture *capture)
{
    *capture = (struct capture){.text = malloc(CAPTURE_BYTES)};
    if (capture->text == NULL) {
        return NX_ERR_NO_MEMORY;
    }
    enum nx_status status = nx_endpoint_create(&capture->endpoint);
    if (status != NX_OK) {
        capture_close(capture);
    }
    return status;
}

void capture_close(struct capture *capture)
{
    nx_handle_drop(capture->endpoint);
    free(capture->text);
    *capture = (struct capture){0};
}
