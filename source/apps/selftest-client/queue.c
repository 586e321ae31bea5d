// SPDX-License-Identifier: Apache-2.0
// Self-tests of queued reads: what they bring is what single reads bring, refusals are results, a
// client that breaks the rules harms nobody else, sessions end, and a restart is no more than a
// delay.
#include "block/block_ring.h"
#include "nexus/block.h"
#include "nexus/memory.h"
#include "nexus/process.h"
#include "nexus/registry.h"
#include "nexus/thread.h"
#include "selftest.h"

#define BLOCK_BYTES     4096u
#define BLOCK_SECTORS   (BLOCK_BYTES / NX_BLOCK_SECTOR_BYTES)
#define LARGE_BYTES     (NX_BLOCK_READ_SECTORS_MAX * NX_BLOCK_SECTOR_BYTES)
#define WINDOW_BYTES    (NX_BLOCK_QUEUE_DEPTH * BLOCK_BYTES) // of the disk: what is compared
#define LARGE_READS     (WINDOW_BYTES / LARGE_BYTES)
#define UNALIGNED       NX_BLOCK_SECTOR_BYTES // reads need not start at a page
#define PATIENCE        (20 * NX_SECOND)
#define SESSIONS_AT_ALL 64u // more than virtioblkd would ever take
#define FULL            (~0ull >> (64 - NX_BLOCK_QUEUE_DEPTH))

// What the tests share.
struct arena {
    nx_handle expected_memory; // the window by single reads
    uint8_t *expected;
    nx_handle memory; // the target of queued reads
    uint8_t *bytes;
    struct nx_block_queue queue;
    uint32_t slot;
};

static enum test_outcome arena_fill(struct test_report *report, struct arena *arena)
{
    void *address;
    EXPECT_OK(report, nx_memory_new(WINDOW_BYTES, 0, &arena->expected_memory, &address));
    arena->expected = address;
    EXPECT_OK(report, nx_memory_new(WINDOW_BYTES + NX_PAGE_SIZE, 0, &arena->memory, &address));
    arena->bytes = address;
    for (uint32_t i = 0; i < LARGE_READS; i++) {
        EXPECT_OK(report, nx_block_read(i * NX_BLOCK_READ_SECTORS_MAX, NX_BLOCK_READ_SECTORS_MAX,
                                        arena->expected_memory, i * LARGE_BYTES, NULL));
    }
    return TEST_PASS;
}

static void arena_empty(struct arena *arena)
{
    nx_unmap(arena->expected);
    nx_handle_drop(arena->expected_memory);
    nx_unmap(arena->bytes);
    nx_handle_drop(arena->memory);
}

// A session ends a moment after its client's endpoint.
static bool sessions_are(void *context)
{
    const uint32_t *wanted = context;
    struct nx_block_facts facts;
    return nx_block_info(&facts) == NX_OK && facts.sessions == *wanted;
}

// Takes all that is in flight; *seen is the set of cookies that came back with `wanted`.
static enum test_outcome results_take(struct test_report *report, struct nx_block_queue *queue,
                                      enum nx_status wanted, uint64_t *seen)
{
    struct nx_block_result result;
    *seen = 0;
    while (nx_block_queue_in_flight(queue) > 0) {
        EXPECT_OK(report, nx_block_queue_wait(queue, nx_block_queue_in_flight(queue),
                                              nx_deadline_after(PATIENCE)));
        while (nx_block_queue_take(queue, &result)) {
            uintptr_t cookie = (uintptr_t)result.cookie;
            EXPECT(report, result.status == wanted, "queued read %d: %s", (int)cookie,
                   nx_status_text(result.status));
            EXPECT(report, (*seen >> cookie & 1) == 0, "read %d came back twice", (int)cookie);
            *seen |= 1ull << cookie;
        }
    }
    return TEST_PASS;
}

// ---- Reads --------------------------------------------------------------------------------------

// As many small reads as the queue takes, out of order, in one batch.
static enum test_outcome small_reads(struct test_report *report, struct arena *arena)
{
    struct nx_block_facts before;
    struct nx_block_facts after;
    uint64_t seen;

