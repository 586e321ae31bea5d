// SPDX-License-Identifier: Apache-2.0
// The interactive prompt. Editing, history and completion are uartd's; nx tells it the words.
#include "command.h"
#include "nexus/clock.h"
#include "nexus/console.h"
#include "nexus/process.h"
#include "words.h"
#include <stdio.h>
#include <string.h>

#define LINE_BYTES      512u
#define COMPLETIONS_MAX 48u
#define WORD_BYTES      40u
#define PATIENCE        (100 * NX_MILLISECOND)
#define FAILURES_MAX    20u // in a row, with PATIENCE between them

static size_t completions_of(const struct command *command, char texts[][WORD_BYTES], size_t room)
{
    static const char *const none[] = {NULL};
    const char *const *ends = command->completions != NULL ? command->completions : none;
    size_t count = 0;

    if (ends[0] == NULL && room > 0) {
        (void)snprintf(texts[count++], WORD_BYTES, "%s", command->name);
    }
    for (; *ends != NULL && count < room; ends++) {
        (void)snprintf(texts[count++], WORD_BYTES, "%s %s", command->name, *ends);
    }
    return count;
}

// Told again for every line: a uartd that was restarted in between knows none.
static void completions_set(void)
{
    char texts[COMPLETIONS_MAX][WORD_BYTES];
    const char *words[COMPLETIONS_MAX];
    size_t count = 0;

    for (size_t i = 0; i < command_count; i++) {
        count += completions_of(&commands[i], texts + count, COMPLETIONS_MAX - count);
    }
    for (size_t i = 0; i < count; i++) {
        words[i] = texts[i];
    }
    // Without completions the console still works.
    (void)!nx_console_set_completions(words, (uint32_t)count);
}

static void line_run(char *line)
{
    char *words[WORDS_MAX + 1];
    size_t count;

    enum nx_status status = words_split(line, words, &count);
    if (status == NX_ERR_TOO_LARGE) {
        printf("nx: too many words: a line has at most %u\n", WORDS_MAX);
    } else if (status != NX_OK) {
        printf("nx: unfinished quote: close it, or put a backslash before it\n");
    } else if (count > 0) {
        (void)command_run(count, words);
    }
    (void)fflush(stdout);
}

int shell_run(void)
{
    char line[LINE_BYTES];
    enum nx_line_end end;
    unsigned failures = 0;

    // An nx that died while it ran a program may have left its watch behind.
    (void)!nx_console_watch_interrupt(NX_HANDLE_NONE, 0);
    service_names_load();
    while (failures < FAILURES_MAX) {
        completions_set();
        enum nx_status status = nx_console_read_line("nx> ", line, sizeof(line), &end);
        if (status == NX_ERR_TOO_LARGE) {
            printf("nx: line too long: nothing was run\n");
            (void)fflush(stdout);
            failures = 0;
            continue;
        }
        if (status != NX_OK) { // somebody else reads, or uartd comes back just now
            failures++;
            nx_sleep(PATIENCE);
            continue;
        }
        failures = 0;
        if (end == NX_LINE_END_OF_FILE) {
            printf("nx: poweroff switches the machine off, help lists the commands\n");
        } else if (end == NX_LINE_ENTERED) {
            line_run(line);
        }
    }
    return EXIT_FAILED;
}
