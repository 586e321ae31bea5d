// SPDX-License-Identifier: Apache-2.0
// Splitting a typed line into words: see words.h.
#include "words.h"
#include <stdbool.h>

struct splitter {
    const char *from; // next character to read; never behind `to`
    char *to;         // where the next character of the word goes
    char quote;       // the open quote, or NUL
};

// Takes one character of a word. False: the word has ended, or the line is malformed.
static bool take(struct splitter *splitter, enum nx_status *status)
{
    char character = *splitter->from;

    if (character == '\0' || (splitter->quote == '\0' && (character == ' ' || character == '\t'))) {
        *status = splitter->quote == '\0' ? NX_OK : NX_ERR_BAD_FORMAT;
        return false;
    }
    splitter->from++;
    if (character == splitter->quote) {
        splitter->quote = '\0';
        return true;
    }
    if (splitter->quote == '\0' && (character == '"' || character == '\'')) {
        splitter->quote = character;
        return true;
    }
    if (character == '\\' && splitter->quote != '\'') {
        character = *splitter->from;
        if (character == '\0') {
            *status = NX_ERR_BAD_FORMAT;
            return false;
        }
        splitter->from++;
    }
    *splitter->to++ = character;
    return true;
}

enum nx_status words_split(char *line, char *words[WORDS_MAX + 1], size_t *count)
{
    struct splitter splitter = {.from = line, .to = line};

    *count = 0;
    for (;;) {
        enum nx_status status = NX_OK;
        while (*splitter.from == ' ' || *splitter.from == '\t') {
            splitter.from++;
        }
        if (*splitter.from == '\0') {
            break;
        }
        if (*count == WORDS_MAX) {
            return NX_ERR_TOO_LARGE;
        }
        words[(*count)++] = splitter.to;
        while (take(&splitter, &status)) {
        }
        if (status != NX_OK) {
            return status;
        }
        // The word's NUL may fall on the blank that ended it: step over that first.
        if (*splitter.from != '\0') {
            splitter.from++;
        }
        *splitter.to++ = '\0';
    }
    words[*count] = NULL;
    return NX_OK;
}
