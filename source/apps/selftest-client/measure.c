// SPDX-License-Identifier: Apache-2.0
// Instruction counts of a null system call and of a message round trip between two processes on one
// hart. Exact when the machine counts instructions (QEMU with -icount shift=0); else host ticks.
#include "child.h"
#include "nexus/log.h"
#include <stdio.h>
#include <stdlib.h>

#define SAMPLES 10000u
#define WARM_UP 100u
#define HART    0u // both processes run here, so that the kernel switches straight between them

static uint32_t samples[SAMPLES];

NX_INLINE uint64_t instructions(void)
{
    uint64_t count;
    __asm__ volatile("rdinstret %0" : "=r"(count) : : "memory");
    return count;
}

static int compare(const void *left, const void *right)
{
    const uint32_t *a = left;
    const uint32_t *b = right;
    return *a < *b ? -1 : *a > *b;
}

// Measures a statement SAMPLES times and yields the median; the fence of reads around it costs the
// same with an empty statement, which the callers subtract.
#define MEDIAN_OF(result, ...)                                                                     \
    do {                                                                                           \
        for (size_t i_ = 0; i_ < WARM_UP + SAMPLES; i_++) {                                        \
            uint64_t start_ = instructions();                                                      \
            __VA_ARGS__;                                                                           \
            samples[i_ < WARM_UP ? 0 : i_ - WARM_UP] = (uint32_t)(instructions() - start_);        \
        }                                                                                          \
        qsort(samples, SAMPLES, sizeof(samples[0]), compare);                                      \
        (result) = samples[SAMPLES / 2];                                                           \
    } while (0)

struct result {
    uint64_t null_call;
    uint64_t round_trip_0;
    uint64_t round_trip_6;
    uint32_t failed_calls;
};

static void measure_messages(nx_handle endpoint, uint64_t overhead, struct result *result)
{
    struct nx_message message = {0};

    MEDIAN_OF(result->round_trip_0, {
        message = (struct nx_message){0};
        result->failed_calls += nx_endpoint_call(endpoint, &message) != NX_OK;
    });
    MEDIAN_OF(result->round_trip_6, {
        message = (struct nx_message){.words = {1, 2, 3, 4, 5, 6}};
        result->failed_calls +=
            nx_endpoint_call(endpoint, &message) != NX_OK || message.words[5] != 6;
    });
    result->round_trip_0 -= overhead;
    result->round_trip_6 -= overhead;
}

static enum nx_status measure_with_child(struct child *child, struct result *result)
{
    nx_handle endpoint;
    nx_handle granted;
    uint64_t overhead;
    enum nx_status status = nx_endpoint_create(&endpoint);
    if (status != NX_OK) {
        return status;
    }
    status = nx_handle_grant(child->process, endpoint, NX_RIGHT_RECEIVE, &granted);
    if (status == NX_OK) {
        status = child_start(child, child_echo, granted, 1u << HART);
    }
    if (status == NX_OK) {
        MEDIAN_OF(overhead, {});
        MEDIAN_OF(result->null_call, result->failed_calls += nx_system_null() != NX_OK);
        result->null_call -= overhead;
        measure_messages(endpoint, overhead, result);
    }
    nx_handle_drop(endpoint);
    return status;
}

int measure_run(void)
{
    struct child child;
    struct result result = {0};

    enum nx_status status =
        nx_thread_control(NX_HANDLE_NONE, NX_THREAD_SET_AFFINITY, 1u << HART, 0);
    if (status == NX_OK) {
        status = child_create(&child);
    }
    if (status == NX_OK) {
        status = measure_with_child(&child, &result);
        child_end(&child);
    }
    if (status != NX_OK || result.failed_calls != 0) {
        nx_log("measure: FAIL reason=%s failed_calls=%u", nx_status_text(status),
               result.failed_calls);
        return EXIT_FAILURE;
    }
    printf("measure: null_syscall=%llu ipc0=%llu ipc6=%llu\n", (unsigned long long)result.null_call,
           (unsigned long long)result.round_trip_0, (unsigned long long)result.round_trip_6);
    return EXIT_SUCCESS;
}
