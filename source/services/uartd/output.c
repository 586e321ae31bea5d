// SPDX-License-Identifier: Apache-2.0
// Output of uartd: who prints next on the one screen. The rules are in uartd.h.
#include "uart.capnp.h"
#include "uartd.h"
#include <inttypes.h>
#include <stdio.h>

// Turns "\n" into "\r\n". The caller has made sure that everything fits.
static void emit(struct uartd *uartd, const char *bytes, size_t count)
{
    size_t start = 0;
    for (size_t i = 0; i < count; i++) {
        if (bytes[i] == '\n' && !uartd->last_was_return) {
            (void)ns16550_write(&uartd->port, bytes + start, i - start);
            (void)ns16550_write(&uartd->port, "\r", 1);
            start = i;
        }
        uartd->last_was_return = bytes[i] == '\r';
    }
    (void)ns16550_write(&uartd->port, bytes + start, count - start);
}

void uartd_echo(void *context, const char *bytes, size_t count)
{
    emit(context, bytes, count);
}

bool uartd_echo_fits(const struct uartd *uartd)
{
    return ns16550_write_room(&uartd->port) >= ECHO_BYTES;
}

// How many bytes others than the editor may print at once: each may become two, and the edited line
// is hidden before and shown after them.
static size_t room_for_others(const struct uartd *uartd)
{
    size_t room = ns16550_write_room(&uartd->port);
    return room > 2 * ECHO_BYTES ? (room - 2 * ECHO_BYTES) / 2 : 0;
}

void uartd_line_close(struct uartd *uartd)
{
    if (uartd->line_open) {
        emit(uartd, "\n", 1);
        uartd->line_open = false;
    }
}

// Whether `owner` may print: on an empty row, or behind its own text, or when the one who left the
// line open has had his time.
static bool may_print(struct uartd *uartd, uint64_t owner)
{
    if (!uartd->line_open || uartd->line_owner == owner) {
        return true;
    }
    if (nx_clock_now() < uartd->line_deadline) {
        return false;
    }
    uartd_line_close(uartd);
    return true;
}

static void print(struct uartd *uartd, uint64_t owner, const char *bytes, size_t count)
{
    if (count == 0) {
        return;
    }
    console_hide(&uartd->console);
    emit(uartd, bytes, count);
    uartd->line_open = bytes[count - 1] != '\n';
    uartd->line_owner = owner;
    uartd->line_deadline = nx_deadline_after(LINE_PATIENCE);
}

// ---- Kernel log ---------------------------------------------------------------------------------

// The bytes of whole lines at the start of the text, at most `limit`.
static size_t whole_lines(const struct log_drain *drain, size_t limit)
{
    size_t end = drain->length < limit ? drain->length : limit;
    while (end > 0 && drain->text[end - 1] != '\n') {
        end--;
    }
    if (end == 0 && limit >= LOG_BYTES && drain->length > LOG_BYTES - NX_MESSAGE_BYTES_MAX) {
        return drain->length; // longer than a line may be: it goes out as it is
    }
    return end;
}

static void log_fill(struct uartd *uartd)
{
    struct log_drain *drain = &uartd->drain;
    struct nx_log_part part;

    if (!drain->pending || LOG_BYTES - drain->length < NX_MESSAGE_BYTES_MAX) {
        return;
    }
    if (nx_log_read(uartd->log, drain->cursor, &part) != NX_OK ||
        (part.bytes == 0 && part.lost == 0)) {
        drain->pending = false;
        uartd_flush_log_end(uartd, drain->bytes_printed + whole_lines(drain, LOG_BYTES));
        return;
    }
    drain->cursor = part.next_cursor;
    if (part.lost > 0) { // what is left of a line whose end was lost is no line
        int length = snprintf(drain->text, LOG_BYTES - NX_MESSAGE_BYTES_MAX,
                              "uartd: kernel log was full lost=%" PRIu64 " bytes\n", part.lost);
        drain->length = (size_t)length;
    }
    memcpy(drain->text + drain->length, nx_page()->data, part.bytes);
    drain->length += part.bytes;
    if (part.bytes < NX_MESSAGE_BYTES_MAX) { // the end, even if more is logged all the time
        uartd_flush_log_end(uartd, drain->bytes_printed + whole_lines(drain, LOG_BYTES));
    }
}

