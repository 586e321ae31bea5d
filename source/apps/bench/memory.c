// SPDX-License-Identifier: Apache-2.0
// Subjects: mapping fresh memory and touching it; unmapping a page that another hart has used.
#include "nexus/memory.h"
#include "bench.h"

#define BATCH_BYTES (16ul << 20)
#define BATCHES     8u

// Whether each page is zeroed; leaves a value in it, as its use would.
static bool pages_touch(uint8_t *base)
{
    uint64_t found = 0;
    for (uint64_t at = 0; at < BATCH_BYTES; at += NX_PAGE_SIZE) {
        uint64_t *word = (uint64_t *)(void *)(base + at);
        found |= *word;
        *word = at + 1;
    }
    return found == 0;
}

bool subject_map(void)
{
    NX_MARK(NX_MARK_BEGIN);
    for (uint32_t i = 0; i < BATCHES; i++) {
        void *base;
        NX_MARK(NX_MARK_START);
        BENCH_OK(nx_memory_new(BATCH_BYTES, 0, NULL, &base));
        bool zero = pages_touch(base);
        NX_MARK(NX_MARK_STOP);
        const uint64_t *last =
            (const uint64_t *)(const void *)((uint8_t *)base + BATCH_BYTES - NX_PAGE_SIZE);
        if (!zero || *last != BATCH_BYTES - NX_PAGE_SIZE + 1) {
            return bench_fail("fresh pages are not zeroed memory");
        }
        nx_unmap(base);
        nx_sleep(SETTLE_TIME); // what was unmapped goes back in the background
    }
    NX_MARK(NX_MARK_END);
    return true;
}
