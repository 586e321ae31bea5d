// SPDX-License-Identifier: Apache-2.0
// Subjects: reads from the disk through virtioblkd, one at a time and queued. Every process counts;
// what the device does is not instructions of this machine.
#include "nexus/block.h"
#include "bench.h"
#include "nexus/memory.h"

#define BLOCK_BYTES   4096u
#define BLOCK_SECTORS (BLOCK_BYTES / NX_BLOCK_SECTOR_BYTES)
#define LARGE_SECTORS NX_BLOCK_READ_SECTORS_MAX
#define LARGE_BYTES   ((uint64_t)LARGE_SECTORS * NX_BLOCK_SECTOR_BYTES)
#define WINDOW_BLOCKS 64u // of the disk, from its start: what is read
#define WINDOW_BYTES  (WINDOW_BLOCKS * BLOCK_BYTES)
#define STEP          29u // from one block to the next: odd, so that each of the window comes
#define DEPTH         32u
#define DEPTH_LAPS    (LAPS / DEPTH) // each DEPTH reads
#define WARM_UP       8u

static const uint8_t *expected; // the window
static uint8_t *bytes;          // where queued reads go: as large
static nx_handle memory;
static uint8_t *large; // where single reads go: in one piece, as whoever wants to be fast has it
static nx_handle large_memory;
static struct nx_block_queue queue;
static uint32_t large_slot;

// Maps both buffers, once for the program, and fills the first.
static bool window_prepare(void)
{
    nx_handle expected_memory;
    void *address;
    if (expected != NULL) {
        return true;
    }
    BENCH_OK(nx_memory_new(WINDOW_BYTES, 0, &memory, &address));
    bytes = address;
    BENCH_OK(nx_memory_new(WINDOW_BYTES, 0, &expected_memory, &address));
    const uint8_t *window = address;
    for (uint64_t offset = 0; offset < WINDOW_BYTES; offset += LARGE_BYTES) {
        BENCH_OK(nx_block_read(offset / NX_BLOCK_SECTOR_BYTES, LARGE_SECTORS, expected_memory,
                               offset, NULL));
    }
    BENCH_OK(nx_memory_new(LARGE_BYTES, NX_MEMORY_CONTIGUOUS, &large_memory, &address));
    large = address;
    BENCH_OK(nx_block_queue_open(&queue, NX_HANDLE_NONE, 0));
    BENCH_OK(nx_block_queue_attach(&queue, large_memory, &large_slot));
    expected = window;
    return true;
}

bool subject_block_info(void)
{
    struct nx_block_facts facts = {0};
    uint64_t failed = 0;
    uint64_t wrong = 0;
    BENCH_LAPS(failed |= nx_block_info(&facts),
               wrong += facts.sector_size != NX_BLOCK_SECTOR_BYTES || facts.sectors == 0);
    return (failed == 0 && wrong == 0) ||
           bench_fail("wrong facts, status %lu", (unsigned long)failed);
}

static uint32_t block_after(uint32_t block)
{
    return (block + STEP) % WINDOW_BLOCKS;
}

bool subject_block_read(void)
{
    uint32_t block = 0;
    uint64_t failed = 0;
    uint64_t wrong = 0;
    if (!window_prepare()) {
        return false;
    }
    BENCH_LAPS(
        {
            block = block_after(block);
            failed |= nx_block_queue_read(&queue, block * BLOCK_SECTORS, BLOCK_SECTORS, large_slot,
                                          0, NULL);
        },
        {
            wrong |= (uint64_t)memcmp(large, expected + block * BLOCK_BYTES, BLOCK_BYTES);
            memset(large, 0, BLOCK_BYTES);
        });
    return (failed | wrong) == 0 || bench_fail(failed != 0 ? "a read failed" : "wrong content");
}

// The same where the memory object rides along with each request.
bool subject_block_read_handle(void)
{
    uint32_t block = 0;
    uint64_t failed = 0;
    uint64_t wrong = 0;
    if (!window_prepare()) {
        return false;
    }
    BENCH_LAPS(
        {
            block = block_after(block);
            failed |= nx_block_read(block * BLOCK_SECTORS, BLOCK_SECTORS, large_memory, 0, NULL);
        },
        {
            wrong |= (uint64_t)memcmp(large, expected + block * BLOCK_BYTES, BLOCK_BYTES);
            memset(large, 0, BLOCK_BYTES);
        });
    return (failed | wrong) == 0 || bench_fail(failed != 0 ? "a read failed" : "wrong content");
}

