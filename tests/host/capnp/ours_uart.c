// SPDX-License-Identifier: Apache-2.0
// Every field of the uart schema through our accessors. The order is the schema's.
#include <string.h>

#include "ours.h"
#include "uart.capnp.h"
#include "walk.h"

static void dump_text_element(struct dump *dump, const struct capnp_list *list, uint32_t index)
{
    struct capnp_text text;
    enum nx_status status = capnp_list_text(list, index, &text);
    if (status == NX_OK)
        dump_value(dump, dump_bytes(text.bytes, text.length));
    else
        dump_error(dump, (int)status);
}

static void dump_uart_request(struct dump *dump, const struct uart_request_reader *reader)
{
    enum uart_request_which which = uart_request_which(reader);
    DUMP_NUMBER("which", known(which, 7));
    switch (which) {
    case UART_REQUEST_STATUS:
        DUMP_NUMBER("status", 0);
        break;
    case UART_REQUEST_WRITE:
        DUMP_BYTES("write.data", capnp_data, uart_request_write_data);
        break;
    case UART_REQUEST_READ_LINE:
        DUMP_BYTES("readLine.prompt", capnp_text, uart_request_read_line_prompt);
        break;
    case UART_REQUEST_READ_BYTES:
        DUMP_NUMBER("readBytes.maximum", uart_request_read_bytes_maximum(reader));
        break;
    case UART_REQUEST_SET_COMPLETIONS:
        DUMP_LIST("setCompletions.words", uart_request_set_completions_words, dump_text_element);
        break;
    case UART_REQUEST_FLUSH:
        DUMP_NUMBER("flush", 0);
        break;
    case UART_REQUEST_WATCH_INTERRUPT:
        DUMP_NUMBER("watchInterrupt.bits", uart_request_watch_interrupt_bits(reader));
        break;
    }
}

static void dump_uart_report(struct dump *dump, const struct uart_report_reader *reader)
{
    DUMP_NUMBER("mmioBase", uart_report_mmio_base(reader));
    DUMP_NUMBER("interruptNumber", uart_report_interrupt_number(reader));
    DUMP_NUMBER("bytesIn", uart_report_bytes_in(reader));
    DUMP_NUMBER("bytesOut", uart_report_bytes_out(reader));
    DUMP_NUMBER("interrupts", uart_report_interrupts(reader));
    DUMP_NUMBER("overruns", uart_report_overruns(reader));
    DUMP_NUMBER("kernelLogBytes", uart_report_kernel_log_bytes(reader));
}

static void dump_uart_response(struct dump *dump, const struct uart_response_reader *reader)
{
    enum uart_response_which which = uart_response_which(reader);
    DUMP_NUMBER("status", uart_response_status(reader));
    DUMP_NUMBER("which", known(which, 5));
    switch (which) {
    case UART_RESPONSE_EMPTY:
        DUMP_NUMBER("empty", 0);
        break;
    case UART_RESPONSE_REPORT:
        DUMP_STRUCT("report", uart_report_reader, uart_response_report, dump_uart_report);
        break;
    case UART_RESPONSE_WRITE:
        DUMP_NUMBER("write.bytesWritten", uart_response_write_bytes_written(reader));
        break;
    case UART_RESPONSE_READ_LINE:
        DUMP_BYTES("readLine.line", capnp_text, uart_response_read_line_line);
        DUMP_NUMBER("readLine.endOfFile", uart_response_read_line_end_of_file(reader));
        DUMP_NUMBER("readLine.interrupted", uart_response_read_line_interrupted(reader));
        break;
    case UART_RESPONSE_READ_BYTES:
        DUMP_BYTES("readBytes.data", capnp_data, uart_response_read_bytes_data);
        break;
    }
}

static enum nx_status fill_text_element(const struct capnp_list_builder *list, uint32_t index,
                                        const char *path)
{
    return capnp_list_set_text(list, index, capnp_text_of(path));
}

