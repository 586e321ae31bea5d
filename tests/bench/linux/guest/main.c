// SPDX-License-Identifier: Apache-2.0
// Runs the subjects that the arguments name. On standard output `begin NAME` announces a region and
// `end NAME ok`, or `end NAME FAIL reason=...`, closes it, as source/apps/bench does.
#include "subject.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

// After a line for the console, until the machine is quiet again.
static const struct timespec settle_time = {.tv_nsec = 50000000};

double seconds_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

// What a round costs by itself.
static int empty_round(void)
{
    return 0;
}

static const struct subject own_subjects[] = {
    {.name = "empty", .rounds = LAPS, .round = empty_round},
    {.name = NULL},
};

static int laps(const struct subject *subject)
{
    int status = 0;
    NX_MARK(NX_MARK_LAP);
    for (unsigned i = 0; i < subject->rounds && status == 0; i++) {
        status = subject->round();
        NX_MARK(NX_MARK_LAP);
    }
    return status;
}

static int intervals(const struct subject *subject)
{
    int status = 0;
    for (unsigned i = 0; i < subject->rounds && status == 0; i++) {
        NX_MARK(NX_MARK_START);
        status = subject->round();
        NX_MARK(NX_MARK_STOP);
        if (status == 0) {
            status = subject->reset();
        }
    }
    return status;
}

static void run(const struct subject *subject)
{
    printf("begin %s\n", subject->name);
    nanosleep(&settle_time, NULL);
    int status = subject->prepare != NULL ? subject->prepare() : 0;
    // The region is there whatever comes of it: the reader pairs regions with names by their order.
    NX_MARK(NX_MARK_BEGIN);
    if (status == 0) {
        status = subject->reset != NULL ? intervals(subject) : laps(subject);
    }
    NX_MARK(NX_MARK_END);
    if (status == 0 && subject->check != NULL) {
        status = subject->check();
    }
    if (subject->finish != NULL) {
        subject->finish();
    }
    if (status == 0) {
        printf("end %s ok\n", subject->name);
    } else {
        printf("end %s FAIL reason=%s\n", subject->name, strerror(-status));
    }
}

static void run_throughput(const char *name, int (*measure)(void))
{
    printf("begin %s\n", name);
    int status = measure();
    if (status == 0) {
        printf("end %s ok\n", name);
    } else {
        printf("end %s FAIL reason=%s\n", name, strerror(-status));
    }
}

static const struct subject *find(const char *name)
{
    static const struct subject *const groups[] = {own_subjects,    ipc_subjects,
                                                   memory_subjects, process_subjects,
                                                   block_subjects,  file_subjects};
    for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++) {
        for (const struct subject *subject = groups[i]; subject->name != NULL; subject++) {
            if (strcmp(subject->name, name) == 0) {
                return subject;
            }
        }
    }
    return NULL;
}

int main(int count, char **arguments)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    for (int i = 1; i < count; i++) {
        const struct subject *subject = find(arguments[i]);
        if (subject != NULL) {
            run(subject);
        } else if (strcmp(arguments[i], "block-throughput") == 0) {
            run_throughput(arguments[i], block_throughput);
        } else if (strcmp(arguments[i], "file-throughput") == 0) {
            run_throughput(arguments[i], file_throughput);
        } else {
            printf("end %s FAIL reason=no such subject\n", arguments[i]);
        }
    }
    return 0;
}
