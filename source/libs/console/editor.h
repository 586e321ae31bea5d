// SPDX-License-Identifier: Apache-2.0
// Private to libs/console: what its files need of each other.
#ifndef CONSOLE_EDITOR_H
#define CONSOLE_EDITOR_H

#include "console.h"

// display.c: what is on the screen.
void console_emit(struct console *console, const char *bytes, size_t count);
void console_emit_text(struct console *console, const char *text);
void console_redraw(struct console *console);
// The character that ends at the cursor was just inserted: draws it as cheaply as possible.
void console_draw_inserted(struct console *console, size_t bytes);

// edit.c: changes to the text; each returns whether something changed and draws nothing.
bool console_insert(struct console *console, const char *bytes, size_t count);
bool console_remove(struct console *console, size_t from, size_t to);
size_t console_previous(const struct console *console, size_t at);
size_t console_next(const struct console *console, size_t at);
void console_replace(struct console *console, const char *text);

// history.c
bool console_history_move(struct console *console, bool older);

// complete.c: handles the tab key, drawing included.
void console_complete(struct console *console);

#endif
