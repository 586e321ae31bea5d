// SPDX-License-Identifier: Apache-2.0
// The load: readers' processes that start anew from pkg:// after each pass, raw reads, and lines.
//
// One thread for each reader starts its process and waits for its end; the threads own their part
// of `facts` until load_stop has joined them.
#include "kill_test.h"
#include "nexus/console.h"
#include "nexus/log.h"
#include "nexus/spawn.h"
#include <stdio.h>

#define PASS_PATIENCE (60 * NX_SECOND)
#define BUDGET_PAGES  256u
#define LINE_PAUSE    (2 * NX_MILLISECOND)
#define LINE_BYTES    100u

enum part { PART_READER, PART_RAW = READERS, PART_CONSOLE, PART_LOG, PART_COUNT };

static struct {
    struct board *board;
    nx_handle board_memory;
    atomic_bool stopping;
    bool running[PART_COUNT];
    struct nx_thread threads[PART_COUNT];
    struct load_facts facts[PART_COUNT];
    char reasons[PART_COUNT][REASON_BYTES];
} load;

// ---- Readers ------------------------------------------------------------------------------------

static enum nx_status pass_run(uint32_t number)
{
    char word[] = {(char)('1' + number), '\0'};
    const char *const words[] = {PROGRAM_PATH, "--reader", word};
    const struct nx_grant grants[] = {
        {NX_START_PACKAGES, nx_start_handle(NX_START_PACKAGES), NX_RIGHT_CALL},
        board_grant(load.board_memory),
    };
    const struct nx_spawn_options options = {
        .name = "reader",
        .arguments = words,
        .argument_count = sizeof(words) / sizeof(words[0]),
        .grants = grants,
        .grant_count = sizeof(grants) / sizeof(grants[0]),
        .budget_pages = BUDGET_PAGES,
        .highest_class = NX_CLASS_BACKGROUND, // the killer goes first
    };
    struct nx_child child;
    int64_t exit_status = 0;

    enum nx_status status = nx_spawn_package(PROGRAM_PATH, &options, &child);
    if (status != NX_OK) {
        return status;
    }
    status = nx_child_wait(&child, nx_deadline_after(PASS_PATIENCE), &exit_status);
    nx_child_close(&child);
    if (status == NX_OK && exit_status != 0) {
        (void)snprintf(load.reasons[number], REASON_BYTES, "reader ended with status %lld",
                       (long long)exit_status);
    }
    return status;
}

static void reader_thread(void *argument)
{
    uint32_t number = (uint32_t)(uintptr_t)argument;
    const struct board_reader *reader = &load.board->readers[number];

    while (!atomic_load(&load.stopping) && load.reasons[number][0] == '\0') {
        enum nx_status status = pass_run(number);
        if (status != NX_OK) {
            (void)snprintf(load.reasons[number], REASON_BYTES, "reader: %s",
                           nx_status_text(status));
        } else if (reader->failed + reader->wrong > 0) {
            strlcpy(load.reasons[number], reader->reason, REASON_BYTES);
        }
        if (load.reasons[number][0] == '\0') {
            load.facts[number].programs++;
        } else {
            load.facts[number].programs_failed++;
        }
    }
}

// ---- Raw reads and lines ------------------------------------------------------------------------

static void raw_thread(void *argument)
{
    (void)argument;
    raw_run(&load.stopping, &load.facts[PART_RAW], load.reasons[PART_RAW]);
}

// A line that the host recognises and can tell from a damaged one.
static size_t line_make(char line[LINE_BYTES], const char *where, uint64_t number)
{
    return (size_t)snprintf(line, LINE_BYTES, "kills: %s line=%llu check=%llu end\n", where,
                            (unsigned long long)number,
                            (unsigned long long)(number * 2654435761u % 1000003u));
}

static void console_thread(void *argument)
{
    (void)argument;
    char line[LINE_BYTES];
    struct load_facts *facts = &load.facts[PART_CONSOLE];
    while (!atomic_load(&load.stopping)) {
        size_t length = line_make(line, "console", facts->lines);
        enum nx_status status = nx_console_write(line, length);
        if (status != NX_OK) {
            facts->lines_failed++;
            (void)snprintf(load.reasons[PART_CONSOLE], REASON_BYTES, "console: %s",
                           nx_status_text(status));
        }
        facts->lines++;
        nx_sleep(LINE_PAUSE);
    }
}

static void log_thread(void *argument)
{
    (void)argument;
    char line[LINE_BYTES];
    struct load_facts *facts = &load.facts[PART_LOG];
    while (!atomic_load(&load.stopping)) {
        nx_log_text(line, line_make(line, "log", facts->lines++));
        nx_sleep(LINE_PAUSE);
    }
}

// ---- All of it ----------------------------------------------------------------------------------

static enum nx_status part_start(uint32_t part, void (*entry)(void *))
{
    enum nx_status status =
        nx_thread_spawn(NULL, entry, (void *)(uintptr_t)part, &load.threads[part]);
    load.running[part] = status == NX_OK;
    return status;
}

enum nx_status load_start(struct board *board, nx_handle board_memory, bool lines)
{
    enum nx_status status = NX_OK;

    load.board = board;
    load.board_memory = board_memory;
    atomic_store(&load.stopping, false);
    bool raw = raw_open(load.reasons[PART_RAW]);
    for (uint32_t i = 0; i < READERS && status == NX_OK; i++) {
        status = part_start(i, reader_thread);
    }
    if (status == NX_OK && raw) {
        status = part_start(PART_RAW, raw_thread);
    }
    if (status == NX_OK && lines) {
        status = part_start(PART_CONSOLE, console_thread);
    }
    if (status == NX_OK && lines) {
        status = part_start(PART_LOG, log_thread);
    }
    return status;
}

bool load_stop(void)
{
    bool ended = true;
    atomic_store(&load.stopping, true);
    for (uint32_t i = 0; i < PART_COUNT; i++) {
        ended = (!load.running[i] || nx_thread_join(&load.threads[i]) == NX_OK) && ended;
        load.running[i] = false;
    }
    return ended;
}

struct load_facts load_facts(void)
{
    struct load_facts sum = load.facts[PART_RAW];
    for (uint32_t i = 0; i < READERS; i++) {
        sum.programs += load.facts[i].programs;
        sum.programs_failed += load.facts[i].programs_failed;
    }
    sum.lines = load.facts[PART_CONSOLE].lines + load.facts[PART_LOG].lines;
    sum.lines_failed = load.facts[PART_CONSOLE].lines_failed;
    return sum;
}

const char *load_reason(void)
{
    for (uint32_t i = 0; i < PART_COUNT; i++) {
        if (load.reasons[i][0] != '\0') {
            return load.reasons[i];
        }
    }
    return "";
}

uint32_t load_readers_inside(void)
{
    uint32_t inside = 0;
    for (uint32_t i = 0; i < READERS; i++) {
        inside += atomic_load_explicit(&load.board->readers[i].inside, memory_order_relaxed);
    }
    return inside;
}

uint32_t load_raw_in_flight(void)
{
    return raw_in_flight();
}
