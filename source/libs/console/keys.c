// SPDX-License-Identifier: Apache-2.0
// Key decoder: see keys.h. Control sequences follow ECMA-48, section 5.4.
#include "keys.h"
#include <stdbool.h>
#include <stddef.h>

enum decoder_state {
    DECODER_GROUND = 0,
    DECODER_ESCAPE,     // after ESC
    DECODER_PARAMETERS, // after ESC [
    DECODER_SINGLE,     // after ESC O
};

enum { BYTE_CR = 0x0d, BYTE_LF = 0x0a, BYTE_ESCAPE = 0x1b, BYTE_DELETE = 0x7f };

struct key_binding {
    uint8_t byte;
    uint8_t key;
};

static const struct key_binding control_keys[] = {
    {0x01, CONSOLE_KEY_HOME},
    {0x02, CONSOLE_KEY_LEFT},
    {0x03, CONSOLE_KEY_INTERRUPT},
    {0x04, CONSOLE_KEY_END_OF_FILE},
    {0x05, CONSOLE_KEY_END},
    {0x06, CONSOLE_KEY_RIGHT},
    {0x08, CONSOLE_KEY_BACKSPACE},
    {0x09, CONSOLE_KEY_TAB},
    {BYTE_LF, CONSOLE_KEY_ENTER},
    {0x0b, CONSOLE_KEY_KILL_TO_END},
    {0x0c, CONSOLE_KEY_CLEAR},
    {BYTE_CR, CONSOLE_KEY_ENTER},
    {0x0e, CONSOLE_KEY_DOWN},
    {0x10, CONSOLE_KEY_UP},
    {0x15, CONSOLE_KEY_KILL_TO_START},
    {0x17, CONSOLE_KEY_KILL_WORD},
    {BYTE_DELETE, CONSOLE_KEY_BACKSPACE},
};

// Final bytes of `ESC [ x` and `ESC O x`.
static const struct key_binding final_keys[] = {
    {'A', CONSOLE_KEY_UP},   {'B', CONSOLE_KEY_DOWN}, {'C', CONSOLE_KEY_RIGHT},
    {'D', CONSOLE_KEY_LEFT}, {'F', CONSOLE_KEY_END},  {'H', CONSOLE_KEY_HOME},
};

// Numbers of `ESC [ n ~`.
static const struct key_binding numbered_keys[] = {
    {1, CONSOLE_KEY_HOME}, {3, CONSOLE_KEY_DELETE}, {4, CONSOLE_KEY_END},
    {7, CONSOLE_KEY_HOME}, {8, CONSOLE_KEY_END},
};

static enum console_key key_find(const struct key_binding *table, size_t count, uint8_t byte)
{
    for (size_t i = 0; i < count; i++) {
        if (table[i].byte == byte) {
            return (enum console_key)table[i].key;
        }
    }
    return CONSOLE_KEY_NONE;
}

#define KEY_FIND(table, byte) key_find(table, sizeof(table) / sizeof((table)[0]), byte)

void console_keys_reset(struct console_keys *keys)
{
    *keys = (struct console_keys){0};
}

static enum console_key decode_control(struct console_keys *keys, uint8_t byte)
{
    bool pair = keys->after_return && byte == BYTE_LF;

    keys->state = byte == BYTE_ESCAPE ? DECODER_ESCAPE : DECODER_GROUND;
    keys->expected = 0;
    keys->after_return = byte == BYTE_CR;
    return pair ? CONSOLE_KEY_NONE : KEY_FIND(control_keys, byte);
}

static enum console_key decode_parameters(struct console_keys *keys, uint8_t byte)
{
    if (byte >= '0' && byte <= '9') {
        if (keys->fields == 0) {
            unsigned value = keys->parameter * 10u + (unsigned)(byte - '0');
            keys->parameter = (uint8_t)(value > UINT8_MAX ? UINT8_MAX : value);
        }
        return CONSOLE_KEY_NONE;
    }
    if (byte < 0x40) { // separators and intermediate bytes
        keys->fields = 1;
        return CONSOLE_KEY_NONE;
    }
    keys->state = DECODER_GROUND;
    return byte == '~' ? KEY_FIND(numbered_keys, keys->parameter) : KEY_FIND(final_keys, byte);
}

static enum console_key decode_escape(struct console_keys *keys, uint8_t byte)
{
    keys->parameter = 0;
    keys->fields = 0;
    keys->state = DECODER_GROUND;
    if (byte == '[') {
        keys->state = DECODER_PARAMETERS;
    } else if (byte == 'O') {
        keys->state = DECODER_SINGLE;
    }
    return CONSOLE_KEY_NONE;
}

static uint8_t sequence_length(uint8_t lead)
{
    if (lead >= 0xc2 && lead <= 0xdf) {
        return 2;
    }
    if ((lead & 0xf0) == 0xe0) {
        return 3;
    }
    return lead >= 0xf0 && lead <= 0xf4 ? 4 : 0;
}

// Overlong forms, surrogates, values past U+10FFFF and the C1 controls are no text.
static bool second_byte_valid(uint8_t lead, uint8_t byte)
{
    switch (lead) {
    case 0xc2:
    case 0xe0:
        return byte >= 0xa0;
    case 0xed:
        return byte <= 0x9f;
    case 0xf0:
        return byte >= 0x90;
    case 0xf4:
        return byte <= 0x8f;
    default:
        return true;
    }
}

static enum console_key decode_wide(struct console_keys *keys, uint8_t byte)
{
    bool continuation = (byte & 0xc0) == 0x80;

    if (keys->expected == 0 || !continuation) {
        keys->expected = sequence_length(byte);
        keys->text[0] = byte;
        keys->collected = 1;
        return CONSOLE_KEY_NONE;
    }
    if (keys->collected == 1 && !second_byte_valid(keys->text[0], byte)) {
        keys->expected = 0;
        return CONSOLE_KEY_NONE;
    }
    keys->text[keys->collected++] = byte;
    if (keys->collected < keys->expected) {
        return CONSOLE_KEY_NONE;
    }
    keys->text_length = keys->expected;
    keys->expected = 0;
    return CONSOLE_KEY_TEXT;
}

enum console_key console_keys_decode(struct console_keys *keys, uint8_t byte)
{
    if (byte < 0x20 || byte == BYTE_DELETE) {
        return decode_control(keys, byte);
    }
    keys->after_return = 0;
    if (byte >= 0x80) {
        keys->state = DECODER_GROUND;
        return decode_wide(keys, byte);
    }
    keys->expected = 0;
    switch (keys->state) {
    case DECODER_ESCAPE:
        return decode_escape(keys, byte);
    case DECODER_PARAMETERS:
        return decode_parameters(keys, byte);
    case DECODER_SINGLE:
        keys->state = DECODER_GROUND;
        return KEY_FIND(final_keys, byte);
    default:
        keys->text[0] = byte;
        keys->text_length = 1;
        return CONSOLE_KEY_TEXT;
    }
}
