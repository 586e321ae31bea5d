// SPDX-License-Identifier: Apache-2.0
// What the fuzzer has reached: a table of calls and their results.
#include "fuzz_table.h"
#include "nexus/log.h"
#include <stdio.h>

#define LINE_BYTES 400u

static uint64_t ended_sum(const struct fuzz_counts *counts, uint64_t number)
{
    uint64_t sum = 0;
    for (uint32_t status = 0; status < NX_STATUS_COUNT; status++) {
        sum += counts->ended[number][status];
    }
    return sum;
}

void fuzz_table_print(const struct fuzz_counts *counts)
{
    for (uint64_t number = 0; number < NX_SYSCALL_COUNT; number++) {
        char line[LINE_BYTES] = "";
        size_t used = 0;
        for (uint32_t status = 0; status < NX_STATUS_COUNT && used < sizeof(line); status++) {
            if (counts->ended[number][status] != 0) {
                used += (size_t)snprintf(line + used, sizeof(line) - used, " | %s %llu",
                                         nx_status_text((enum nx_status)status),
                                         (unsigned long long)counts->ended[number][status]);
            }
        }
        uint64_t entered = counts->entered[number];
        nx_log("attack: table %-20s %8llu cut %llu%s", fuzz_call_name(number),
               (unsigned long long)entered,
               (unsigned long long)(entered - ended_sum(counts, number)), line);
    }
}

// Calls that a worker cannot make succeed: it has no right to reset the machine, and whoever binds
// the log takes it from its reader.
static bool may_succeed(uint64_t number)
{
    return number != NX_SYS_SYSTEM_RESET && number != NX_SYS_LOG_BIND;
}

static bool succeeds_by_not_returning(uint64_t number)
{
    return number == NX_SYS_PROCESS_EXIT || number == NX_SYS_THREAD_EXIT;
}

bool fuzz_table_is_full(struct report *report, const struct fuzz_counts *counts)
{
    EXPECT(report, counts->strange == 0, "%llu results that are no status",
           (unsigned long long)counts->strange);
    for (uint64_t number = 0; number < NX_SYSCALL_COUNT; number++) {
        uint64_t reached = succeeds_by_not_returning(number) ? counts->entered[number]
                                                             : counts->ended[number][NX_OK];
        EXPECT(report, reached != 0 || !may_succeed(number), "no %s ever succeeded",
               fuzz_call_name(number));
    }
    return true;
}
