// SPDX-License-Identifier: Apache-2.0
// Console: the life of an edited line, from prompt to event. See console.h.
#include "console.h"
#include "editor.h"
#include <string.h>

void console_init(struct console *console, console_sink sink, void *context)
{
    memset(console, 0, sizeof(*console));
    console->sink = sink;
    console->sink_context = context;
}

void console_begin(struct console *console, const char *prompt, size_t length)
{
    if (length > CONSOLE_PROMPT_BYTES) {
        length = CONSOLE_PROMPT_BYTES;
    }
    for (size_t i = 0; i < length; i++) {
        console->prompt[i] = prompt[i] < 0x20 || prompt[i] > 0x7e ? '?' : prompt[i];
    }
    console->prompt[length] = '\0';
    console->line[0] = '\0';
    console->length = 0;
    console->cursor = 0;
    console->truncated = false;
    console->browse = 0;
    console->listed = false;
    console->active = true;
    console->hidden = false;
    console_redraw(console);
}

const char *console_line(const struct console *console, size_t *length)
{
    if (length != NULL) {
        *length = console->length;
    }
    return console->line;
}

void console_abandon(struct console *console)
{
    console_hide(console);
    console->active = false;
    console_keys_reset(&console->keys);
}

static enum console_event finish(struct console *console, enum console_event event)
{
    if (console->cursor != console->length) {
        console->cursor = console->length;
        console_redraw(console);
    }
    if (event == CONSOLE_LINE) {
        console_history_add(console, console->line, console->length);
    } else {
        console->length = 0;
        console->line[0] = '\0';
    }
    console_emit_text(console, event == CONSOLE_INTERRUPTED ? "^C\n" : "\n");
    console->active = false;
    return event;
}

// The start of the word before the cursor, blanks after it included.
static size_t word_start(const struct console *console)
{
    size_t at = console->cursor;
    while (at > 0 && console->line[at - 1] == ' ') {
        at--;
    }
    while (at > 0 && console->line[at - 1] != ' ') {
        at--;
    }
    return at;
}

static bool remove_forward(struct console *console)
{
    return console_remove(console, console->cursor, console_next(console, console->cursor));
}

static bool move_to(struct console *console, size_t position)
{
    bool moved = console->cursor != position;
    console->cursor = position;
    return moved;
}

// Keys that change the text or the cursor; says whether the row must be drawn again.
static bool edit(struct console *console, enum console_key key)
{
    size_t cursor = console->cursor;

    switch (key) {
    case CONSOLE_KEY_BACKSPACE:
        return console_remove(console, console_previous(console, cursor), cursor);
    case CONSOLE_KEY_DELETE:
    case CONSOLE_KEY_END_OF_FILE:
        return remove_forward(console);
    case CONSOLE_KEY_LEFT:
        return move_to(console, console_previous(console, cursor));
    case CONSOLE_KEY_RIGHT:
        return move_to(console, console_next(console, cursor));
    case CONSOLE_KEY_HOME:
        return move_to(console, 0);
    case CONSOLE_KEY_END:
        return move_to(console, console->length);
    case CONSOLE_KEY_UP:
        return console_history_move(console, true);
    case CONSOLE_KEY_DOWN:
        return console_history_move(console, false);
    case CONSOLE_KEY_KILL_TO_END:
        return console_remove(console, cursor, console->length);
    case CONSOLE_KEY_KILL_TO_START:
        return console_remove(console, 0, cursor);
    case CONSOLE_KEY_KILL_WORD:
        return console_remove(console, word_start(console), cursor);
    default:
        return false;
    }
}

static void insert_text(struct console *console)
{
    size_t bytes = console->keys.text_length;

    if (console_insert(console, (const char *)console->keys.text, bytes)) {
        console_draw_inserted(console, bytes);
    } else {
        console->truncated = true;
        console_emit_text(console, "\a");
    }
}

enum console_event console_input(struct console *console, uint8_t byte)
{
    if (!console->active) {
        return CONSOLE_PENDING;
    }
    console_show(console);
    enum console_key key = console_keys_decode(&console->keys, byte);
    if (key == CONSOLE_KEY_NONE) {
        return CONSOLE_PENDING;
    }
    if (key == CONSOLE_KEY_TAB) {
        console_complete(console);
        return CONSOLE_PENDING;
    }
    console->listed = false;
    switch (key) {
    case CONSOLE_KEY_TEXT:
        insert_text(console);
        return CONSOLE_PENDING;
    case CONSOLE_KEY_ENTER:
        return finish(console, console->truncated ? CONSOLE_TOO_LONG : CONSOLE_LINE);
    case CONSOLE_KEY_INTERRUPT:
        return finish(console, CONSOLE_INTERRUPTED);
    case CONSOLE_KEY_CLEAR:
        console_emit_text(console, "\x1b[H\x1b[2J");
        console_redraw(console);
        return CONSOLE_PENDING;
    case CONSOLE_KEY_END_OF_FILE:
        if (console->length == 0) {
            return finish(console, CONSOLE_END_OF_FILE);
        }
        break;
    default:
        break;
    }
    if (edit(console, key)) {
        console_redraw(console);
    }
    return CONSOLE_PENDING;
}
