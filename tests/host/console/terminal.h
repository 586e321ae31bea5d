// SPDX-License-Identifier: Apache-2.0
// A model of the terminal behind the console library: one cursor row of characters, and the rows
// above it. Anything that the library must not send, or that would wrap the row, is recorded as an
// error. Written from ECMA-48, independently of the library.
#ifndef TESTS_TERMINAL_H
#define TESTS_TERMINAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define TERMINAL_COLUMNS 80u
#define TERMINAL_SCROLL  4096u

struct terminal {
    uint32_t row[TERMINAL_COLUMNS]; // code points; 0: blank
    size_t column;
    char above[TERMINAL_SCROLL]; // finished rows, each ended by a newline
    size_t above_length;
    size_t bells;
    const char *error; // first rule that the output broke
    uint32_t code_point;
    unsigned missing; // continuation bytes to come
    unsigned state;   // 0 ground, 1 after ESC, 2 in a control sequence
    unsigned number;
};

static inline void terminal_fail(struct terminal *terminal, const char *reason)
{
    if (terminal->error == NULL) {
        terminal->error = reason;
    }
}

static inline size_t utf8_put(char *out, uint32_t code)
{
    if (code < 0x80) {
        out[0] = (char)code;
        return 1;
    }
    size_t count = code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    static const uint8_t leads[] = {0, 0, 0xc0, 0xe0, 0xf0};
    for (size_t i = count - 1; i > 0; i--, code >>= 6) {
        out[i] = (char)(0x80 | (code & 0x3f));
    }
    out[0] = (char)(leads[count] | code);
    return count;
}

// The cursor row as UTF-8, without blanks at its end.
static inline void terminal_row(const struct terminal *terminal, char *out)
{
    size_t end = TERMINAL_COLUMNS;
    size_t at = 0;
    while (end > 0 && terminal->row[end - 1] == 0) {
        end--;
    }
    for (size_t i = 0; i < end; i++) {
        at += utf8_put(out + at, terminal->row[i] == 0 ? ' ' : terminal->row[i]);
    }
    out[at] = '\0';
}

static inline void terminal_newline(struct terminal *terminal)
{
    char row[TERMINAL_COLUMNS * 4 + 1];
    terminal_row(terminal, row);
    size_t length = strlen(row);
    if (terminal->above_length + length + 2 > TERMINAL_SCROLL) {
        terminal->above_length = 0;
    }
    memcpy(terminal->above + terminal->above_length, row, length);
    terminal->above_length += length;
    terminal->above[terminal->above_length++] = '\n';
    terminal->above[terminal->above_length] = '\0';
    memset(terminal->row, 0, sizeof(terminal->row));
    terminal->column = 0;
}

static inline void terminal_print(struct terminal *terminal, uint32_t code)
{
    if (terminal->column + 1 >= TERMINAL_COLUMNS) {
        terminal_fail(terminal, "the last column was written");
        return;
    }
    terminal->row[terminal->column++] = code;
}

static inline void terminal_final(struct terminal *terminal, uint8_t byte)
{
    terminal->state = 0;
    if (byte == 'K') {
        for (size_t i = terminal->column; i < TERMINAL_COLUMNS; i++) {
            terminal->row[i] = 0;
        }
    } else if (byte == 'D' && terminal->number <= terminal->column && terminal->number > 0) {
        terminal->column -= terminal->number;
    } else if (byte == 'H') {
        terminal->column = 0;
    } else if (byte == 'J' && terminal->number == 2) {
        memset(terminal->row, 0, sizeof(terminal->row));
    } else {
        terminal_fail(terminal, "unexpected control sequence");
    }
}

static inline void terminal_control(struct terminal *terminal, uint8_t byte)
{
    if (byte == '\r') {
        terminal->column = 0;
    } else if (byte == '\n') {
        terminal_newline(terminal);
    } else if (byte == '\a') {
        terminal->bells++;
    } else if (byte == 0x1b) {
        terminal->state = 1;
    } else {
        terminal_fail(terminal, "unexpected control character");
    }
}

static inline void terminal_byte(struct terminal *terminal, uint8_t byte)
{
    if (terminal->state == 1) {
        terminal->state = byte == '[' ? 2 : 0;
        terminal->number = 0;
        if (byte != '[') {
            terminal_fail(terminal, "unexpected escape");
        }
    } else if (terminal->state == 2 && byte >= '0' && byte <= '9') {
        terminal->number = terminal->number * 10 + (unsigned)(byte - '0');
    } else if (terminal->state == 2) {
        terminal_final(terminal, byte);
    } else if (terminal->missing > 0) {
        if ((byte & 0xc0) != 0x80) {
            terminal_fail(terminal, "broken UTF-8");
        }
        terminal->code_point = terminal->code_point << 6 | (byte & 0x3f);
        if (--terminal->missing == 0) {
            terminal_print(terminal, terminal->code_point);
        }
    } else if (byte >= 0xc0) {
        terminal->missing = byte >= 0xf0 ? 3 : byte >= 0xe0 ? 2 : 1;
        terminal->code_point = byte & (0x3fu >> terminal->missing);
    } else if (byte >= 0x80 || byte == 0x7f) {
        terminal_fail(terminal, "stray byte");
    } else if (byte < 0x20) {
        terminal_control(terminal, byte);
    } else {
        terminal_print(terminal, byte);
    }
}

// A console_sink.
static inline void terminal_sink(void *context, const char *bytes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        terminal_byte(context, (uint8_t)bytes[i]);
    }
}

#endif
