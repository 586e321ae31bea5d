// SPDX-License-Identifier: Apache-2.0
// Strict base64: see base64.h.
#include "base64.h"

#define PADDING '='

// The value of a character, or -1.
static int value_of(char character)
{
    if (character >= 'A' && character <= 'Z') {
        return character - 'A';
    }
    if (character >= 'a' && character <= 'z') {
        return character - 'a' + 26;
    }
    if (character >= '0' && character <= '9') {
        return character - '0' + 52;
    }
    if (character == '+') {
        return 62;
    }
    return character == '/' ? 63 : -1;
}

// Decodes one group of four characters into `length` bytes, 1 to 3.
static bool group_decode(const char *text, uint8_t *bytes, size_t length)
{
    uint32_t bits = 0;

    for (size_t i = 0; i < 4; i++) {
        int value = value_of(text[i]);
        if (i > length) {
            value = text[i] == PADDING ? 0 : -1;
        }
        if (value < 0) {
            return false;
        }
        bits = bits << 6 | (uint32_t)value;
    }
    for (size_t i = 0; i < 3; i++) {
        uint8_t byte = (uint8_t)(bits >> (16 - 8 * i));
        if (i < length) {
            bytes[i] = byte;
        } else if (byte != 0) {
            return false;
        }
    }
    return true;
}

bool base64_decode(const char *text, uint8_t *bytes, size_t length)
{
    while (length > 0) {
        size_t part = length < 3 ? length : 3;
        if (!group_decode(text, bytes, part)) {
            return false;
        }
        text += 4;
        bytes += part;
        length -= part;
    }
    return true;
}
