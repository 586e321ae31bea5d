// SPDX-License-Identifier: Apache-2.0
// Console: a line editor for a serial terminal, free of operating-system calls.
//
// Life cycle: console_init once; then for each line console_begin, console_input for every byte
// until it reports something other than CONSOLE_PENDING, and console_line for the result. Between
// begin and that event the line is on the screen; whoever wants to print something else calls
// console_hide, prints whole lines, and calls console_show. Output goes to the caller's sink as
// printable text, "\r", "\n", BEL and the control sequences ESC[K, ESC[nD, ESC[H, ESC[2J; the sink
// turns "\n" into what its device needs.
//
// The edited line takes one row of the screen: a longer line scrolls sideways under the prompt. So
// hiding it never needs to know where rows wrapped. One instance belongs to one thread.
#ifndef CONSOLE_CONSOLE_H
#define CONSOLE_CONSOLE_H

#include "keys.h"
#include "nexus/status.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CONSOLE_LINE_BYTES    256u // longest line, without its NUL
#define CONSOLE_PROMPT_BYTES  32u
#define CONSOLE_HISTORY_LINES 16u
#define CONSOLE_WORDS_BYTES   1024u // completion words with their NULs
#define CONSOLE_WORDS_MAX     64u
#define CONSOLE_COLUMNS       80u // the screen's assumed width

// Takes `count` bytes of terminal output. Must not call back into the console.
typedef void (*console_sink)(void *context, const char *bytes, size_t count);

enum console_event {
    CONSOLE_PENDING = 0, // the line is still being edited
    CONSOLE_LINE,        // enter: console_line holds the text
    CONSOLE_INTERRUPTED, // Ctrl-C: the text was dropped
    CONSOLE_END_OF_FILE, // Ctrl-D on an empty line
    CONSOLE_TOO_LONG,    // enter, after text that did not fit: the line was dropped
};

struct console {
    console_sink sink; // constant after init
    void *sink_context;

    // The line: valid UTF-8 of printable characters, NUL-terminated; `cursor` is a byte index that
    // stands at the start of a character.
    char line[CONSOLE_LINE_BYTES + 1];
    size_t length;
    size_t cursor;
    char prompt[CONSOLE_PROMPT_BYTES + 1];
    bool truncated; // text did not fit, and nothing was removed since
    bool active;    // between begin and the event
    bool hidden;    // the screen row does not show the line
    bool listed;    // the last key was a tab that extended nothing: the next one lists
    struct console_keys keys;

    // History, newest last; `browse` counts back from the newest, 0 is the draft.
    char history[CONSOLE_HISTORY_LINES][CONSOLE_LINE_BYTES + 1];
    size_t history_count;
    size_t browse;
    char draft[CONSOLE_LINE_BYTES + 1];

    // Completion words, NUL-terminated, one after the other.
    char words[CONSOLE_WORDS_BYTES];
    size_t words_count;
};

// Prepares an editor with empty history and no completion words.
void console_init(struct console *console, console_sink sink, void *context);

// Starts a line and shows `prompt` (`length` bytes; cut to CONSOLE_PROMPT_BYTES; bytes that are not
// printable ASCII show as '?'). A line being edited is dropped.
void console_begin(struct console *console, const char *prompt, size_t length);

// Edits with one byte of input. Ignored (CONSOLE_PENDING) when no line was begun. Shows a hidden
// line first.
enum console_event console_input(struct console *console, uint8_t byte);

// The text of the line; stays valid until the next begin. `length` may be NULL.
const char *console_line(const struct console *console, size_t *length);

// Takes the line off the screen, or puts it back. Both do nothing when no line is being edited or
// when there is nothing to change.
void console_hide(struct console *console);
void console_show(struct console *console);

// Drops the line being edited, e.g. because its reader died, and takes it off the screen.
void console_abandon(struct console *console);

// Forgets all completion words.
void console_words_clear(struct console *console);

// Adds a completion: the text from the start of a line on that the tab key completes to. It may
// hold several words separated by single blanks; completion then goes word by word.
// NX_ERR_BAD_FORMAT: empty, or not printable ASCII; NX_ERR_TOO_LARGE: no room.
NX_MUST_CHECK enum nx_status console_words_add(struct console *console, const char *word,
                                               size_t length);

// Adds a line to the history, as `enter` does; empty lines and repetitions are left out.
void console_history_add(struct console *console, const char *line, size_t length);

#endif
