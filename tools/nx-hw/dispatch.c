// SPDX-License-Identifier: Apache-2.0
// From words to a command: finding the row, taking options off, checking the number of arguments.
#include "command.h"
#include "nexus/process.h"
#include "words.h"
#include <stdio.h>
#include <string.h>

#define USAGE_BYTES   96u
#define GENERAL_USAGE "nx COMMAND [--json]   (nx help lists them)"

static void json_to_stdout(void *context, const char *bytes, size_t count)
{
    (void)context;
    (void)fwrite(bytes, 1, count, stdout);
}

int command_failed(struct invocation *invocation, const char *what, enum nx_status status)
{
    if (invocation->json) {
        json_object(invocation->out, NULL);
        json_text(invocation->out, "error", nx_status_text(status));
        json_text(invocation->out, "subject", what);
        json_end(invocation->out);
    } else {
        printf("nx: %s: %s\n", what, nx_status_text(status));
    }
    return EXIT_FAILED;
}

// The usage line of a row, without its line end.
static void usage_text(const struct command *command, char *text, size_t size)
{
    (void)snprintf(text, size, "nx %s%s%s [--json]", command->name,
                   command->arguments[0] == '\0' ? "" : " ", command->arguments);
}

int command_usage(struct invocation *invocation)
{
    char text[USAGE_BYTES];

    usage_text(invocation->command, text, sizeof(text));
    if (invocation->json) {
        json_object(invocation->out, NULL);
        json_text(invocation->out, "error", "not understood");
        json_text(invocation->out, "usage", text);
        json_end(invocation->out);
    } else {
        printf("usage: %s\n", text);
    }
    return EXIT_USAGE;
}

// How many words of the row's name the typed words start with; *whole: all of them.
static size_t name_match(const struct command *command, size_t count, char **words, bool *whole)
{
    const char *name = command->name;
    size_t matched = 0;

    for (; *name != '\0' && matched < count; matched++) {
        size_t length = strcspn(name, " ");
        if (strlen(words[matched]) != length || memcmp(words[matched], name, length) != 0) {
            break;
        }
        name += length + (name[length] == ' ' ? 1 : 0);
    }
    *whole = *name == '\0';
    return matched;
}

static const struct command *command_find(size_t count, char **words, size_t *name_words)
{
    for (size_t i = 0; i < command_count; i++) {
        bool whole;
        *name_words = name_match(&commands[i], count, words, &whole);
        if (whole) {
            return &commands[i];
        }
    }
    return NULL;
}

// No row has that name: shows those that begin the same way.
static int command_unknown(struct json *out, bool json, size_t count, char **words)
{
    char text[USAGE_BYTES];
    bool whole;
    size_t shown = 0;

    if (json) {
        json_object(out, NULL);
        json_text(out, "error", "no such command");
        json_text(out, "subject", count > 0 ? words[0] : "");
        json_text(out, "usage", GENERAL_USAGE);
        json_end(out);
        return EXIT_USAGE;
    }
    for (size_t i = 0; i < command_count; i++) {
        if (name_match(&commands[i], count, words, &whole) > 0) {
            usage_text(&commands[i], text, sizeof(text));
            printf("usage: %s\n", text);
            shown++;
        }
    }
    if (shown == 0) {
        printf("nx: no such command: %s\nusage: " GENERAL_USAGE "\n", words[0]);
    }
    return EXIT_USAGE;
}

// Takes the options out of the arguments, in place. False: an option that the command lacks, or an
// empty word, which names nothing; all options are looked at even so.
static bool options_take(struct invocation *invocation)
{
    const struct command *command = invocation->command;
    size_t kept = 0;
    bool known = true;

    for (size_t i = 0; i < invocation->argument_count; i++) {
        char *word = invocation->arguments[i];
        bool foreign = command->passes_words && kept > 0;
        if (!foreign && strcmp(word, "--json") == 0) {
            invocation->json = true;
        } else if (!foreign && command->takes_recursive && strcmp(word, "-r") == 0) {
            invocation->recursive = true;
        } else if (!foreign && (word[0] == '-' || word[0] == '\0')) {
            known = false;
        } else {
            invocation->arguments[kept++] = word;
        }
    }
    invocation->argument_count = kept;
    return known;
}

static int invocation_run(struct invocation *invocation)
{
    const struct command *command = invocation->command;
    if (!options_take(invocation) || invocation->argument_count < command->least ||
        invocation->argument_count > command->most) {
        return command_usage(invocation);
    }
    return command->run(invocation);
}

static bool json_is_wanted(size_t count, char **words)
{
    bool wanted = false;
    for (size_t i = 0; i < count; i++) {
        wanted |= strcmp(words[i], "--json") == 0;
    }
    return wanted;
}

int command_run(size_t count, char **words)
{
    struct invocation invocation = {0};
    struct json json;
    size_t name_words;
    int status;

    if (count > 1 && strcmp(words[0], "nx") == 0) {
        words++;
        count--;
    }
    json_begin(&json, json_to_stdout, NULL);
    invocation.out = &json;
    invocation.command = command_find(count, words, &name_words);
    if (invocation.command == NULL) {
        invocation.json = json_is_wanted(count, words);
        status = command_unknown(&json, invocation.json, count, words);
    } else {
        invocation.arguments = words + name_words;
        invocation.argument_count = count - name_words;
        status = invocation_run(&invocation);
    }
    if (invocation.json) {
        printf("\n");
    }
    (void)fflush(stdout);
    return status;
}
