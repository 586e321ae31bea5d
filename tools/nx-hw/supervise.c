// SPDX-License-Identifier: Apache-2.0
// A program that nx runs: see supervise.h.
//
// One wait is for everything: faults are messages to an endpoint, and the notification bound to
// this thread brings the program's end and, from the console, Ctrl-C.
#include "supervise.h"
#include "nexus/console.h"
#include "nexus/process.h"
#include <inttypes.h>
#include <stdio.h>

#define BIT_ENDED     1ul
#define BIT_INTERRUPT 2ul

struct supervision {
    nx_handle faults; // endpoint
    nx_handle events; // notification
};

static enum nx_status supervision_begin(struct supervision *supervision)
{
    *supervision = (struct supervision){0};
    enum nx_status status = nx_endpoint_create(&supervision->faults);
    if (status == NX_OK) {
        status = nx_notification_create(&supervision->events);
    }
    if (status == NX_OK) {
        status = nx_notification_bind(supervision->events);
    }
    if (status == NX_OK && nx_console_present()) {
        // Without it the program runs just as well; it only cannot be interrupted.
        (void)!nx_console_watch_interrupt(supervision->events, BIT_INTERRUPT);
    }
    return status;
}

static void supervision_end(struct supervision *supervision)
{
    if (nx_console_present()) {
        (void)!nx_console_watch_interrupt(NX_HANDLE_NONE, 0);
    }
    (void)!nx_notification_bind(NX_HANDLE_NONE);
    nx_handle_drop(supervision->events);
    nx_handle_drop(supervision->faults);
}

// Any answer but NX_FAULT_RESUME ends the process.
static void fault_report(const char *path, const struct nx_message *fault)
{
    const uint64_t *words = fault->words;
    const struct nx_message answer = {.words = {NX_OK}};

    printf("nx: %s fault cause=%" PRIu64 " (%s) pc=%#" PRIx64 " address=%#" PRIx64 "\n", path,
           words[NX_FAULT_CAUSE], nx_fault_text(words[NX_FAULT_CAUSE]), words[NX_FAULT_PC],
           words[NX_FAULT_ADDRESS]);
    (void)fflush(stdout);
    (void)!nx_endpoint_reply(NX_HANDLE_NONE, &answer);
}

static enum nx_status child_follow(const char *path, const struct supervision *supervision,
                                   const struct nx_child *child, struct program_end *end)
{
    struct nx_process_facts facts;
    for (;;) {
        enum nx_status status = nx_process_info(child->process, &facts);
        if (status != NX_OK) {
            return status;
        }
        if (facts.state == NX_PROCESS_DYING || facts.state == NX_PROCESS_DEAD) {
            end->exit_status = facts.exit_status;
            return NX_OK;
        }
        struct nx_message message;
        status = nx_endpoint_receive(supervision->faults, NX_DEADLINE_NEVER, &message);
        if (status != NX_OK && status != NX_ERR_CANCELLED) {
            return status;
        }
        if (status == NX_OK && (message.info & NX_INFO_FAULT) != 0) {
            fault_report(path, &message);
        } else if (status == NX_OK && (message.words[0] & BIT_INTERRUPT) != 0) {
            end->interrupted = true;
            (void)!nx_process_kill(child->process, NX_EXIT_KILLED); // it may have ended just now
        }
    }
}

enum nx_status program_supervise(const char *path, const struct nx_spawn_options *options,
                                 struct program_end *end)
{
    struct supervision supervision;
    struct nx_child child;

    *end = (struct program_end){0};
    enum nx_status status = supervision_begin(&supervision);
    if (status == NX_OK) {
        struct nx_spawn_options supervised = *options;
        supervised.exit_notification = supervision.events;
        supervised.exit_bits = BIT_ENDED;
        supervised.fault_endpoint = supervision.faults;
        status = nx_spawn_package(path, &supervised, &child);
    }
    if (status == NX_OK) {
        status = child_follow(path, &supervision, &child, end);
        nx_child_close(&child);
    }
    supervision_end(&supervision);
    return status;
}
