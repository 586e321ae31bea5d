// SPDX-License-Identifier: Apache-2.0
// Subjects: mapping fresh memory and touching it; unmapping a page that another hart has used.
#include "nexus/memory.h"
#include "bench.h"
#include "nexus/thread.h"
#include <stdatomic.h>

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

// ---- Unmapping a page that an idle hart has used -----------------------------------------------

#define UNMAP_ROUNDS 1000u
#define IDLE_TIME    NX_MILLISECOND // long enough for the other hart to fall idle

// A thread on the other hart that reads a page when it is told to, and waits.
struct reader {
    nx_handle wake;
    _Atomic(const uint64_t *) page; // NULL: the thread ends
    _Atomic uint64_t read;
};

static void reader_thread(void *argument)
{
    struct reader *reader = argument;
    uint64_t bits;
    while (nx_notification_wait(reader->wake, NX_DEADLINE_NEVER, &bits) == NX_OK) {
        // Acquire: pairs with the release store of page_use and of the end.
        const volatile uint64_t *page = atomic_load_explicit(&reader->page, memory_order_acquire);
        if (page == NULL) {
            break;
        }
        atomic_store_explicit(&reader->read, *page, memory_order_release);
    }
}

static bool page_use(struct reader *reader, const uint64_t *page)
{
    atomic_store_explicit(&reader->page, page, memory_order_release);
    BENCH_OK(nx_notification_signal(reader->wake, 1));
    nx_sleep(IDLE_TIME);
    return atomic_load_explicit(&reader->read, memory_order_acquire) == *page ||
           bench_fail("the other hart did not read the page");
}

static bool unmap_once(struct reader *reader, uint64_t value)
{
    nx_handle memory;
    void *base;
    BENCH_OK(nx_memory_new(NX_PAGE_SIZE, 0, &memory, &base));
    *(uint64_t *)base = value;
    bool used = page_use(reader, base);
    NX_MARK(NX_MARK_START);
    enum nx_status status = nx_memory_unmap(NX_HANDLE_NONE, (uint64_t)(uintptr_t)base);
    NX_MARK(NX_MARK_STOP);
    nx_handle_drop(memory); // the object itself is not part of the row
    BENCH_OK(status);
    return used;
}

bool subject_unmap(void)
{
    struct reader reader = {0};
    struct nx_thread thread;
    const struct nx_thread_options options = {.affinity = HART_OTHER, .class = -1};
    bool done = true;
    BENCH_OK(nx_notification_create(&reader.wake));
    BENCH_OK(nx_thread_spawn(&options, reader_thread, &reader, &thread));
    NX_MARK(NX_MARK_BEGIN);
    for (uint64_t i = 1; i <= UNMAP_ROUNDS && done; i++) {
        done = unmap_once(&reader, i);
    }
    NX_MARK(NX_MARK_END);
    atomic_store_explicit(&reader.page, NULL, memory_order_release);
    BENCH_OK(nx_notification_signal(reader.wake, 1));
    BENCH_OK(nx_thread_join(&thread));
    nx_handle_drop(reader.wake);
    return done;
}
