// SPDX-License-Identifier: Apache-2.0
// Boot arguments: see bootargs.h.
#include "bootargs/bootargs.h"

#include <string.h>

static size_t word_length(const char *text)
{
    size_t length = 0;
    while (text[length] != '\0' && text[length] != ' ') {
        length++;
    }
    return length;
}

const char *bootargs_find(const char *arguments, const char *name, size_t *length)
{
    size_t name_length = strlen(name);
    for (const char *word = arguments; *word != '\0';) {
        size_t size = word_length(word);
        if (size > name_length && memcmp(word, name, name_length) == 0 &&
            word[name_length] == '=') {
            *length = size - name_length - 1;
            return word + name_length + 1;
        }
        word += size;
        while (*word == ' ') {
            word++;
        }
    }
    return NULL;
}

bool bootargs_is(const char *arguments, const char *name, const char *value)
{
    size_t length;
    const char *found = bootargs_find(arguments, name, &length);
    return found != NULL && length == strlen(value) && memcmp(found, value, length) == 0;
}
