// SPDX-License-Identifier: Apache-2.0
// Files of the mounted EROFS image: a small one from the page cache, the largest one from the disk.
#include "subject.h"
#include "verity.h"

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

enum { READ_BYTES = 128 * 1024 };
enum { ROUNDS = 5, OPEN_DIRECTORIES = 8 };

static const char mount_point[] = "/mnt";
static const char verified_mount_point[] = "/verified";
static char largest[PATH_MAX];
static off_t largest_bytes;
static char page[PAGE_BYTES];

static int consider(const char *path, const struct stat *facts, int kind, struct FTW *place)
{
    (void)place;
    if (kind == FTW_F && facts->st_size > largest_bytes && strlen(path) < sizeof(largest)) {
        strcpy(largest, path);
        largest_bytes = facts->st_size;
    }
    return 0;
}

// The largest file serves both rows: it is the one whose reads are whole pages.
static int find_largest(const char *where)
{
    largest_bytes = 0;
    if (nftw(where, consider, OPEN_DIRECTORIES, FTW_PHYS) != 0) {
        return -ENOENT;
    }
    return largest_bytes >= PAGE_BYTES ? 0 : -ENOENT;
}

static int open_read_close(void)
{
    int file = open(largest, O_RDONLY);
    if (file < 0) {
        return -errno;
    }
    ssize_t got = read(file, page, sizeof(page));
    close(file);
    return got == (ssize_t)sizeof(page) ? 0 : -EIO;
}

static int cached_prepare(void)
{
    int status = find_largest(mount_point);
    return status == 0 ? open_read_close() : status;
}

const struct subject file_subjects[] = {
    {.name = "open-read-close",
     .rounds = LAPS,
     .prepare = cached_prepare,
     .round = open_read_close},
    {.name = NULL},
};

// --- throughput
// -------------------------------------------------------------------------------------

static int drop_caches(void)
{
    int control = open("/proc/sys/vm/drop_caches", O_WRONLY);
    if (control < 0) {
        return -errno;
    }
    int status = status_of(write(control, "3", 1));
    close(control);
    return status;
}

static int read_whole(char *buffer)
{
    int file = open(largest, O_RDONLY);
    if (file < 0) {
        return -errno;
    }
    off_t total = 0;
    ssize_t got;
    while ((got = read(file, buffer, READ_BYTES)) > 0) {
        total += got;
    }
    close(file);
    return total == largest_bytes ? 0 : -EIO;
}

static int cold_rounds(const char *name, const char *where)
{
    int status = find_largest(where);
    char *buffer = malloc(READ_BYTES);
    if (status == 0 && buffer == NULL) {
        status = -ENOMEM;
    }
    for (int round = 0; status == 0 && round < ROUNDS; round++) {
        status = drop_caches();
        double start = seconds_now();
        if (status == 0) {
            status = read_whole(buffer);
        }
        double seconds = seconds_now() - start;
        if (status == 0) {
            printf("rate %s %.1f MB/s\n", name, (double)largest_bytes / seconds / 1e6);
        }
    }
    free(buffer);
    return status;
}

// As the file system lies there; and through dm-verity, where this kernel has it.
int file_throughput(void)
{
    int status = cold_rounds("cold-file-read", mount_point);
    if (status != 0) {
        return status;
    }
    // A mounted disk is nobody else's.
    status = status_of(umount(mount_point));
    if (status == 0) {
        status = verity_mount(verified_mount_point);
    }
    if (status != 0) {
        printf("note no dm-verity: %s\n", strerror(-status));
        return 0;
    }
    return cold_rounds("cold-file-read-dm-verity", verified_mount_point);
}
