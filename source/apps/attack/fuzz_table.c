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
    nx_log("attack: table unknown numbers refused=%llu", (unsigned long long)counts->unknown);
    for (uint32_t i = 0; i < FUZZ_SERVICES; i++) {
        const struct fuzz_answers *answers = &counts->answers[i];
        nx_log("attack: table messages to %-8s sent=%llu done=%llu refused=%llu",
               fuzz_service_name(i), (unsigned long long)answers->sent,
               (unsigned long long)answers->done, (unsigned long long)answers->refused);
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

static bool unknown_calls_are_refused(struct report *report, const struct fuzz_counts *counts)
{
    EXPECT(report, counts->unknown != 0, "no call with an unknown number was made");
    EXPECT(report, counts->unknown_taken == 0, "%llu calls with unknown numbers were not refused",
           (unsigned long long)counts->unknown_taken);
    EXPECT(report, counts->unknown_changed == 0,
           "%llu calls with unknown numbers changed something",
           (unsigned long long)counts->unknown_changed);
    return true;
}

static bool services_answer(struct report *report, const struct fuzz_counts *counts)
{
    for (uint32_t i = 0; i < FUZZ_SERVICES; i++) {
        const struct fuzz_answers *answers = &counts->answers[i];
        EXPECT(report, answers->unclear == 0, "%llu answers of %s that are none",
               (unsigned long long)answers->unclear, fuzz_service_name(i));
        EXPECT(report, answers->dropped == 0, "%s left %llu callers without an answer",
               fuzz_service_name(i), (unsigned long long)answers->dropped);
        EXPECT(report, answers->done != 0 && answers->refused != 0, "%s: done=%llu refused=%llu",
               fuzz_service_name(i), (unsigned long long)answers->done,
               (unsigned long long)answers->refused);
    }
    return true;
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
    return unknown_calls_are_refused(report, counts) && services_answer(report, counts);
}
