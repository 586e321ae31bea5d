// SPDX-License-Identifier: Apache-2.0
// The disk itself, past the page cache: O_DIRECT reads one at a time, and many at once by io_uring.
#include "ring.h"
#include "subject.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { SMALL = 4096, LARGE = 128 * 1024 };
enum { DEPTH = 32, SEQUENTIAL_DEPTH = 8 };
enum { ROUNDS = 5 };

static const char disk_path[] = "/dev/vda";
static int disk = -1;
static uint64_t disk_bytes;
static char *buffer;

static void disk_close(void)
{
    if (disk >= 0) {
        close(disk);
        disk = -1;
    }
    free(buffer);
    buffer = NULL;
}

static int disk_open(void)
{
    disk = open(disk_path, O_RDONLY | O_DIRECT);
    buffer = aligned_alloc(PAGE_BYTES, LARGE);
    if (disk < 0 || ioctl(disk, BLKGETSIZE64, &disk_bytes) != 0 || buffer == NULL) {
        return -errno;
    }
    memset(buffer, 0, LARGE);
    return disk_bytes >= 2 * LARGE ? 0 : -ENOSPC;
}

// What came by DMA must be what the page cache says.
static int disk_check(const char *direct, size_t bytes, uint64_t offset)
{
    char *expected = malloc(bytes);
    int cached = open(disk_path, O_RDONLY);
    int status = 0;
    if (expected == NULL || cached < 0) {
        status = -errno;
    } else if (pread(cached, expected, bytes, (off_t)offset) != (ssize_t)bytes ||
               memcmp(direct, expected, bytes) != 0) {
        status = -EBADMSG;
    }
    if (cached >= 0) {
        close(cached);
    }
    free(expected);
    return status;
}

static uint64_t next_place;

static int direct_read(size_t bytes)
{
    uint64_t place = next_place;
    next_place = (place + 2) * bytes <= disk_bytes ? place + 1 : 0;
    return pread(disk, buffer, bytes, (off_t)(place * bytes)) == (ssize_t)bytes ? 0 : -EIO;
}

// The first two places hold what they should.
static int checked_open(size_t bytes)
{
    int status = disk_open();
    for (uint64_t place = 0; status == 0 && place < 2; place++) {
        next_place = place;
        status = direct_read(bytes);
        if (status == 0) {
            status = disk_check(buffer, bytes, place * bytes);
        }
    }
    return status;
}

static int small_prepare(void)
{
    return checked_open(SMALL);
}

static int small_round(void)
{
    return direct_read(SMALL);
}

static int large_prepare(void)
{
    return checked_open(LARGE);
}

static int large_round(void)
{
    return direct_read(LARGE);
}

// Places that look random and are the same in every run.
static uint64_t scattered(unsigned number, uint64_t places)
{
    return (uint64_t)number * 2654435761u % places;
}

static unsigned deep_number;

static int deep_prepare(void)
{
    int status = disk_open();
    if (status == 0) {
        status = ring_open(disk, DEPTH, SMALL);
    }
    if (status != 0) {
        return status;
    }
    ring_queue_read(0, SMALL);
    status = ring_submit_and_wait(1);
    if (status == 0) {
        int slot = ring_reap();
        status = slot == 0 ? disk_check(ring_buffer(0), SMALL, SMALL) : -EIO;
    }
    return status;
}

// DEPTH reads with one entry to the kernel for all of them: the cheapest way that there is.
static int deep_round(void)
{
    uint64_t places = disk_bytes / SMALL;
    for (unsigned slot = 0; slot < DEPTH; slot++) {
        ring_queue_read(slot, scattered(deep_number++, places) * SMALL);
    }
    int status = ring_submit_and_wait(DEPTH);
    for (unsigned done = 0; status == 0 && done < DEPTH; done++) {
        status = ring_reap() < 0 ? -EIO : 0;
    }
    return status;
}

static void deep_finish(void)
{
    ring_close();
    disk_close();
}

const struct subject block_subjects[] = {
    {.name = "read-4k",
     .rounds = LAPS,
     .prepare = small_prepare,
     .round = small_round,
     .finish = disk_close},
    {.name = "read-128k",
     .rounds = LAPS,
     .prepare = large_prepare,
     .round = large_round,
     .finish = disk_close},
    {.name = "read-4k-depth-32",
     .rounds = LAPS / DEPTH,
     .prepare = deep_prepare,
     .round = deep_round,
     .finish = deep_finish},
    {.name = NULL},
};

// --- throughput
// -------------------------------------------------------------------------------------

// Keeps `depth` reads in flight: a slot is filled again as soon as it is reaped. Wakes up for a
// quarter of them, as the benchmark of Nexus does.
static int stream(unsigned reads, unsigned depth, size_t bytes, int random)
{
    uint64_t places = disk_bytes / bytes;
    unsigned sent = 0, done = 0;
    for (; sent < depth && sent < reads; sent++) {
        ring_queue_read(sent, (random ? scattered(sent, places) : sent % places) * bytes);
    }
    while (done < reads) {
        unsigned flying = sent - done;
        int status = ring_submit_and_wait(depth / 4 < flying ? depth / 4 : flying);
        if (status != 0) {
            return status;
        }
        for (int slot = ring_reap(); slot != -EAGAIN; slot = ring_reap()) {
            if (slot < 0) {
                return slot;
            }
            done++;
            if (sent < reads) {
                ring_queue_read((unsigned)slot,
                                (random ? scattered(sent, places) : sent % places) * bytes);
                sent++;
            }
        }
    }
    return 0;
}

static int stream_rounds(const char *name, unsigned reads, unsigned depth, size_t bytes, int random)
{
    int status = ring_open(disk, depth, bytes);
    for (int round = 0; status == 0 && round < ROUNDS; round++) {
        double start = seconds_now();
        status = stream(reads, depth, bytes, random);
        double seconds = seconds_now() - start;
        if (status == 0 && random) {
            printf("rate %s %.0f IOPS\n", name, reads / seconds);
        } else if (status == 0) {
            printf("rate %s %.1f MB/s\n", name, (double)reads * (double)bytes / seconds / 1e6);
        }
    }
    ring_close();
    return status;
}

int block_throughput(void)
{
    int status = disk_open();
    if (status == 0) {
        status = stream_rounds("sequential-128k", 2048, SEQUENTIAL_DEPTH, LARGE, 0);
    }
    if (status == 0) {
        status = stream_rounds("random-4k-depth-32", 16384, DEPTH, SMALL, 1);
    }
    disk_close();
    return status;
}
