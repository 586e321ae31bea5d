// SPDX-License-Identifier: Apache-2.0
// Subjects: open, read 4 KiB and close a cached file of pkg://, as any C program does; and large
// files that nobody has read yet, from the image that tests/bench/throughput.py makes.
#include "bench.h"
#include "bench_disk.h"
#include "nexus/log.h"
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#define FILE_PATH  "pkg://bin/bench"
#define READ_BYTES 4096
#define ELF_MAGIC  "\177ELF"

static uint8_t expected[READ_BYTES];
static uint8_t buffer[READ_BYTES];

static bool file_read(uint8_t *bytes)
{
    int fd = open(FILE_PATH, O_RDONLY);
    ssize_t count = read(fd, bytes, READ_BYTES);
    return close(fd) == 0 && count == READ_BYTES;
}

bool subject_file(void)
{
    uint64_t failed = 0;
    uint64_t wrong = 0;
    if (!file_read(expected) || memcmp(expected, ELF_MAGIC, sizeof(ELF_MAGIC) - 1) != 0) {
        return bench_fail("%s cannot be read", FILE_PATH);
    }
    BENCH_LAPS(failed += !file_read(buffer), {
        wrong += memcmp(buffer, expected, READ_BYTES) != 0;
        memset(buffer, 0, READ_BYTES);
    });
    return (failed == 0 && wrong == 0) ||
           bench_fail("%lu reads failed, wrong content after %lu batches", (unsigned long)failed,
                      (unsigned long)wrong);
}

// ---- Cold ---------------------------------------------------------------------------------------

#define COLD_FILES 5u
#define COLD_BYTES (16u << 20)
#define COLD_PIECE (128u << 10)

static uint8_t piece[COLD_PIECE] __attribute__((aligned(sizeof(uint64_t))));

// Returns how much there was, as far as it was right.
static uint64_t cold_read(const char *path)
{
    int fd = open(path, O_RDONLY);
    uint64_t total = 0;
    ssize_t count;
    while (fd >= 0 && (count = read(fd, piece, COLD_PIECE)) > 0 &&
           bench_content_is(piece, total, (uint64_t)count)) {
        total += (uint64_t)count;
    }
    close(fd);
    return total;
}

bool subject_file_cold(void)
{
    NX_MARK(NX_MARK_BEGIN);
    for (uint32_t i = 0; i < COLD_FILES; i++) {
        char path[32];
        snprintf(path, sizeof(path), "pkg://bench/cold-%u.bin", (unsigned)i);
        uint64_t start = nx_clock_now();
        NX_MARK(NX_MARK_RESUME);
        uint64_t total = cold_read(path);
        NX_MARK(NX_MARK_LAP);
        uint64_t microseconds = (nx_clock_now() - start) / NX_MICROSECOND + 1;
        if (total != COLD_BYTES) {
            return bench_fail("%s: right only up to %lu bytes", path, (unsigned long)total);
        }
        nx_log("bench: rate cold-file-read %llu kB/s",
               (unsigned long long)(total * 1000 / microseconds));
    }
    NX_MARK(NX_MARK_END);
    return true;
}
