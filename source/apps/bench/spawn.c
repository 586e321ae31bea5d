// SPDX-License-Identifier: Apache-2.0
// Subject: a static ELF file of 64 KiB from pkg:// to its main, and until it is reaped.
#include "bench.h"
#include "nexus/packages.h"
#include "spawned.h"

#define SPAWNED_PATH   "pkg://bin/bench-spawned"
#define SPAWNED_BYTES  (64u << 10)
#define SPAWNED_BUDGET 256u // pages
#define ROUNDS         200u

static bool spawn_once(void)
{
    const char *const words[] = {"bench-spawned", SPAWNED_WORD};
    const struct nx_spawn_options options = {
        .name = "bench-spawned",
        .arguments = words,
        .argument_count = 2,
        .budget_pages = SPAWNED_BUDGET,
        .highest_class = NX_CLASS_NORMAL,
    };
    struct nx_child child;
    int64_t exit_status;
    if (nx_spawn_package(SPAWNED_PATH, &options, &child) != NX_OK) {
        return false;
    }
    bool ended = nx_child_wait(&child, NX_DEADLINE_NEVER, &exit_status) == NX_OK;
    nx_child_close(&child);
    return ended && exit_status == SPAWNED_STATUS;
}

bool subject_spawn(void)
{
    struct nx_package_facts facts;
    uint32_t wrong = 0;
    BENCH_OK(nx_package_stat(SPAWNED_PATH, &facts));
    if (facts.size < SPAWNED_BYTES) {
        return bench_fail("%s has only %lu bytes", SPAWNED_PATH, (unsigned long)facts.size);
    }
    BENCH_ROUNDS(ROUNDS, 1, wrong += !spawn_once(), {});
    return wrong == 0 || bench_fail("%u of %u programs did not run", wrong, ROUNDS);
}
