// SPDX-License-Identifier: Apache-2.0
// The text of the edited line: insertion, removal, and stepping by whole characters.
#include "editor.h"
#include <string.h>

static bool is_continuation(char byte)
{
    return ((unsigned char)byte & 0xc0) == 0x80;
}

size_t console_previous(const struct console *console, size_t at)
{
    if (at == 0) {
        return 0;
    }
    do {
        at--;
    } while (at > 0 && is_continuation(console->line[at]));
    return at;
}

size_t console_next(const struct console *console, size_t at)
{
    if (at >= console->length) {
        return console->length;
    }
    do {
        at++;
    } while (at < console->length && is_continuation(console->line[at]));
    return at;
}

bool console_insert(struct console *console, const char *bytes, size_t count)
{
    if (count > CONSOLE_LINE_BYTES - console->length) {
        return false;
    }
    char *at = console->line + console->cursor;
    memmove(at + count, at, console->length - console->cursor + 1);
    memcpy(at, bytes, count);
    console->length += count;
    console->cursor += count;
    return true;
}

bool console_remove(struct console *console, size_t from, size_t to)
{
    if (from >= to) {
        return false;
    }
    memmove(console->line + from, console->line + to, console->length - to + 1);
    console->length -= to - from;
    console->truncated = false;
    console->cursor = from;
    return true;
}

void console_replace(struct console *console, const char *text)
{
    console->length = strlen(text);
    console->truncated = false;
    console->cursor = console->length;
    memcpy(console->line, text, console->length + 1);
}
