// SPDX-License-Identifier: Apache-2.0
// Completion by the tab key from a list of words.
//
// The text from the start of the line to the cursor is compared with every candidate. What all that
// match have in common is inserted; a second tab in a row lists the next words that are possible.
#include "editor.h"
#include <string.h>

#define LIST_GAP 2u

struct match {
    const char *first; // first candidate that matches
    size_t common;     // bytes that all matches share
    size_t count;
};

void console_words_clear(struct console *console)
{
    console->words_count = 0;
    console->words[0] = '\0';
}

// Where the next word would go.
static size_t words_bytes(const struct console *console)
{
    size_t used = 0;
    for (size_t i = 0; i < console->words_count; i++) {
        used += strlen(console->words + used) + 1;
    }
    return used;
}

enum nx_status console_words_add(struct console *console, const char *word, size_t length)
{
    size_t used = words_bytes(console);

    if (length == 0) {
        return NX_ERR_BAD_FORMAT;
    }
    for (size_t i = 0; i < length; i++) {
        if (word[i] < 0x20 || word[i] > 0x7e) {
            return NX_ERR_BAD_FORMAT;
        }
    }
    if (console->words_count == CONSOLE_WORDS_MAX || length >= CONSOLE_WORDS_BYTES - used ||
        length > CONSOLE_LINE_BYTES) {
        return NX_ERR_TOO_LARGE;
    }
    memcpy(console->words + used, word, length);
    console->words[used + length] = '\0';
    console->words_count++;
    return NX_OK;
}

static size_t common_prefix(const char *left, const char *right)
{
    size_t length = 0;
    while (left[length] != '\0' && left[length] == right[length]) {
        length++;
    }
    return length;
}

static struct match match_find(const struct console *console, const char *typed, size_t length)
{
    struct match match = {0};
    const char *word = console->words;

    for (size_t i = 0; i < console->words_count; i++, word += strlen(word) + 1) {
        if (strlen(word) < length || memcmp(word, typed, length) != 0) {
            continue;
        }
        if (match.count == 0) {
            match.first = word;
            match.common = strlen(word);
        } else {
            size_t shared = common_prefix(match.first, word);
            match.common = shared < match.common ? shared : match.common;
        }
        match.count++;
    }
    return match;
}

// Length of the word at `text`, up to its blank or end.
static size_t word_length(const char *text)
{
    size_t length = 0;
    while (text[length] != '\0' && text[length] != ' ') {
        length++;
    }
    return length;
}

// Whether an earlier candidate offers the same next word: "hw smp" and "hw dt" both offer "hw".
static bool offered_before(const struct console *console, const char *until, const char *typed,
                           size_t length, size_t start, size_t shown)
{
    const char *word = console->words;
    for (; word != until; word += strlen(word) + 1) {
        if (strlen(word) >= length && memcmp(word, typed, length) == 0 &&
            word_length(word + start) == shown && memcmp(word + start, until + start, shown) == 0) {
            return true;
        }
    }
    return false;
}

// A word in the list that begins at `column`; returns where it ends. One that is wider than the
// screen goes on in the next row: the last column stays free.
static size_t list_word(struct console *console, const char *word, size_t length, size_t column)
{
    while (column + length >= CONSOLE_COLUMNS) {
        size_t room = CONSOLE_COLUMNS - 1 - column;
        console_emit(console, word, room);
        console_emit_text(console, "\n");
        word += room;
        length -= room;
        column = 0;
    }
    console_emit(console, word, length);
    return column + length;
}

static void list_matches(struct console *console, const char *typed, size_t length)
{
    const char *word = console->words;
    size_t start = length; // where the word being typed begins
    size_t column = 0;

    while (start > 0 && typed[start - 1] != ' ') {
        start--;
    }
    console_emit_text(console, "\n");
    for (size_t i = 0; i < console->words_count; i++, word += strlen(word) + 1) {
        if (strlen(word) < length || memcmp(word, typed, length) != 0) {
            continue;
        }
        size_t shown = word_length(word + start);
        if (shown == 0 || offered_before(console, word, typed, length, start, shown)) {
            continue;
        }
        if (column > 0 && column + LIST_GAP + shown >= CONSOLE_COLUMNS) {
            console_emit_text(console, "\n");
            column = 0;
        }
        if (column > 0) {
            console_emit_text(console, "  ");
            column += LIST_GAP;
        }
        column = list_word(console, word + start, shown, column);
    }
    console_emit_text(console, "\n");
    console_redraw(console);
}

void console_complete(struct console *console)
{
    const char *typed = console->line;
    size_t length = console->cursor;

    while (length > 0 && *typed == ' ') {
        typed++;
        length--;
    }
    struct match match = match_find(console, typed, length);
    if (match.count == 0) {
        console_emit_text(console, "\a");
        return;
    }
    bool inserted = console_insert(console, match.first + length, match.common - length) &&
                    match.common > length;
    bool whole_line = console->cursor == console->length;
    // "pkg://" is the beginning of a word.
    bool goes_on = match.common > 0 && match.first[match.common - 1] == '/';
    if (match.count == 1 && whole_line && !goes_on && console_insert(console, " ", 1)) {
        inserted = true;
    }
    if (inserted) {
        console->listed = false;
        console_redraw(console);
    } else if (!console->listed) {
        console->listed = true;
        console_emit_text(console, "\a");
    } else {
        list_matches(console, typed, length);
    }
}