    memset(arena->bytes, 0xee, WINDOW_BYTES);
    EXPECT_OK(report, nx_block_info(&before));
    for (uint32_t i = 0; i < NX_BLOCK_QUEUE_DEPTH; i++) {
        uint32_t block = i * 37 % NX_BLOCK_QUEUE_DEPTH; // each of them once
        EXPECT_OK(report,
                  nx_block_queue_add(&arena->queue, block * BLOCK_SECTORS, BLOCK_SECTORS,
                                     arena->slot, block * BLOCK_BYTES, (void *)(uintptr_t)block));
    }
    EXPECT_STATUS(report, nx_block_queue_add(&arena->queue, 0, BLOCK_SECTORS, arena->slot, 0, NULL),
                  NX_ERR_BUSY);
    nx_block_queue_submit(&arena->queue);
    enum test_outcome outcome = results_take(report, &arena->queue, NX_OK, &seen);
    if (outcome != TEST_PASS) {
        return outcome;
    }
    EXPECT_OK(report, nx_block_info(&after));
    EXPECT(report, seen == FULL, "reads that came back: %#llx", (unsigned long long)seen);
    EXPECT(report, memcmp(arena->bytes, arena->expected, WINDOW_BYTES) == 0,
           "queued reads brought other bytes");
    EXPECT(report, after.queued - before.queued == NX_BLOCK_QUEUE_DEPTH, "queued %llu reads",
           (unsigned long long)(after.queued - before.queued));
    EXPECT(report, after.doorbells - before.doorbells <= 1, "a batch took %llu doorbells",
           (unsigned long long)(after.doorbells - before.doorbells));
    // However the device finishes a batch, in parts or before it is asked for an interrupt: a new
    // queue is told of its first answer, and who waits for all of them once more.
    EXPECT(report, after.notices - before.notices <= 2, "a batch took %llu notices",
           (unsigned long long)(after.notices - before.notices));
    EXPECT(report, after.bytes_copied == before.bytes_copied, "payload was copied");
    return TEST_PASS;
}

// Large ones, to an address that starts in the middle of a page.
static enum test_outcome large_reads(struct test_report *report, struct arena *arena)
{
    uint64_t seen;

    memset(arena->bytes, 0xee, WINDOW_BYTES + NX_PAGE_SIZE);
    for (uint32_t i = 0; i < LARGE_READS; i++) {
        EXPECT_OK(report, nx_block_queue_add(&arena->queue, i * NX_BLOCK_READ_SECTORS_MAX,
                                             NX_BLOCK_READ_SECTORS_MAX, arena->slot,
                                             UNALIGNED + i * LARGE_BYTES, (void *)(uintptr_t)i));
    }
    nx_block_queue_submit(&arena->queue);
    enum test_outcome outcome = results_take(report, &arena->queue, NX_OK, &seen);
    if (outcome != TEST_PASS) {
        return outcome;
    }
    EXPECT(report, memcmp(arena->bytes + UNALIGNED, arena->expected, WINDOW_BYTES) == 0,
           "large queued reads brought other bytes");
    EXPECT(report,
           arena->bytes[UNALIGNED - 1] == 0xee && arena->bytes[UNALIGNED + WINDOW_BYTES] == 0xee,
           "bytes beside the target were written");
    return TEST_PASS;
}

// ---- Refusals -----------------------------------------------------------------------------------

struct queue_refusal {
    uint64_t lba;
    uint32_t count;
    uint64_t offset;
    enum nx_status wanted;
};

static const struct queue_refusal refusals[] = {
    {0, 0, 0, NX_ERR_INVALID_ARGUMENT},
    {0, NX_BLOCK_READ_SECTORS_MAX + 1, 0, NX_ERR_TOO_LARGE},
    {UINT64_MAX, 2, 0, NX_ERR_OVERFLOW},
    {UINT64_MAX / 512, 1, 0, NX_ERR_OUT_OF_RANGE},
    {0, 1, 1, NX_ERR_INVALID_ARGUMENT},
    {0, 1, WINDOW_BYTES + NX_PAGE_SIZE, NX_ERR_OUT_OF_RANGE},
    {0, 2, WINDOW_BYTES + NX_PAGE_SIZE - NX_BLOCK_SECTOR_BYTES, NX_ERR_OUT_OF_RANGE},
    {0, 1, UINT64_MAX - NX_BLOCK_SECTOR_BYTES + 1, NX_ERR_OVERFLOW},
    {0, 1, 1ull << 40, NX_ERR_OUT_OF_RANGE},
};

