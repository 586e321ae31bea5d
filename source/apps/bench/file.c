// SPDX-License-Identifier: Apache-2.0
// Subject: open, read 4 KiB and close a cached file of pkg://, as any C program does.
#include "bench.h"
#include <fcntl.h>
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
