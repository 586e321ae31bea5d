// SPDX-License-Identifier: Apache-2.0
// The disk that throughput is measured on, which tests/bench/throughput.py makes: from some offset
// on a region in which each 4 KiB block repeats one word that follows from its place.
//
// Shared with the polling reader (tests/bench/polling), so that both do the same.
#ifndef BENCH_DISK_H
#define BENCH_DISK_H

#include <stdbool.h>
#include <stdint.h>

#define BENCH_DISK_START (UINT64_C(1) << 20) // bytes
#define BENCH_DISK_BYTES (UINT64_C(64) << 20)
#define BENCH_DISK_END   (BENCH_DISK_START + BENCH_DISK_BYTES)
#define BENCH_DISK_WORD  UINT64_C(0x9e3779b97f4a7c15) // a block's word is its offset times this

#define BENCH_SMALL_BYTES      4096u
#define BENCH_LARGE_BYTES      (128u << 10)
#define BENCH_SEQUENTIAL_DEPTH 8u
#define BENCH_SEQUENTIAL_READS 16384u // of a round: 2 GiB, the region 32 times
#define BENCH_RANDOM_DEPTH     32u
#define BENCH_RANDOM_READS     16384u
#define BENCH_DISK_ROUNDS      5u

// Where the read of that number in a round starts.
static inline uint64_t bench_sequential_offset(uint64_t number)
{
    return BENCH_DISK_START + number * BENCH_LARGE_BYTES % BENCH_DISK_BYTES;
}

static inline uint64_t bench_random_offset(uint64_t number)
{
    const uint64_t blocks = BENCH_DISK_BYTES / BENCH_SMALL_BYTES; // a power of two
    return BENCH_DISK_START + number * UINT64_C(2654435761) % blocks * BENCH_SMALL_BYTES;
}

// Looks at one word of a block: a different one in each.
static inline bool bench_block_is(const uint8_t *bytes, uint64_t offset)
{
    const uint64_t *words = (const uint64_t *)(const void *)bytes;
    return words[offset / BENCH_SMALL_BYTES % (BENCH_SMALL_BYTES / 8)] == offset * BENCH_DISK_WORD;
}

static inline bool bench_content_is(const uint8_t *bytes, uint64_t offset, uint64_t length)
{
    for (uint64_t block = 0; block < length; block += BENCH_SMALL_BYTES) {
        if (!bench_block_is(bytes + block, offset + block)) {
            return false;
        }
    }
    return true;
}

// Looks at one block of the n-th read: another one each time the region is read again. All of them
// would measure QEMU: it forgets its translations at each switch of address space, and finds them
// again page by page.
static inline bool bench_read_is(const uint8_t *bytes, uint64_t offset, uint64_t length, uint64_t n)
{
    uint64_t block = (n + n / (BENCH_DISK_BYTES / BENCH_LARGE_BYTES)) * BENCH_SMALL_BYTES % length;
    return bench_block_is(bytes + block, offset + block);
}

#endif