static enum test_outcome refusals_are_results(struct test_report *report, struct arena *arena)
{
    uint64_t seen;
    for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
        EXPECT_OK(report, nx_block_queue_add(&arena->queue, refusals[i].lba, refusals[i].count,
                                             arena->slot, refusals[i].offset, NULL));
        nx_block_queue_submit(&arena->queue);
        enum test_outcome outcome = results_take(report, &arena->queue, refusals[i].wanted, &seen);
        if (outcome != TEST_PASS) {
            return outcome;
        }
    }
    return TEST_PASS;
}

static enum test_outcome attach_is_checked(struct test_report *report, struct arena *arena)
{
    struct nx_block_queue *queue = &arena->queue;
    nx_handle read_only;
    nx_handle no_memory;
    uint32_t slot;

    EXPECT_OK(report,
              nx_handle_duplicate(arena->memory, NX_RIGHT_READ | NX_RIGHT_TRANSFER, 0, &read_only));
    enum nx_status status = nx_block_queue_attach(queue, read_only, &slot);
    nx_handle_drop(read_only);
    EXPECT(report, status == NX_ERR_ACCESS_DENIED, "read-only memory attached: %s",
           nx_status_text(status));
    EXPECT_OK(report, nx_notification_create(&no_memory));
    status = nx_block_queue_attach(queue, no_memory, &slot);
    nx_handle_drop(no_memory);
    EXPECT(report, status == NX_ERR_WRONG_TYPE, "a notification attached: %s",
           nx_status_text(status));
    EXPECT_STATUS(report, nx_block_queue_add(queue, 0, 1, NX_BLOCK_QUEUE_MEMORIES, 0, NULL),
                  NX_ERR_INVALID_ARGUMENT);
    EXPECT_STATUS(report, nx_block_queue_detach(queue, NX_BLOCK_QUEUE_MEMORIES - 1),
                  NX_ERR_INVALID_ARGUMENT);
    EXPECT_OK(report, nx_block_queue_attach(queue, arena->expected_memory, &slot));
    EXPECT_OK(report, nx_block_queue_add(queue, 0, 1, slot, 0, NULL));
    EXPECT_STATUS(report, nx_block_queue_detach(queue, slot), NX_ERR_BUSY);
    uint64_t seen;
    enum test_outcome outcome = results_take(report, queue, NX_OK, &seen);
    if (outcome == TEST_PASS) {
        EXPECT_OK(report, nx_block_queue_detach(queue, slot));
    }
    return outcome;
}

// ---- Reads at once ------------------------------------------------------------------------------

#define READERS 4u

// One of several threads that read every READERS-th block at once, each its own.
struct reader {
    struct arena *arena;
    uint32_t number;
    enum nx_status status;
    struct nx_thread thread;
};

static void reader_run(void *context)
{
    struct reader *reader = context;
    struct arena *arena = reader->arena;
    for (uint32_t block = reader->number; block < NX_BLOCK_QUEUE_DEPTH; block += READERS) {
        // By turns into the attached memory, and with the memory riding along.
        enum nx_status status =
            (block / READERS) % 2 == 0
                ? nx_block_queue_read(&arena->queue, block * BLOCK_SECTORS, BLOCK_SECTORS,
                                      arena->slot, block * BLOCK_BYTES, NULL)
                : nx_block_read(block * BLOCK_SECTORS, BLOCK_SECTORS, arena->memory,
                                block * BLOCK_BYTES, NULL);
        if (status != NX_OK) {
            reader->status = status;
            return;
        }
    }
}

