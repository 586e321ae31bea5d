// SPDX-License-Identifier: Apache-2.0
// bench: does each operation of the performance budget many times, between marks that
// tools/qemu-meter counts instructions at. tests/bench/ boots it and makes the table.
//
//   bench SUBJECT...      the named subjects, one after the other; exit status 1 when one fails
//   bench --partner ROLE  the other process of a subject
//
// On the console, `bench: begin SUBJECT` announces the next pair of begin and end marks, and
// `bench: end SUBJECT ok`, or `FAIL reason=...`, says whether the work was done.
#include "bench.h"
#include "nexus/log.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define REASON_BYTES 160u

struct subject {
    const char *name;
    bool (*run)(void);
};

// Adding a subject is one row here and one in tests/bench/rows.py.
static const struct subject subjects[] = {
    {"empty", subject_empty},
    {"null-call", subject_null_call},
    {"call-0", subject_call_0},
    {"call-6", subject_call_6},
    {"call-64-bytes", subject_call_64_bytes},
    {"call-handle", subject_call_handle},
    {"call-fpu", subject_call_fpu},
    {"call-fpu-server", subject_call_fpu_server},
    {"call-fpu-both", subject_call_fpu_both},
    {"call-two-harts", subject_call_two_harts},
    {"yield", subject_yield},
    {"signal", subject_signal},
    {"map", subject_map},
    {"block-read", subject_block_read},
    {"block-read-handle", subject_block_read_handle},
    {"block-read-large", subject_block_read_large},
    {"block-queue", subject_block_queue},
    {"unmap", subject_unmap},
    {"thread", subject_thread},
    {"spawn", subject_spawn},
    {"block-info", subject_block_info},
    {"file", subject_file},
    {"hash-block", subject_hash_block},
    {"hash-block-plain", subject_hash_block_plain},
    {"hash-block-sha512", subject_hash_block_sha512},
    {"hash-block-sha256", subject_hash_block_sha256},
    {"four-pairs", subject_four_pairs},
    {"pairs-ratio", subject_pairs_ratio},
    {"block-throughput", subject_block_throughput},
    {"file-cold", subject_file_cold},
};

static const struct subject *current;
static char reason[REASON_BYTES];

bool bench_fail(const char *format, ...)
{
    va_list arguments;
    if (reason[0] == '\0') {
        va_start(arguments, format);
        vsnprintf(reason, sizeof(reason), format, arguments);
        va_end(arguments);
    }
    return false;
}

void bench_value(const char *name, uint64_t value)
{
    nx_log("bench: value %s %s=%llu", current->name, name, (unsigned long long)value);
}

static bool subject_run(const struct subject *subject)
{
    current = subject;
    reason[0] = '\0';
    nx_log("bench: begin %s", subject->name);
    nx_sleep(SETTLE_TIME);
    NX_MARK(NX_MARK_SUBJECT);
    bool done = subject->run();
    if (done && reason[0] == '\0') {
        nx_log("bench: end %s ok", subject->name);
        return true;
    }
    nx_log("bench: end %s FAIL reason=%s", subject->name, reason);
    return false;
}

static const struct subject *subject_find(const char *name)
{
    for (size_t i = 0; i < sizeof(subjects) / sizeof(subjects[0]); i++) {
        if (strcmp(subjects[i].name, name) == 0) {
            return &subjects[i];
        }
    }
    return NULL;
}

int main(int argc, char **argv)
{
    int failures = 0;

    if (argc == 3 && strcmp(argv[1], "--partner") == 0) {
        return partner_main(argv[2]);
    }
    if (nx_thread_control(NX_HANDLE_NONE, NX_THREAD_SET_AFFINITY, HART_HERE, 0) != NX_OK) {
        nx_log("bench: FAIL reason=cannot stay on hart 0");
        return EXIT_FAILURE;
    }
    for (int i = 1; i < argc; i++) {
        const struct subject *subject = subject_find(argv[i]);
        if (subject == NULL) {
            nx_log("bench: no such subject: %s", argv[i]);
            return EXIT_FAILURE;
        }
        failures += subject_run(subject) ? 0 : 1;
    }
    return failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
