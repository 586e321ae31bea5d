// SPDX-License-Identifier: Apache-2.0
// Splitting a typed line into words.
//
// Blanks separate words. Single quotes keep everything, double quotes keep everything but let a
// backslash quote the character after it, as it does outside of quotes.
#ifndef NX_WORDS_H
#define NX_WORDS_H

#include "nexus/status.h"
#include <stddef.h>

#define WORDS_MAX 32u

// Splits `line` in place; the words point into it and are NUL-terminated, and words[*count] is
// NULL. NX_ERR_BAD_FORMAT: a quote is not closed, or nothing follows a backslash. NX_ERR_TOO_LARGE:
// more than WORDS_MAX words.
NX_MUST_CHECK enum nx_status words_split(char *line, char *words[WORDS_MAX + 1], size_t *count);

#endif