// One caller is kept while the device works; further ones come meanwhile.
static enum test_outcome reads_at_once(struct test_report *report, struct arena *arena)
{
    const struct nx_thread_options options = {.class = -1};
    struct reader readers[READERS];

    memset(arena->bytes, 0xee, WINDOW_BYTES);
    for (uint32_t i = 0; i < READERS; i++) {
        readers[i] = (struct reader){.arena = arena, .number = i};
        EXPECT_OK(report, nx_thread_spawn(&options, reader_run, &readers[i], &readers[i].thread));
    }
    for (uint32_t i = 0; i < READERS; i++) {
        EXPECT_OK(report, nx_thread_join(&readers[i].thread));
    }
    for (uint32_t i = 0; i < READERS; i++) {
        EXPECT(report, readers[i].status == NX_OK, "reader %u: %s", i,
               nx_status_text(readers[i].status));
    }
    EXPECT(report, memcmp(arena->bytes, arena->expected, WINDOW_BYTES) == 0,
           "reads at once brought other bytes");
    return TEST_PASS;
}

static enum test_outcome refusals_at_once(struct test_report *report, struct arena *arena)
{
    char reason[NX_BLOCK_REASON_BYTES];
    struct nx_block_queue other;
    struct nx_block_facts facts;

    for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
        enum nx_status status =
            nx_block_queue_read(&arena->queue, refusals[i].lba, refusals[i].count, arena->slot,
                                refusals[i].offset, reason);
        EXPECT(report, status == refusals[i].wanted && reason[0] != '\0', "refusal %u: %s (%s)",
               (unsigned)i, nx_status_text(status), reason);
    }
    EXPECT_STATUS(report,
                  nx_block_queue_read(&arena->queue, 0, 1, NX_BLOCK_QUEUE_MEMORIES, 0, NULL),
                  NX_ERR_INVALID_ARGUMENT);
    // Slots are a session's own, and who comes through no session's endpoint has none.
    EXPECT_OK(report, nx_block_info(&facts));
    EXPECT_OK(report, nx_block_queue_open(&other, NX_HANDLE_NONE, 0));
    struct nx_block_queue forged = arena->queue;
    forged.endpoint = other.endpoint;
    enum nx_status of_other = nx_block_queue_read(&forged, 0, 1, arena->slot, 0, NULL);
    forged.endpoint = nx_start_handle(NX_START_BLOCK);
    enum nx_status of_nobody = nx_block_queue_read(&forged, 0, 1, arena->slot, 0, NULL);
    nx_block_queue_close(&other);
    EXPECT(report, of_other == NX_ERR_BAD_HANDLE, "through another session: %s",
           nx_status_text(of_other));
    EXPECT(report, of_nobody == NX_ERR_NOT_FOUND, "through no session: %s",
           nx_status_text(of_nobody));
    EXPECT(report, nx_wait_until(sessions_are, &facts.sessions, PATIENCE),
           "a session does not end");
    return TEST_PASS;
}

// ---- Sessions -----------------------------------------------------------------------------------

// Their number is bounded; each ends with its client's endpoint.
static enum test_outcome sessions_end(struct test_report *report)
{
    static struct nx_block_queue queues[SESSIONS_AT_ALL];
    struct nx_block_facts facts;
    uint32_t count = 0;
    enum nx_status status = NX_OK;

    EXPECT_OK(report, nx_block_info(&facts));
    while (count < SESSIONS_AT_ALL && status == NX_OK) {
        status = nx_block_queue_open(&queues[count], NX_HANDLE_NONE, 0);
        count += status == NX_OK;
    }
    uint32_t opened = count;
    while (count > 0) {
        nx_block_queue_close(&queues[--count]);
    }
    // Which bound comes first depends on the machine's memory.
    EXPECT(report, opened > 0 && (status == NX_ERR_BUSY || status == NX_ERR_NO_MEMORY),
           "session %u: %s", opened, nx_status_text(status));
    EXPECT(report, nx_wait_until(sessions_are, &facts.sessions, PATIENCE),
           "sessions outlive their clients");
    return TEST_PASS;
}