static enum nx_status fill_uart_request(unsigned member, void *buffer, size_t size, size_t *length)
{
    const char *path = "";
    struct capnp_builder message;
    struct uart_request_builder builder;
    enum nx_status status = uart_request_begin(&message, buffer, size, &builder);
    if (status != NX_OK)
        return status;
    switch ((enum uart_request_which)member) {
    case UART_REQUEST_STATUS:
        uart_request_set_status(&builder);
        break;
    case UART_REQUEST_WRITE:
        uart_request_init_write(&builder);
        FILL_DATA(uart_request_set_write_data, "write.data");
        break;
    case UART_REQUEST_READ_LINE:
        uart_request_init_read_line(&builder);
        FILL_TEXT(uart_request_set_read_line_prompt, "readLine.prompt");
        break;
    case UART_REQUEST_READ_BYTES:
        uart_request_init_read_bytes(&builder);
        FILL_NUMBER(uart_request_set_read_bytes_maximum, uint32_t, "readBytes.maximum");
        break;
    case UART_REQUEST_SET_COMPLETIONS:
        uart_request_init_set_completions(&builder);
        FILL_LIST(uart_request_init_set_completions_words, "setCompletions.words",
                  fill_text_element);
        break;
    case UART_REQUEST_FLUSH:
        uart_request_set_flush(&builder);
        break;
    case UART_REQUEST_WATCH_INTERRUPT:
        uart_request_init_watch_interrupt(&builder);
        FILL_NUMBER(uart_request_set_watch_interrupt_bits, uint64_t, "watchInterrupt.bits");
        break;
    }
    *length = capnp_builder_bytes(&message);
    return status;
}

static void fill_uart_report(struct uart_report_builder builder)
{
    const char *path = "report";
    FILL_NUMBER(uart_report_set_mmio_base, uint64_t, "mmioBase");
    FILL_NUMBER(uart_report_set_interrupt_number, uint32_t, "interruptNumber");
    FILL_NUMBER(uart_report_set_bytes_in, uint64_t, "bytesIn");
    FILL_NUMBER(uart_report_set_bytes_out, uint64_t, "bytesOut");
    FILL_NUMBER(uart_report_set_interrupts, uint64_t, "interrupts");
    FILL_NUMBER(uart_report_set_overruns, uint64_t, "overruns");
    FILL_NUMBER(uart_report_set_kernel_log_bytes, uint64_t, "kernelLogBytes");
}

static enum nx_status fill_uart_response(unsigned member, void *buffer, size_t size, size_t *length)
{
    const char *path = "";
    struct capnp_builder message;
    struct uart_response_builder builder;
    struct uart_report_builder report;
    enum nx_status status = uart_response_begin(&message, buffer, size, &builder);
    if (status != NX_OK)
        return status;
    FILL_NUMBER(uart_response_set_status, uint16_t, "status");
    switch ((enum uart_response_which)member) {
    case UART_RESPONSE_EMPTY:
        uart_response_set_empty(&builder);
        break;
    case UART_RESPONSE_REPORT:
        FILL(uart_response_init_report(&builder, &report));
        if (status == NX_OK)
            fill_uart_report(report);
        break;
    case UART_RESPONSE_WRITE:
        uart_response_init_write(&builder);
        FILL_NUMBER(uart_response_set_write_bytes_written, uint32_t, "write.bytesWritten");
        break;
    case UART_RESPONSE_READ_LINE:
        uart_response_init_read_line(&builder);
        FILL_TEXT(uart_response_set_read_line_line, "readLine.line");
        FILL_BOOL(uart_response_set_read_line_end_of_file, "readLine.endOfFile");
        FILL_BOOL(uart_response_set_read_line_interrupted, "readLine.interrupted");
        break;
    case UART_RESPONSE_READ_BYTES:
        uart_response_init_read_bytes(&builder);
        FILL_DATA(uart_response_set_read_bytes_data, "readBytes.data");
        break;
    }
    *length = capnp_builder_bytes(&message);
    return status;
}

// --- the roots ---

DUMP_ROOT(dump_uart_request_root, uart_request, dump_uart_request)
DUMP_ROOT(dump_uart_response_root, uart_response, dump_uart_response)

const struct ours ours_uart[] = {
    {"uart.capnp:Request", fill_uart_request, dump_uart_request_root},
    {"uart.capnp:Response", fill_uart_response, dump_uart_response_root},
};
const size_t ours_uart_count = sizeof(ours_uart) / sizeof(ours_uart[0]);
