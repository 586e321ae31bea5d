// SPDX-License-Identifier: Apache-2.0
// Subject: a thread from its creation over its run and exit to the join.
#include "nexus/thread.h"
#include "bench.h"

static void count_thread(void *argument)
{
    uint64_t *runs = argument;
    ++*runs;
}

bool subject_thread(void)
{
    uint64_t runs = 0;
    uint64_t failed = 0;
    BENCH_LAPS(
        {
            struct nx_thread thread;
            enum nx_status status = nx_thread_spawn(NULL, count_thread, &runs, &thread);
            failed |= status == NX_OK ? nx_thread_join(&thread) : status;
        },
        {});
    return (failed == 0 && runs == LAPS) ||
           bench_fail("%lu of %u threads ran, status %lu", (unsigned long)runs, LAPS,
                      (unsigned long)failed);
}
