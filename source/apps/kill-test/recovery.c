// SPDX-License-Identifier: Apache-2.0
// How long services took to answer again after a kill.
#include "kill_test.h"
#include "nexus/log.h"
#include <stdlib.h>

static struct {
    uint32_t count;
    uint32_t microseconds[KILLS_MAX];
} recoveries[VICTIM_COUNT];

void recovery_begin(void)
{
    memset(recoveries, UINT8_MAX, sizeof(recoveries));
    for (enum victim victim = 0; victim < VICTIM_COUNT; victim++) {
        recoveries[victim].count = 0;
    }
}

void recovery_note(enum victim victim, uint64_t nanoseconds)
{
    uint64_t us = nanoseconds / NX_MICROSECOND;
    recoveries[victim].microseconds[recoveries[victim].count++] =
        us < UINT32_MAX ? (uint32_t)us : UINT32_MAX;
}

static int compare_u32(const void *left, const void *right)
{
    uint32_t a = *(const uint32_t *)left;
    uint32_t b = *(const uint32_t *)right;
    return a < b ? -1 : a > b;
}

void recovery_report(enum victim victim, uint32_t kills)
{
    uint32_t *us = recoveries[victim].microseconds;
    uint32_t count = recoveries[victim].count;

    if (count == 0) { // all of them hasty
        nx_log("kills: recovery service=%s kills=%u waited=0", victim_name(victim),
               (unsigned)kills);
        return;
    }
    qsort(us, count, sizeof(*us), compare_u32);
    nx_log("kills: recovery service=%s kills=%u waited=%u p50_us=%u p99_us=%u longest_us=%u",
           victim_name(victim), (unsigned)kills, (unsigned)count, (unsigned)us[count / 2],
           (unsigned)us[count - 1 - count / 100], (unsigned)us[count - 1]);
}
