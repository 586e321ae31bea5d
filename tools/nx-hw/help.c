// SPDX-License-Identifier: Apache-2.0
// nx help: the commands, from their table.
#include "command.h"
#include <stdio.h>
#include <string.h>

#define SYNOPSIS_COLUMNS 22

static void command_describe(const struct command *command)
{
    char synopsis[64];
    (void)snprintf(synopsis, sizeof(synopsis), "%s %s", command->name, command->arguments);
    printf("  %-*s %s\n", SYNOPSIS_COLUMNS, synopsis, command->help);
}

// Whether the command's name begins with the words of the request.
static bool is_asked_for(const struct invocation *invocation, const struct command *command)
{
    const char *name = command->name;
    for (size_t i = 0; i < invocation->argument_count; i++) {
        size_t length = strlen(invocation->arguments[i]);
        if (strncmp(name, invocation->arguments[i], length) != 0 ||
            (name[length] != ' ' && name[length] != '\0')) {
            return false;
        }
        name += length + (name[length] == ' ' ? 1 : 0);
    }
    return true;
}

static void json_describe(struct json *out, const struct command *command)
{
    json_object(out, NULL);
    json_text(out, "name", command->name);
    json_text(out, "arguments", command->arguments);
    json_text(out, "help", command->help);
    json_end(out);
}

static int none_found(struct invocation *invocation)
{
    if (!invocation->json) {
        printf("nx: no such command:");
        for (size_t i = 0; i < invocation->argument_count; i++) {
            printf(" %s", invocation->arguments[i]);
        }
        printf("\n");
    }
    return command_usage(invocation);
}

int help_run(struct invocation *invocation)
{
    size_t found = 0;

    for (size_t i = 0; i < command_count; i++) {
        if (!is_asked_for(invocation, &commands[i])) {
            continue;
        }
        if (found++ == 0 && invocation->json) {
            json_array(invocation->out, NULL);
        }
        if (invocation->json) {
            json_describe(invocation->out, &commands[i]);
        } else {
            command_describe(&commands[i]);
        }
    }
    if (found == 0) {
        return none_found(invocation);
    }
    if (invocation->json) {
        json_end(invocation->out);
    } else if (invocation->argument_count == 0) {
        printf("every command takes --json\n");
    }
    return EXIT_OK;
}
