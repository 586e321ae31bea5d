// SPDX-License-Identifier: Apache-2.0
// The history of entered lines, bounded, and browsing in it.
#include "editor.h"
#include <string.h>

void console_history_add(struct console *console, const char *line, size_t length)
{
    size_t count = console->history_count;

    if (length == 0 || length > CONSOLE_LINE_BYTES) {
        return;
    }
    if (count > 0 && strlen(console->history[count - 1]) == length &&
        memcmp(console->history[count - 1], line, length) == 0) {
        return;
    }
    if (count == CONSOLE_HISTORY_LINES) {
        count--;
        memmove(console->history[0], console->history[1], count * sizeof(console->history[0]));
    }
    memcpy(console->history[count], line, length);
    console->history[count][length] = '\0';
    console->history_count = count + 1;
}

bool console_history_move(struct console *console, bool older)
{
    if (older ? console->browse == console->history_count : console->browse == 0) {
        return false;
    }
    if (console->browse == 0) {
        memcpy(console->draft, console->line, console->length + 1);
    }
    console->browse = older ? console->browse + 1 : console->browse - 1;
    console_replace(console, console->browse == 0
                                 ? console->draft
                                 : console->history[console->history_count - console->browse]);
    return true;
}
