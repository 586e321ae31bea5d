// SPDX-License-Identifier: Apache-2.0
// Subject: how much the disk brings by the clock, through queued reads. Booted without instruction
// counting; prints `bench: rate NAME NUMBER UNIT` for each round.
#include "bench.h"
#include "bench_disk.h"
#include "nexus/block.h"
#include "nexus/log.h"
#include "nexus/memory.h"

#define MEMORIES  BENCH_SEQUENTIAL_DEPTH // each of BENCH_LARGE_BYTES, in one piece
#define DEPTH_MAX BENCH_RANDOM_DEPTH

// One way of reading: `depth` reads of `bytes` in flight, the n-th from offset(n).
struct stream {
    const char *name;
    uint64_t (*offset)(uint64_t number);
    uint64_t bytes; // of a read
    uint32_t depth;
    uint32_t reads;  // of a round
    uint32_t wanted; // results that are worth waking up for
};

// A buffer, and what it is to hold.
struct place {
    uint32_t slot;      // of its memory
    uint64_t in_memory; // its offset there
    const uint8_t *bytes;
    uint64_t offset; // on the disk
};

struct memory {
    nx_handle handle;
    const uint8_t *bytes;
    uint32_t slot;
};

static const struct stream sequential = {
    .name = "sequential-128k",
    .offset = bench_sequential_offset,
    .bytes = BENCH_LARGE_BYTES,
    .depth = BENCH_SEQUENTIAL_DEPTH,
    .reads = BENCH_SEQUENTIAL_READS,
    .wanted = BENCH_SEQUENTIAL_DEPTH / 2 + 1, // virtioblkd has two halves under way: one wake-up
};
static const struct stream scattered = {
    .name = "random-4k-depth-32",
    .offset = bench_random_offset,
    .bytes = BENCH_SMALL_BYTES,
    .depth = BENCH_RANDOM_DEPTH,
    .reads = BENCH_RANDOM_READS,
    .wanted = BENCH_RANDOM_DEPTH / 4,
};

static struct nx_block_queue queue;
static struct place places[DEPTH_MAX];
static struct memory memories[MEMORIES];

static enum nx_status place_fill(const struct stream *stream, struct place *place, uint32_t number)
{
    place->offset = stream->offset(number);
    return nx_block_queue_add(&queue, place->offset / NX_BLOCK_SECTOR_BYTES,
                              (uint32_t)(stream->bytes / NX_BLOCK_SECTOR_BYTES), place->slot,
                              place->in_memory, place);
}

static bool stream_read(const struct stream *stream)
{
    struct nx_block_result result;
    uint32_t sent = 0;
    uint32_t done = 0;
    for (; sent < stream->depth; sent++) {
        const struct memory *memory = &memories[sent % MEMORIES];
        uint64_t in_memory = sent / MEMORIES * stream->bytes;
        places[sent] = (struct place){memory->slot, in_memory, memory->bytes + in_memory, 0};
        BENCH_OK(place_fill(stream, &places[sent], sent));
    }
    while (done < stream->reads) {
        BENCH_OK(nx_block_queue_wait(&queue, stream->wanted, NX_DEADLINE_NEVER));
        while (nx_block_queue_take(&queue, &result)) {
            struct place *place = result.cookie;
            BENCH_OK(result.status);
            if (!bench_read_is(place->bytes, place->offset, stream->bytes, done)) {
                return bench_fail("%s: wrong content", stream->name);
            }
            done++;
            if (sent < stream->reads) {
                BENCH_OK(place_fill(stream, place, sent++));
            }
        }
    }
    return true;
}

static bool stream_rounds(const struct stream *stream)
{
    for (uint32_t round = 0; round < BENCH_DISK_ROUNDS; round++) {
        uint64_t start = nx_clock_now();
        if (!stream_read(stream)) {
            return false;
        }
        uint64_t microseconds = (nx_clock_now() - start) / NX_MICROSECOND + 1;
        uint64_t per_second = stream->reads * NX_SECOND / NX_MICROSECOND / microseconds;
        bool small = stream->bytes == BENCH_SMALL_BYTES;
        uint64_t rate = small ? per_second : stream->reads * stream->bytes * 1000 / microseconds;
        nx_log("bench: rate %s %llu %s", stream->name, (unsigned long long)rate,
               small ? "IOPS" : "kB/s");
    }
    return true;
}

bool subject_block_throughput(void)
{
    struct nx_block_facts facts;
    BENCH_OK(nx_block_info(&facts));
    if (facts.sectors * facts.sector_size < BENCH_DISK_END) {
        return bench_fail("not the disk that tests/bench/throughput.py makes");
    }
    BENCH_OK(nx_block_queue_open(&queue, NX_HANDLE_NONE, 0));
    for (uint32_t i = 0; i < MEMORIES; i++) {
        struct memory *memory = &memories[i];
        void *address;
        BENCH_OK(nx_memory_new(BENCH_LARGE_BYTES, NX_MEMORY_CONTIGUOUS, &memory->handle, &address));
        memory->bytes = address;
        BENCH_OK(nx_block_queue_attach(&queue, memory->handle, &memory->slot));
    }
    bool good = stream_rounds(&sequential) && stream_rounds(&scattered);
    nx_block_queue_close(&queue);
    return good;
}
