// SPDX-License-Identifier: Apache-2.0
// A program that nx runs: see supervise.h.
//
// One wait is for everything: faults and, with a capture, console requests are messages to one
// endpoint, and the notification bound to
// this thread brings the program's end and, from the console, Ctrl-C.
#include "supervise.h"
#include "nexus/console.h"
#include "nexus/process.h"
#include <inttypes.h>
#include <stdio.h>

#define BIT_ENDED     1ul
#define BIT_INTERRUPT 2ul

struct supervision {
    nx_handle messages; // endpoint; the capture's where there is one
    nx_handle events;   // notification
    struct capture *capture;
};

static enum nx_status supervision_begin(struct supervision *supervision, struct capture *capture)
{
    enum nx_status status = NX_OK;
    *supervision = (struct supervision){.capture = capture};
    if (capture != NULL) {
        supervision->messages = capture->endpoint;
    } else {
        status = nx_endpoint_create(&supervision->messages);
    }
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
    if (supervision->capture == NULL) {
        nx_handle_drop(supervision->messages);
    }
}

// Any answer but NX_FAULT_RESUME ends the process.
static void fault_note(const struct nx_message *fault, struct program_end *end)
{
    const uint64_t *words = fault->words;
    const struct nx_message answer = {.words = {NX_OK}};

    (void)snprintf(end->fault, sizeof(end->fault),
                   "fault cause=%" PRIu64 " (%s) pc=%#" PRIx64 " address=%#" PRIx64,
                   words[NX_FAULT_CAUSE], nx_fault_text(words[NX_FAULT_CAUSE]), words[NX_FAULT_PC],
                   words[NX_FAULT_ADDRESS]);
    (void)!nx_endpoint_reply(NX_HANDLE_NONE, &answer);
}

// Whatever came beside the program's end.
static void message_serve(const struct supervision *supervision, const struct nx_child *child,
                          const struct nx_message *message, struct program_end *end)
{
    if ((message->info & NX_INFO_FAULT) != 0) {
        fault_note(message, end);
    } else if ((message->info & NX_INFO_NOTIFICATION) == 0 && supervision->capture != NULL) {
        capture_request(supervision->capture, message);
    } else if ((message->words[0] & BIT_INTERRUPT) != 0) {
        end->interrupted = true;
        (void)!nx_process_kill(child->process, NX_EXIT_KILLED); // it may have ended just now
    }
}

static enum nx_status child_follow(const struct supervision *supervision,
                                   const struct nx_child *child, struct program_end *end)
{
    struct nx_process_facts facts;
    for (;;) {
        enum nx_status status = nx_process_info(child->process, &facts);
        if (status != NX_OK) {
            return status;
        }
        if (facts.state >= NX_PROCESS_DYING) {
            end->exit_status = facts.exit_status;
            return NX_OK;
        }
        struct nx_message message;
        status = nx_endpoint_receive(supervision->messages, NX_DEADLINE_NEVER, &message);
        if (status != NX_OK && status != NX_ERR_CANCELLED) {
            return status;
        }
        if (status == NX_OK) {
            message_serve(supervision, child, &message, end);
        }
    }
}

enum nx_status program_supervise(const char *path, const struct nx_spawn_options *options,
                                 struct capture *capture, struct program_end *end)
{
    struct supervision supervision;
    struct nx_child child;

    *end = (struct program_end){0};
    enum nx_status status = supervision_begin(&supervision, capture);
    if (status == NX_OK) {
        struct nx_spawn_options supervised = *options;
        supervised.exit_notification = supervision.events;
        supervised.exit_bits = BIT_ENDED;
        supervised.fault_endpoint = supervision.messages;
        status = nx_spawn_package(path, &supervised, &child);
    }
    if (status == NX_OK) {
        status = child_follow(&supervision, &child, end);
        nx_child_close(&child);
    }
    supervision_end(&supervision);
    return status;
}