static bool log_advance(struct uartd *uartd)
{
    struct log_drain *drain = &uartd->drain;

    log_fill(uartd);
    size_t count = whole_lines(drain, room_for_others(uartd));
    if (count == 0 || !may_print(uartd, LOG_OWNER)) {
        return false;
    }
    print(uartd, LOG_OWNER, drain->text, count);
    drain->length -= count;
    drain->bytes_printed += count;
    memmove(drain->text, drain->text + count, drain->length);
    return true;
}

// ---- Clients' writes ----------------------------------------------------------------------------

static void writer_remove(struct uartd *uartd, size_t index)
{
    uartd->writer_count--;
    memmove(&uartd->writers[index], &uartd->writers[index + 1],
            (uartd->writer_count - index) * sizeof(uartd->writers[0]));
}

static void writer_answer(const struct writer *writer)
{
    struct capnp_builder message;
    struct uart_response_builder response;

    if (uart_response_begin(&message, nx_page()->data, NX_MESSAGE_BYTES_MAX, &response) != NX_OK) {
        return; // an empty page always has room
    }
    uart_response_init_write(&response);
    uart_response_set_write_bytes_written(&response, (uint32_t)writer->length);
    uartd_answer(writer->reply, capnp_builder_bytes(&message));
}

// The first in line, or the one who has to finish his line first.
static bool writer_choose(struct uartd *uartd, size_t *index)
{
    for (*index = 0; *index < uartd->writer_count; (*index)++) {
        if (may_print(uartd, uartd->writers[*index].badge)) {
            return true;
        }
    }
    return false;
}

// The longest framed line: token, colon, escaped bytes, line end.
#define FRAME_LINE_BYTES (TOKEN_BYTES + 1 + 3 * FRAME_BYTES + 1)

// Prints the start of the bytes as a framed line, which is whole: the kernel log may follow at
// once.
static size_t print_framed(struct uartd *uartd, const struct writer *writer, size_t room)
{
    static const char digits[] = "0123456789ABCDEF";
    char line[FRAME_LINE_BYTES];
    size_t length = strlen(uartd->token);
    size_t rest = writer->length - writer->done;
    size_t count = rest < FRAME_BYTES ? rest : FRAME_BYTES;

    if (room < FRAME_LINE_BYTES) {
        return 0;
    }
    memcpy(line, uartd->token, length);
    line[length++] = ':';
    for (size_t i = 0; i < count; i++) {
        uint8_t byte = writer->data[writer->done + i];
        if (byte >= ' ' && byte <= '~' && byte != '%') {
            line[length++] = (char)byte;
        } else {
            line[length++] = '%';
            line[length++] = digits[byte >> 4];
            line[length++] = digits[byte & 15];
        }
    }
    line[length++] = '\n';
    print(uartd, writer->badge, line, length);
    return count;
}

static size_t print_plain(struct uartd *uartd, const struct writer *writer, size_t room)
{
    size_t rest = writer->length - writer->done;
    size_t count = rest < room ? rest : room;
    print(uartd, writer->badge, (const char *)writer->data + writer->done, count);
    return count;
}

static bool writers_advance(struct uartd *uartd)
{
    size_t index;
    size_t room = room_for_others(uartd);

    if (room == 0 || !writer_choose(uartd, &index)) {
        return false;
    }
    struct writer *writer = &uartd->writers[index];
    size_t count =
        uartd->token != NULL ? print_framed(uartd, writer, room) : print_plain(uartd, writer, room);
    if (count == 0) {
        return false;
    }
    writer->done += count;
    if (writer->done == writer->length) {
        writer_answer(writer);
        writer_remove(uartd, index);
    }
    return true;
}

// ---- Together -----------------------------------------------------------------------------------

void uartd_output(struct uartd *uartd)
{
    bool log_moved;
    bool writer_moved;

    do { // by turns, so that neither starves the other
        log_moved = log_advance(uartd);
        writer_moved = writers_advance(uartd);
    } while (log_moved || writer_moved);
    if (uartd->console.hidden && uartd_echo_fits(uartd) && may_print(uartd, LOG_OWNER)) {
        uartd_line_close(uartd);
        console_show(&uartd->console);
    }
}

uint64_t uartd_output_deadline(const struct uartd *uartd)
{
    bool waiting = uartd->writer_count > 0 || uartd->drain.length > 0 ||
                   (uartd->console.active && uartd->console.hidden);
    bool somebody_prints_by_interrupt = ns16550_write_pending(&uartd->port) > 0;

    // With a full ring the transmit interrupt comes first anyway.
    return uartd->line_open && waiting && !somebody_prints_by_interrupt ? uartd->line_deadline
                                                                        : NX_DEADLINE_NEVER;
}
