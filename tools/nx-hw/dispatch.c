// SPDX-License-Identifier: Apache-2.0
// From words to a command: finding the row, taking options off, checking the number of arguments.
#include "command.h"
#include "nexus/process.h"
#include "words.h"
#include <stdio.h>
#include <string.h>

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

int command_usage(const struct command *command)
{
    printf("usage: nx %s%s%s [--json]\n", command->name, command->arguments[0] == '\0' ? "" : " ",
           command->arguments);
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
static int command_unknown(size_t count, char **words)
{
    size_t shown = 0;

    for (size_t i = 0; i < command_count; i++) {
        bool whole;
        if (name_match(&commands[i], count, words, &whole) > 0) {
            (void)command_usage(&commands[i]);
            shown++;
        }
    }
    if (shown == 0) {
        printf("nx: no such command: %s\nusage: nx COMMAND [--json]   (nx help lists them)\n",
               words[0]);
    }
    return EXIT_USAGE;
}

// Takes the options out of the arguments, in place. False: an option that the command lacks.
static bool options_take(struct invocation *invocation)
{
    const struct command *command = invocation->command;
    size_t kept = 0;

    for (size_t i = 0; i < invocation->argument_count; i++) {
        char *word = invocation->arguments[i];
        bool foreign = command->passes_words && kept > 0;
        if (!foreign && strcmp(word, "--json") == 0) {
            invocation->json = true;
        } else if (!foreign && command->takes_recursive && strcmp(word, "-r") == 0) {
            invocation->recursive = true;
        } else if (!foreign && word[0] == '-') {
            return false;
        } else {
            invocation->arguments[kept++] = word;
        }
    }
    invocation->argument_count = kept;
    return true;
}

int command_run(size_t count, char **words)
{
    struct invocation invocation = {0};
    struct json json;
    size_t name_words;

    if (count > 1 && strcmp(words[0], "nx") == 0) {
        words++;
        count--;
    }
    invocation.command = command_find(count, words, &name_words);
    if (invocation.command == NULL) {
        return command_unknown(count, words);
    }
    invocation.arguments = words + name_words;
    invocation.argument_count = count - name_words;
    if (!options_take(&invocation) || invocation.argument_count < invocation.command->least ||
        invocation.argument_count > invocation.command->most) {
        return command_usage(invocation.command);
    }
    json_begin(&json, json_to_stdout, NULL);
    invocation.out = &json;
    int status = invocation.command->run(&invocation);
    if (invocation.json) {
        printf("\n");
    }
    (void)fflush(stdout);
    return status;
}