// The handles that virtioblkd has; 0: there is no such process.
static uint64_t driver_handles(void)
{
    struct nx_info_process process;
    for (uint64_t i = 0; nx_machine_record(NX_INFO_PROCESS, i, &process, sizeof(process)) == NX_OK;
         i++) {
        if (strcmp(process.name, "virtioblkd") == 0) {
            return process.handles;
        }
    }
    return 0;
}

// A client answers the call by which virtioblkd waits for its end, and sends handles along: they
// would fill virtioblkd's table. After sessions_end, so that what it keeps for sessions is there.
static enum test_outcome answer_ends_a_session(struct test_report *report)
{
    struct nx_block_queue queue;
    struct nx_block_facts facts;
    struct nx_message message;

    EXPECT_OK(report, nx_block_info(&facts));
    uint64_t before = driver_handles();
    EXPECT_OK(report, nx_block_queue_open(&queue, NX_HANDLE_NONE, 0));
    EXPECT_OK(report, nx_endpoint_receive(queue.lifeline, nx_deadline_after(PATIENCE), &message));
    for (uint32_t i = 0; i < NX_MESSAGE_HANDLES_MAX; i++) {
        nx_page()->handles[i] = queue.notification;
    }
    message.info = NX_INFO(0, NX_MESSAGE_HANDLES_MAX);
    EXPECT_OK(report, nx_endpoint_reply(NX_HANDLE_NONE, &message));
    EXPECT(report, nx_wait_until(sessions_are, &facts.sessions, PATIENCE),
           "a session outlives its client's answer");
    nx_block_queue_close(&queue);
    uint64_t after = driver_handles();
    EXPECT(report, before != 0 && after == before, "virtioblkd has %u handles instead of %u",
           (unsigned)after, (unsigned)before);
    return TEST_PASS;
}

// What was added and never submitted ends, too: by its owner's notification nobody waits for it.
static enum test_outcome close_sends_what_was_added(struct test_report *report,
                                                    const struct arena *arena)
{
    struct nx_block_queue queue;
    struct nx_block_facts facts;
    nx_handle notification;
    uint32_t slot;

    EXPECT_OK(report, nx_block_info(&facts));
    EXPECT_OK(report, nx_notification_create(&notification));
    EXPECT_OK(report, nx_block_queue_open(&queue, notification, 1));
    EXPECT_OK(report, nx_block_queue_attach(&queue, arena->memory, &slot));
    EXPECT_OK(report, nx_block_queue_add(&queue, 0, BLOCK_SECTORS, slot, 0, NULL));
    nx_block_queue_close(&queue);
    EXPECT_OK(report, nx_handle_close(notification));
    EXPECT(report, nx_wait_until(sessions_are, &facts.sessions, PATIENCE),
           "a session outlives its queue");
    return TEST_PASS;
}

// A client that writes nonsense into its rings loses its own answers.
static enum test_outcome nonsense_is_harmless(struct test_report *report, struct arena *arena)
{
    struct nx_block_queue hostile;
    struct nx_block_facts facts;
    uint32_t slot;
    uint32_t random = 1;

    EXPECT_OK(report, nx_block_info(&facts));
    EXPECT_OK(report, nx_block_queue_open(&hostile, NX_HANDLE_NONE, 0));
    EXPECT_OK(report, nx_block_queue_attach(&hostile, arena->memory, &slot));
    uint32_t *words = (uint32_t *)(void *)hostile.ring->entries;
    for (size_t i = 0; i < sizeof(hostile.ring->entries) / (sizeof(words[0])); i++) {
        random = random * 1664525u + 1013904223u;
        words[i] = random;
    }
    const uint32_t jumps[] = {1, BLOCK_RING_DEPTH, BLOCK_RING_DEPTH + 1, UINT32_MAX, 0x80000000u};
    for (size_t i = 0; i < sizeof(jumps) / sizeof(jumps[0]); i++) {
        atomic_fetch_add(&hostile.ring->submit_index, jumps[i]);
        atomic_store(&hostile.ring->completion_event, random * jumps[i]);
        // Every bit: the interrupt's too.
        EXPECT_OK(report, nx_notification_signal(hostile.doorbell, UINT64_MAX));
    }
    enum test_outcome outcome = small_reads(report, arena);
    nx_block_queue_close(&hostile);
    EXPECT(report, nx_wait_until(sessions_are, &facts.sessions, PATIENCE),
           "a session does not end");
    return outcome;
}

