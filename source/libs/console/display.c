// SPDX-License-Identifier: Apache-2.0
// What the edited line looks like on its one row of the screen.
#include "editor.h"
#include <string.h>

// The last column stays free: a terminal that has just filled it may or may not have wrapped. Two
// more take the "^C" of an interrupted line.
#define USABLE_COLUMNS (CONSOLE_COLUMNS - 3)

void console_emit(struct console *console, const char *bytes, size_t count)
{
    if (count > 0) {
        console->sink(console->sink_context, bytes, count);
    }
}

void console_emit_text(struct console *console, const char *text)
{
    console_emit(console, text, strlen(text));
}

// Characters in [from, to) of the line; each takes one column.
static size_t columns_between(const struct console *console, size_t from, size_t to)
{
    size_t columns = 0;
    while (from < to) {
        from = console_next(console, from);
        columns++;
    }
    return columns;
}

static void emit_cursor_back(struct console *console, size_t columns)
{
    char sequence[8] = "\x1b[";
    size_t at = 2;

    if (columns == 0) {
        return;
    }
    if (columns >= 10) { // never more than CONSOLE_COLUMNS, so two digits do
        sequence[at++] = (char)('0' + columns / 10);
    }
    sequence[at++] = (char)('0' + columns % 10);
    sequence[at++] = 'D';
    console_emit(console, sequence, at);
}

void console_redraw(struct console *console)
{
    size_t room = USABLE_COLUMNS - strlen(console->prompt);
    size_t start = 0;
    size_t cursor_column = columns_between(console, 0, console->cursor);

    if (console->hidden) {
        return;
    }
    while (cursor_column > room) {
        start = console_next(console, start);
        cursor_column--;
    }
    size_t end = console->cursor;
    size_t tail_columns = 0;
    while (end < console->length && cursor_column + tail_columns < room) {
        end = console_next(console, end);
        tail_columns++;
    }
    console_emit_text(console, "\r");
    console_emit_text(console, console->prompt);
    console_emit(console, console->line + start, end - start);
    console_emit_text(console, "\x1b[K");
    emit_cursor_back(console, tail_columns);
}

void console_draw_inserted(struct console *console, size_t bytes)
{
    size_t columns = strlen(console->prompt) + columns_between(console, 0, console->length);

    if (console->cursor == console->length && columns <= USABLE_COLUMNS) {
        console_emit(console, console->line + console->cursor - bytes, bytes);
    } else {
        console_redraw(console);
    }
}

void console_hide(struct console *console)
{
    if (!console->active || console->hidden) {
        return;
    }
    console_emit_text(console, "\r\x1b[K");
    console->hidden = true;
}

void console_show(struct console *console)
{
    if (!console->active || !console->hidden) {
        return;
    }
    console->hidden = false;
    console_redraw(console);
}
