// SPDX-License-Identifier: Apache-2.0
// Key decoder: turns the bytes of a terminal into keys.
//
// It knows UTF-8, the control characters and the escape sequences that terminals send for cursor
// and editing keys. Whatever else arrives is swallowed: an unknown or broken sequence is no key,
// and a control character always ends it, so the decoder never stays stuck.
#ifndef CONSOLE_KEYS_H
#define CONSOLE_KEYS_H

#include <stdint.h>

enum console_key {
    CONSOLE_KEY_NONE = 0, // the byte completed nothing
    CONSOLE_KEY_TEXT,     // one printable character; its bytes are in `text`
    CONSOLE_KEY_ENTER,
    CONSOLE_KEY_TAB,
    CONSOLE_KEY_BACKSPACE,
    CONSOLE_KEY_DELETE,
    CONSOLE_KEY_LEFT,
    CONSOLE_KEY_RIGHT,
    CONSOLE_KEY_HOME,
    CONSOLE_KEY_END,
    CONSOLE_KEY_UP,
    CONSOLE_KEY_DOWN,
    CONSOLE_KEY_KILL_TO_END,   // Ctrl-K
    CONSOLE_KEY_KILL_TO_START, // Ctrl-U
    CONSOLE_KEY_KILL_WORD,     // Ctrl-W
    CONSOLE_KEY_CLEAR,         // Ctrl-L
    CONSOLE_KEY_INTERRUPT,     // Ctrl-C
    CONSOLE_KEY_END_OF_FILE,   // Ctrl-D: delete, or end of file on an empty line
};

#define CONSOLE_CHARACTER_BYTES 4u // longest UTF-8 sequence

struct console_keys {
    uint8_t state;     // enum decoder_state of keys.c
    uint8_t parameter; // first number of a control sequence, saturated
    uint8_t fields;    // parameter separators seen
    uint8_t expected;  // bytes of the character being collected; 0: none
    uint8_t collected;
    uint8_t after_return; // the last byte was CR: an LF that follows belongs to it
    uint8_t text[CONSOLE_CHARACTER_BYTES];
    uint8_t text_length; // bytes of the character that CONSOLE_KEY_TEXT reports
};

// Starts in the ground state; an all-zero structure is the same.
void console_keys_reset(struct console_keys *keys);

// Consumes one byte and says which key it completed.
enum console_key console_keys_decode(struct console_keys *keys, uint8_t byte);

#endif