// virtioblkd is killed with reads under way: they are sent again.
static enum test_outcome restart_is_a_delay(struct test_report *report, struct arena *arena)
{
    uint64_t seen;

    memset(arena->bytes, 0xee, WINDOW_BYTES);
    for (uint32_t i = 0; i < NX_BLOCK_QUEUE_DEPTH; i++) {
        EXPECT_OK(report, nx_block_queue_add(&arena->queue, i * BLOCK_SECTORS, BLOCK_SECTORS,
                                             arena->slot, i * BLOCK_BYTES, (void *)(uintptr_t)i));
    }
    EXPECT_OK(report, nx_registry_kill("block"));
    nx_block_queue_submit(&arena->queue);
    EXPECT_OK(report, nx_block_queue_check(&arena->queue));
    enum test_outcome outcome = results_take(report, &arena->queue, NX_OK, &seen);
    if (outcome != TEST_PASS) {
        return outcome;
    }
    EXPECT(report, seen == FULL, "reads that came back: %#llx", (unsigned long long)seen);
    EXPECT(report, memcmp(arena->bytes, arena->expected, WINDOW_BYTES) == 0,
           "after a restart queued reads brought other bytes");
    // A read at once finds an instance that does not know the session.
    memset(arena->bytes, 0xee, BLOCK_BYTES);
    EXPECT_OK(report, nx_registry_kill("block"));
    EXPECT_OK(report, nx_block_queue_read(&arena->queue, 0, BLOCK_SECTORS, arena->slot, 0, NULL));
    EXPECT(report, memcmp(arena->bytes, arena->expected, BLOCK_BYTES) == 0,
           "after a restart a read at once brought other bytes");
    return TEST_PASS;
}

static enum test_outcome queue_tests(struct test_report *report, struct arena *arena)
{
    enum test_outcome outcome = small_reads(report, arena);
    if (outcome == TEST_PASS) {
        outcome = large_reads(report, arena);
    }
    if (outcome == TEST_PASS) {
        outcome = refusals_are_results(report, arena);
    }
    if (outcome == TEST_PASS) {
        outcome = attach_is_checked(report, arena);
    }
    if (outcome == TEST_PASS) {
        outcome = reads_at_once(report, arena);
    }
    if (outcome == TEST_PASS) {
        outcome = refusals_at_once(report, arena);
    }
    if (outcome == TEST_PASS) {
        outcome = close_sends_what_was_added(report, arena);
    }
    if (outcome == TEST_PASS) {
        outcome = nonsense_is_harmless(report, arena);
    }
    if (outcome == TEST_PASS) {
        outcome = sessions_end(report);
    }
    if (outcome == TEST_PASS) {
        outcome = answer_ends_a_session(report);
    }
    return outcome == TEST_PASS ? restart_is_a_delay(report, arena) : outcome;
}

enum test_outcome test_block_queue(struct test_report *report)
{
    static struct arena arena;
    struct nx_block_facts facts;

    if (nx_block_info(&facts) != NX_OK) {
        return TEST_SKIP; // no disk: the fixtures' test speaks
    }
    EXPECT(report, facts.sectors * NX_BLOCK_SECTOR_BYTES >= WINDOW_BYTES, "the disk is too small");
    enum test_outcome outcome = arena_fill(report, &arena);
    if (outcome != TEST_PASS) {
        return outcome;
    }
    EXPECT_OK(report, nx_block_queue_open(&arena.queue, NX_HANDLE_NONE, 0));
    EXPECT_OK(report, nx_block_queue_attach(&arena.queue, arena.memory, &arena.slot));
    outcome = queue_tests(report, &arena);
    if (outcome == TEST_PASS) { // else virtioblkd may not be able to give back what is in flight
        nx_block_queue_close(&arena.queue);
        arena_empty(&arena);
    }
    return outcome;
}
