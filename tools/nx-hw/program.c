// SPDX-License-Identifier: Apache-2.0
// nx run and nx measure: programs of pkg://bin, started with what a plain program needs.
#include "command.h"
#include "nexus/process.h"
#include "nexus/spawn.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define SELFTEST_PATH "pkg://bin/selftest-client"
#define BUDGET_PAGES  1024u // 4 MiB of nx's own budget, for as long as the program exists

// What a program from a package gets: its output, its files, and no hold on the machine.
static const struct {
    enum nx_start_id id;
    uint32_t rights;
} granted[] = {
    {NX_START_LOG, NX_RIGHT_WRITE},
    {NX_START_CONSOLE, NX_RIGHT_CALL},
    {NX_START_PACKAGES, NX_RIGHT_CALL},
};

#define GRANTS_MAX (sizeof(granted) / sizeof(granted[0]))

static uint32_t grants_collect(struct nx_grant grants[GRANTS_MAX])
{
    uint32_t count = 0;
    for (size_t i = 0; i < GRANTS_MAX; i++) {
        nx_handle handle = nx_start_handle(granted[i].id);
        if (handle != NX_HANDLE_NONE) {
            grants[count++] = (struct nx_grant){granted[i].id, handle, granted[i].rights};
        }
    }
    return count;
}

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash != NULL ? slash + 1 : path;
}

static enum nx_status program_wait(const char *path, const char *const *words, size_t count,
                                   int64_t *exit_status)
{
    struct nx_grant grants[GRANTS_MAX];
    struct nx_child child;
    struct nx_spawn_options options = {
        .name = base_name(path),
        .arguments = words,
        .argument_count = (uint32_t)count,
        .grants = grants,
        .grant_count = grants_collect(grants),
        .budget_pages = BUDGET_PAGES,
        .highest_class = NX_CLASS_NORMAL,
    };

    (void)fflush(stdout); // the program's output comes behind ours
    enum nx_status status = nx_spawn_package(path, &options, &child);
    if (status == NX_OK) {
        status = nx_child_wait(&child, NX_DEADLINE_NEVER, exit_status);
        nx_child_close(&child);
    }
    return status;
}

// Reports how the program ended and returns its status as nx's own.
static int program_report(struct invocation *invocation, const char *path, int64_t exit_status)
{
    if (invocation->json) {
        json_object(invocation->out, NULL);
        json_text(invocation->out, "program", path);
        json_i64(invocation->out, "exitStatus", exit_status);
        json_end(invocation->out);
    } else if (exit_status == NX_EXIT_KILLED || exit_status == NX_EXIT_FAULTED) {
        printf("nx: %s %s\n", path,
               exit_status == NX_EXIT_KILLED ? "was killed" : "was ended by a fault");
    } else if (exit_status != 0) {
        printf("nx: %s ended with status %" PRId64 "\n", path, exit_status);
    }
    return exit_status >= 0 && exit_status <= 255 ? (int)exit_status : EXIT_FAILED;
}

static int program_do(struct invocation *invocation, const char *path, const char *const *words,
                      size_t count)
{
    int64_t exit_status = 0;
    enum nx_status status = program_wait(path, words, count, &exit_status);
    return status == NX_OK ? program_report(invocation, path, exit_status)
                           : command_failed(invocation, path, status);
}

int program_run(struct invocation *invocation)
{
    return program_do(invocation, invocation->arguments[0],
                      (const char *const *)invocation->arguments, invocation->argument_count);
}

int measure_run(struct invocation *invocation)
{
    static const char *const words[] = {SELFTEST_PATH, "--measure"};
    return program_do(invocation, SELFTEST_PATH, words, 2);
}
