// SPDX-License-Identifier: Apache-2.0
// libFuzzer target: arbitrary bytes into the console editor; checks that the screen always shows
// the line, that the line stays valid, and that nothing but allowed output reaches the terminal.
// A long word to complete makes long lines out of short inputs.
//
// fuzz-options: -max_len=128
#include "../host/console/terminal.h"
#include "console/console.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
    if (!condition) {
        abort();
    }
}

// The shown row is the prompt and a window of the line that holds the cursor.
static void check_screen(const struct console *console, const struct terminal *terminal)
{
    uint32_t codes[CONSOLE_LINE_BYTES];
    size_t count = 0;
    size_t cursor = 0;

    require(terminal->error == NULL);
    require(console->length <= CONSOLE_LINE_BYTES && console->line[console->length] == '\0');
    for (size_t at = 0; at < console->length;) {
        uint8_t lead = (uint8_t)console->line[at];
        unsigned extra = lead >= 0xf0 ? 3 : lead >= 0xe0 ? 2 : lead >= 0xc0 ? 1 : 0;
        require(lead >= 0x20 && lead != 0x7f && (lead < 0x80 || lead >= 0xc2));
        uint32_t code = extra == 0 ? lead : lead & (0x3fu >> extra);
        cursor = at == console->cursor ? count : cursor;
        for (at++; extra > 0; extra--, at++) {
            require(at != console->cursor && ((uint8_t)console->line[at] & 0xc0) == 0x80);
            code = code << 6 | ((uint8_t)console->line[at] & 0x3f);
        }
        codes[count++] = code;
    }
    cursor = console->cursor == console->length ? count : cursor;
    if (!console->active || console->hidden) {
        return;
    }
    size_t prompt = strlen(console->prompt);
    require(terminal->column >= prompt && cursor + prompt >= terminal->column);
    size_t first = cursor + prompt - terminal->column;
    for (size_t i = 0; prompt + i < TERMINAL_COLUMNS - 3; i++) {
        uint32_t expected = first + i < count ? codes[first + i] : 0;
        require(terminal->row[prompt + i] == expected);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const words[] = {
        "hw smp",
        "hw sbi",
        "help",
        "cat pkg://a",
        "\t",
        "zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz"
        "yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy"
        "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"};
    static struct console console;
    static struct terminal terminal;

    memset(&terminal, 0, sizeof(terminal));
    console_init(&console, terminal_sink, &terminal);
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        require(console_words_add(&console, words[i], strlen(words[i])) ==
                (words[i][0] == '\t' ? NX_ERR_BAD_FORMAT : NX_OK));
    }
    console_begin(&console, (const char *)data, size < 40 ? size : 40);
    for (size_t i = 0; i < size; i++) {
        if (data[i] == 0) { // no key: a log line arrives
            console_hide(&console);
            terminal_sink(&terminal, "log\n", 4);
            console_show(&console);
        } else if (console_input(&console, data[i]) != CONSOLE_PENDING) {
            require(!console.active);
            console_begin(&console, "> ", 2);
        }
        check_screen(&console, &terminal);
    }
    return 0;
}
