// SPDX-License-Identifier: Apache-2.0
// Subjects: pairs of a client and a server process, one pair a hart, that share nothing.
//
//   four-pairs   four harts: how many lock acquisitions had to wait while all pairs called
//   pairs-ratio  two harts, wall clock: the work of two pairs against that of one, and as a measure
//                of what the host allows the same with threads that only compute; in per mille
//
// A client counts its round trips in a page that it shares with us, from one signal to the next.
#include "bench.h"
#include "nexus/info.h"
#include "nexus/memory.h"
#include "nexus/thread.h"
#include <stdatomic.h>

#define PAIRS_MAX    4u
#define CALL_TIME    (200 * NX_MILLISECOND)
#define RATIO_TIME   (100 * NX_MILLISECOND)
#define RATIO_ROUNDS 15u
#define RATIO_LEAST  5u // rounds for a median
#define PER_MILLE    1000u
#define CALLS_LEAST  100u // of each pair

struct pair {
    struct partner server;
    struct partner client;
    struct pair_page *page;
    nx_handle memory;
};

static enum nx_status pair_open(struct pair *pair, uint32_t hart)
{
    struct partner_options server = {
        .role = "echo", .harts = 1ull << hart, .class = NX_CLASS_NORMAL};
    struct partner_options client = {
        .role = "client", .harts = 1ull << hart, .class = NX_CLASS_NORMAL};
    void *page;
    enum nx_status status = nx_memory_new(NX_PAGE_SIZE, 0, &pair->memory, &page);
    if (status == NX_OK) {
        pair->page = page;
        status = partner_start(&pair->server, &server);
    }
    if (status == NX_OK) {
        client.memory = pair->memory;
        client.server = pair->server.endpoint;
        status = partner_start(&pair->client, &client);
    }
    return status;
}

static bool pair_close(struct pair *pair)
{
    bool lived = partner_end(&pair->client);
    lived = partner_end(&pair->server) && lived;
    nx_unmap(pair->page);
    nx_handle_drop(pair->memory);
    return lived;
}

// Runs the first `count` pairs for a while and adds up their round trips; 0: one of them failed.
static uint64_t pairs_work(struct pair *pairs, uint32_t count, uint64_t time)
{
    uint64_t calls = 0;
    uint64_t begun = nx_clock_now();
    for (uint32_t i = 0; i < count; i++) {
        pairs[i].page->deadline = begun + time;
        atomic_store_explicit(&pairs[i].page->calls, 0, memory_order_relaxed);
        if (nx_notification_signal(pairs[i].client.notification, 1) != NX_OK) {
            return 0;
        }
    }
    nx_sleep(time + SETTLE_TIME);
    for (uint32_t i = 0; i < count; i++) {
        // Acquire: the client stores once, when it has finished.
        uint64_t done = atomic_load_explicit(&pairs[i].page->calls, memory_order_acquire);
        if (done < CALLS_LEAST) {
            return 0;
        }
        calls += done;
    }
    return calls;
}

static bool contended_read(uint64_t *contended)
{
    struct nx_info_hart record;
    uint64_t bytes;
    *contended = 0;
    for (uint64_t i = 0; i < PAIRS_MAX; i++) {
        BENCH_OK(nx_system_info(nx_start_handle(NX_START_MACHINE), NX_INFO_HART, i, &bytes));
        memcpy(&record, nx_page()->data, sizeof(record));
        if (record.state != NX_HART_ONLINE) {
            return bench_fail("hart %lu is not online", (unsigned long)i);
        }
        *contended += record.lock_contended;
    }
    return true;
}

bool subject_four_pairs(void)
{
    struct pair pairs[PAIRS_MAX];
    uint64_t before;
    uint64_t after;
    for (uint32_t i = 0; i < PAIRS_MAX; i++) {
        BENCH_OK(pair_open(&pairs[i], i));
    }
    nx_sleep(SETTLE_TIME);
    NX_MARK(NX_MARK_BEGIN);
    bool counted = contended_read(&before);
    uint64_t calls = pairs_work(pairs, PAIRS_MAX, CALL_TIME);
    counted = contended_read(&after) && counted;
    NX_MARK(NX_MARK_END);
    for (uint32_t i = 0; i < PAIRS_MAX; i++) {
        counted = pair_close(&pairs[i]) && counted;
    }
    bench_value("calls", calls);
    bench_value("contended", after - before);
    return counted && (calls != 0 || bench_fail("a pair made no calls"));
}

// ---- What the host allows -----------------------------------------------------------------------

struct computer {
    uint64_t deadline;
    uint64_t rounds;
};

static void compute_thread(void *argument)
{
    struct computer *computer = argument;
    uint64_t rounds = 0;
    while (nx_clock_now() < computer->deadline) {
        for (volatile uint32_t i = 0; i < PER_MILLE; i++) {
        }
        rounds++;
    }
    computer->rounds = rounds;
}

// The same for threads that only compute, the first `count` of two harts.
static uint64_t harts_compute(uint32_t count, uint64_t time)
{
    struct computer computers[2];
    struct nx_thread threads[2];
    uint64_t rounds = 0;
    uint32_t started = 0;
    for (; started < count; started++) {
        const struct nx_thread_options options = {.affinity = 1ull << started, .class = -1};
        computers[started] = (struct computer){.deadline = nx_clock_now() + time};
        if (nx_thread_spawn(&options, compute_thread, &computers[started], &threads[started]) !=
            NX_OK) {
            break;
        }
    }
    for (uint32_t i = 0; i < started; i++) {
        if (nx_thread_join(&threads[i]) != NX_OK) {
            return 0;
        }
        rounds += computers[i].rounds;
    }
    return started == count ? rounds : 0;
}

// One pair, then two, in turns, so that both see the same host.
bool subject_pairs_ratio(void)
{
    struct pair pairs[2];
    BENCH_OK(pair_open(&pairs[0], 0));
    BENCH_OK(pair_open(&pairs[1], 1));
    bool done = true;
    uint32_t counted = 0;
    for (uint32_t i = 0; i < RATIO_ROUNDS && done; i++) {
        uint64_t one = pairs_work(pairs, 1, RATIO_TIME);
        uint64_t two = pairs_work(pairs, 2, RATIO_TIME);
        uint64_t compute_one = harts_compute(1, RATIO_TIME);
        uint64_t compute_two = harts_compute(2, RATIO_TIME);
        done = compute_one != 0 && compute_two != 0;
        if (one != 0 && two != 0) { // else the host was too busy for this round
            counted++;
            bench_value("pairs-per-mille", two * PER_MILLE / one);
            bench_value("host-per-mille", compute_two * PER_MILLE / compute_one);
        }
    }
    done = done && counted >= RATIO_LEAST;
    done = done || bench_fail("the pairs worked in %u of %u rounds only", counted, RATIO_ROUNDS);
    done = pair_close(&pairs[0]) && done;
    return pair_close(&pairs[1]) && done;
}