// One request to the device for each read, no more interrupts than that, nothing copied.
static bool costs_check(const struct nx_block_facts *before, uint64_t reads)
{
    struct nx_block_facts after;
    BENCH_OK(nx_block_info(&after));
    uint64_t requests = after.requests - before->requests;
    uint64_t interrupts = after.interrupts - before->interrupts;
    bench_value("requests", requests);
    bench_value("interrupts", interrupts);
    bench_value("kicks", after.kicks - before->kicks);
    bench_value("bytes-copied", after.bytes_copied - before->bytes_copied);
    return (requests == reads && interrupts <= reads &&
            after.bytes_copied == before->bytes_copied) ||
           bench_fail("%lu reads: %lu requests, %lu interrupts", (unsigned long)reads,
                      (unsigned long)requests, (unsigned long)interrupts);
}

bool subject_block_read_large(void)
{
    struct nx_block_facts before;
    uint64_t lba = 0;
    uint64_t failed = 0;
    uint64_t wrong = 0;
    if (!window_prepare()) {
        return false;
    }
    BENCH_OK(nx_block_info(&before));
    BENCH_LAPS(
        {
            lba ^= LARGE_SECTORS;
            failed |= nx_block_queue_read(&queue, lba, LARGE_SECTORS, large_slot, 0, NULL);
        },
        {
            wrong |= (uint64_t)memcmp(large, expected + lba * NX_BLOCK_SECTOR_BYTES, LARGE_BYTES);
            memset(large, 0, LARGE_BYTES);
        });
    if ((failed | wrong) != 0) {
        return bench_fail(failed != 0 ? "a read failed" : "wrong content");
    }
    return costs_check(&before, LAPS);
}

// ---- Queued -------------------------------------------------------------------------------------

// A buffer of the queue and the block that it was filled with.
struct buffer {
    uint32_t number;
    uint32_t block;
};

static struct buffer buffers[DEPTH];

static enum nx_status buffer_fill(struct buffer *buffer, uint32_t slot, uint32_t block)
{
    buffer->block = block;
    return nx_block_queue_add(&queue, block * BLOCK_SECTORS, BLOCK_SECTORS, slot,
                              buffer->number * BLOCK_BYTES, buffer);
}

// DEPTH reads end and as many begin: the client sleeps until half of them are there, and each
// buffer that comes back is sent off again.
static uint64_t queue_turn(uint32_t slot, uint32_t *block)
{
    struct nx_block_result result;
    uint64_t failed = 0;
    uint32_t taken = 0;
    while (taken < DEPTH && failed == 0) {
        failed |= nx_block_queue_wait(&queue, DEPTH / 2, NX_DEADLINE_NEVER);
        while (taken < DEPTH && nx_block_queue_take(&queue, &result)) {
            failed |= result.status;
            *block = block_after(*block);
            failed |= buffer_fill(result.cookie, slot, *block);
            taken++;
        }
        nx_block_queue_submit(&queue);
    }
    return failed;
}

// Ends what is in flight and compares every buffer.
static bool buffers_check(void)
{
    struct nx_block_result result;
    uint64_t wrong = 0;
    uint32_t count = 0;
    while (nx_block_queue_in_flight(&queue) > 0) {
        BENCH_OK(nx_block_queue_wait(&queue, DEPTH, NX_DEADLINE_NEVER));
        while (nx_block_queue_take(&queue, &result)) {
            const struct buffer *buffer = result.cookie;
            BENCH_OK(result.status);
            wrong |= (uint64_t)memcmp(bytes + buffer->number * BLOCK_BYTES,
                                      expected + buffer->block * BLOCK_BYTES, BLOCK_BYTES);
            count++;
        }
    }
    return (wrong == 0 && count == DEPTH) || bench_fail("wrong content, or reads lost");
}

bool subject_block_queue(void)
{
    uint32_t slot;
    uint32_t block = 0;
    uint64_t failed = 0;
    struct nx_block_facts before;
    if (!window_prepare()) {
        return false;
    }
    BENCH_OK(nx_block_queue_attach(&queue, memory, &slot));
    memset(bytes, 0, WINDOW_BYTES);
    BENCH_OK(nx_block_info(&before));
    for (uint32_t i = 0; i < DEPTH; i++) {
        buffers[i].number = i;
        BENCH_OK(buffer_fill(&buffers[i], slot, i));
    }
    nx_block_queue_submit(&queue);
    for (uint32_t i = 0; i < WARM_UP; i++) {
        failed |= queue_turn(slot, &block);
    }
    NX_MARK(NX_MARK_BEGIN);
    NX_MARK(NX_MARK_LAP);
    for (uint32_t i = 0; i < DEPTH_LAPS; i++) {
        failed |= queue_turn(slot, &block);
        NX_MARK(NX_MARK_LAP);
    }
    NX_MARK(NX_MARK_END);
    if (failed != 0) {
        return bench_fail("a queued read failed");
    }
    bool right = buffers_check() && costs_check(&before, (DEPTH_LAPS + WARM_UP + 1) * DEPTH);
    BENCH_OK(nx_block_queue_detach(&queue, slot));
    return right;
}
