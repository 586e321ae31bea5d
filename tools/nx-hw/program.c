// SPDX-License-Identifier: Apache-2.0
// nx run and nx measure: programs of pkg://bin, started with what a plain program needs.
#include "capture.h"
#include "command.h"
#include "nexus/machine.h"
#include "nexus/process.h"
#include "supervise.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define SELFTEST_PATH "pkg://bin/selftest-client"
#define BUDGET_PAGES  1024u // 4 MiB of nx's own budget, for as long as the program exists
#define BUDGET_PART   2u    // or one part in this many of what nx has left, where that is less

// A loop of two instructions, short enough that no tick falls into it often.
#define COUNTED_ROUNDS  500
#define STRING(number)  STRING_OF(number)
#define STRING_OF(text) #text

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

// With a capture the program's console is that instead of nx's own.
static uint32_t grants_collect(const struct capture *capture, struct nx_grant grants[GRANTS_MAX])
{
    uint32_t count = 0;
    for (size_t i = 0; i < GRANTS_MAX; i++) {
        bool captured = capture != NULL && granted[i].id == NX_START_CONSOLE;
        nx_handle handle = captured ? capture->endpoint : nx_start_handle(granted[i].id);
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

static uint64_t program_budget(void)
{
    struct nx_process_facts facts;
    uint64_t pages = BUDGET_PAGES;

    if (nx_process_info(NX_HANDLE_NONE, &facts) == NX_OK) {
        uint64_t part = (facts.pages_budget - facts.pages_used) / BUDGET_PART;
        pages = part < pages ? part : pages;
    }
    return pages;
}

static enum nx_status program_wait(struct capture *capture, const char *path,
                                   const char *const *words, size_t count, struct program_end *end)
{
    struct nx_grant grants[GRANTS_MAX];
    const struct nx_spawn_options options = {
        .name = base_name(path),
        .arguments = words,
        .argument_count = (uint32_t)count,
        .grants = grants,
        .grant_count = grants_collect(capture, grants),
        .budget_pages = program_budget(),
        .highest_class = NX_CLASS_NORMAL,
    };

    (void)fflush(stdout); // the program's output comes behind ours
    return program_supervise(path, &options, capture, end);
}

// The program's status as nx's own.
static int program_status(const struct program_end *end)
{
    return end->exit_status >= 0 && end->exit_status <= 255 ? (int)end->exit_status : EXIT_FAILED;
}

static void end_print(const char *path, const struct program_end *end)
{
    char how[NX_EXIT_TEXT_BYTES];

    if (end->fault[0] != '\0') {
        printf("nx: %s %s\n", path, end->fault);
    }
    if (end->exit_status != 0) {
        printf("nx: %s %s%s\n", path, nx_exit_text(end->exit_status, how),
               end->interrupted ? " by Ctrl-C" : "");
    }
}

static void end_json(struct json *out, const char *path, const struct capture *capture,
                     const struct program_end *end)
{
    json_object(out, NULL);
    json_text(out, "program", path);
    json_i64(out, "exitStatus", end->exit_status);
    json_bool(out, "interrupted", end->interrupted);
    if (end->fault[0] != '\0') {
        json_text(out, "fault", end->fault);
    }
    json_bytes(out, "output", capture->text, capture->length);
    json_bool(out, "outputTruncated", capture->truncated);
    json_end(out);
}

static int program_do_json(struct invocation *invocation, const char *path,
                           const char *const *words, size_t count)
{
    struct capture capture;
    struct program_end end;
    enum nx_status status = capture_open(&capture);
    if (status != NX_OK) {
        return command_failed(invocation, path, status);
    }
    status = program_wait(&capture, path, words, count, &end);
    if (status == NX_OK) {
        end_json(invocation->out, path, &capture, &end);
    }
    capture_close(&capture);
    return status == NX_OK ? program_status(&end) : command_failed(invocation, path, status);
}

static int program_do(struct invocation *invocation, const char *path, const char *const *words,
                      size_t count)
{
    struct program_end end;

    if (invocation->json) {
        return program_do_json(invocation, path, words, count);
    }
    enum nx_status status = program_wait(NULL, path, words, count, &end);
    if (status != NX_OK) {
        return command_failed(invocation, path, status);
    }
    end_print(path, &end);
    return program_status(&end);
}

int program_run(struct invocation *invocation)
{
    return program_do(invocation, invocation->arguments[0],
                      (const char *const *)invocation->arguments, invocation->argument_count);
}

// Whether instructions are counted as they are executed, by one hart alone. Elsewhere the counter
// is the host's clock, or counts what all harts do.
static bool counting_is_exact(void)
{
    struct nx_info_system system;
    uint64_t before;
    uint64_t after;

    if (nx_machine_record(NX_INFO_SYSTEM, 0, &system, sizeof(system)) != NX_OK ||
        system.harts_online != 1) {
        return false;
    }
    __asm__ volatile("rdinstret %0\n"
                     "li t0, " STRING(COUNTED_ROUNDS) "\n"
                                                      "1: addi t0, t0, -1\n"
                                                      "bnez t0, 1b\n"
                                                      "rdinstret %1"
                     : "=&r"(before), "=r"(after)
                     :
                     : "t0");
    return after - before >= 2 * COUNTED_ROUNDS && after - before < 2 * COUNTED_ROUNDS + 8;
}

int measure_run(struct invocation *invocation)
{
    static const char *const words[] = {SELFTEST_PATH, "--measure"};

    if (!invocation->json && !counting_is_exact()) {
        printf("nx: not exact: boot with ICOUNT=1 SMP=1\n");
    }
    return program_do(invocation, SELFTEST_PATH, words, 2);
}
