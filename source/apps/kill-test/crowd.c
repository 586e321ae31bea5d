// SPDX-License-Identifier: Apache-2.0
// Callers of a service that crashes at their request, again and again: what each of them is told.
//
// tests/qemu/crash_loop.py boots with a packagefsd that cannot read links. There are more callers
// than nexus-init lets it crash: when it is declared down, some have been waiting in its endpoint
// all the time, and were never received.
#include "kill_test.h"
#include <stdio.h>
#include <stdlib.h>

#define CALLERS  8u
#define PATIENCE (30 * NX_SECOND)

struct caller {
    struct nx_thread thread;
    enum nx_status status;
};

static enum nx_status link_read(void)
{
    char target[PATH_BYTES];
    return nx_package_read_link(PROGRAM_PATH, target, sizeof(target));
}

static void caller_main(void *argument)
{
    struct caller *caller = argument;
    caller->status = link_read();
}

// How many have ended by the deadline, and how many of them were told that the service is gone.
static void callers_await(struct caller *callers, uint32_t *ended, uint32_t *gone)
{
    uint64_t deadline = nx_deadline_after(PATIENCE);
    for (uint32_t i = 0; i < CALLERS; i++) {
        uint64_t bits;
        if (nx_notification_wait(callers[i].thread.exited, deadline, &bits) == NX_OK) {
            ++*ended;
            *gone += callers[i].status == NX_ERR_PEER_CLOSED;
        }
    }
}

int crowd_main(void)
{
    static struct caller callers[CALLERS];
    uint32_t ended = 0;
    uint32_t gone = 0;
    uint64_t begun = nx_clock_now();
    for (uint32_t i = 0; i < CALLERS; i++) {
        enum nx_status status = nx_thread_spawn(NULL, caller_main, &callers[i], &callers[i].thread);
        if (status != NX_OK) {
            printf("kills: crowd FAIL reason=%s\n", nx_status_text(status));
            return EXIT_FAILURE;
        }
    }
    callers_await(callers, &ended, &gone);
    printf("kills: crowd callers=%u ended=%u gone=%u ms=%llu\n", CALLERS, (unsigned)ended,
           (unsigned)gone, (unsigned long long)((nx_clock_now() - begun) / NX_MILLISECOND));
    if (ended < CALLERS) { // one more call would wait just as they do
        return EXIT_FAILURE;
    }
    begun = nx_clock_now();
    enum nx_status status = link_read();
    printf("kills: crowd afterwards=\"%s\" us=%llu\n", nx_status_text(status),
           (unsigned long long)((nx_clock_now() - begun) / NX_MICROSECOND));
    return gone == CALLERS && status == NX_ERR_PEER_CLOSED ? EXIT_SUCCESS : EXIT_FAILURE;
}
