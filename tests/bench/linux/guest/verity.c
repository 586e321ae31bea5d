// SPDX-License-Identifier: Apache-2.0
// The disk's file system once more, through dm-verity: every block is checked against the hash tree
// that the image carries, as Nexus checks it. The boot argument nexus.verity=BLOCKS,ROOT says what
// the image's footer says: blocks of data, and the root hash in hex (tests/bench/linux/rates.py).
// The rest is in the tree's superblock, which follows the data: a Linux of this age cuts its
// command line off after 511 characters.
#include "verity.h"
#include "subject.h"

#include <fcntl.h>
#include <linux/dm-ioctl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BYTES_OF_BLOCK = 4096, SECTORS_OF_BLOCK = 8, TRIES = 50, TRY_MICROSECONDS = 100000 };

static const char argument_name[] = "nexus.verity=";
static const char disk_path[] = "/dev/vda";
static const char device_name[] = "verified";
static const char device_path[] = "/dev/dm-0";

// The one of veritysetup(8), as far as it is needed here.
struct superblock {
    char before[32];
    char algorithm[32];
    char between[16];
    uint16_t salt_size;
    char padding[6];
    uint8_t salt[256];
};

struct request {
    struct dm_ioctl head;
    struct dm_target_spec target;
    char parameters[1024];
};

// The argument's value, in `text`; -ENOENT: there is none.
static int argument_find(char *text, size_t room)
{
    FILE *file = fopen("/proc/cmdline", "r");
    if (file == NULL) {
        return -errno;
    }
    size_t length = fread(text, 1, room - 1, file);
    fclose(file);
    text[length] = '\0';
    char *value = strstr(text, argument_name);
    if (value == NULL) {
        return -ENOENT;
    }
    value += sizeof(argument_name) - 1;
    value[strcspn(value, " \n")] = '\0';
    memmove(text, value, strlen(value) + 1);
    return 0;
}

static void request_begin(struct request *request, uint32_t flags)
{
    memset(request, 0, sizeof(*request));
    request->head.version[0] = DM_VERSION_MAJOR;
    request->head.data_size = sizeof(*request);
    request->head.data_start = offsetof(struct request, target);
    request->head.flags = flags;
    strcpy(request->head.name, device_name);
}

static int device_make(int control, uint64_t blocks, const char *parameters)
{
    struct request request;
    request_begin(&request, DM_READONLY_FLAG);
    int status = status_of(ioctl(control, DM_DEV_CREATE, &request));
    if (status != 0) {
        return status;
    }
    request_begin(&request, DM_READONLY_FLAG);
    request.head.target_count = 1;
    request.target.length = blocks * SECTORS_OF_BLOCK;
    strcpy(request.target.target_type, "verity");
    strcpy(request.parameters, parameters);
    status = status_of(ioctl(control, DM_TABLE_LOAD, &request));
    if (status != 0) {
        return status;
    }
    request_begin(&request, 0); // without DM_SUSPEND_FLAG it resumes: the table is live
    return status_of(ioctl(control, DM_DEV_SUSPEND, &request));
}

static int superblock_read(uint64_t block, struct superblock *superblock)
{
    int disk = open(disk_path, O_RDONLY);
    if (disk < 0) {
        return -errno;
    }
    ssize_t count = pread(disk, superblock, sizeof(*superblock), (off_t)(block * BYTES_OF_BLOCK));
    close(disk);
    return count == (ssize_t)sizeof(*superblock) && superblock->salt_size <= 256 ? 0 : -EBADMSG;
}

int verity_mount(const char *where)
{
    char text[1024];
    char parameters[1024];
    char salt[513] = "-";
    unsigned long long blocks;
    char root[256];
    struct superblock superblock;
    int status = argument_find(text, sizeof(text));
    if (status != 0) {
        return status;
    }
    if (sscanf(text, "%llu,%255[0-9a-f]", &blocks, root) != 2) {
        return -EINVAL;
    }
    status = superblock_read(blocks, &superblock);
    if (status != 0) {
        return status;
    }
    for (unsigned i = 0; i < superblock.salt_size; i++) {
        snprintf(salt + (size_t)2 * i, 3, "%02x", superblock.salt[i]);
    }
    snprintf(parameters, sizeof(parameters), "1 %s %s %d %d %llu %llu %.32s %s %s", disk_path,
             disk_path, BYTES_OF_BLOCK, BYTES_OF_BLOCK, blocks, blocks + 1, superblock.algorithm,
             root, salt);
    int control = open("/dev/mapper/control", O_RDWR);
    if (control < 0) {
        return -errno;
    }
    status = device_make(control, blocks, parameters);
    close(control);
    for (int i = 0; status == 0 && i < TRIES && access(device_path, F_OK) != 0; i++) {
        usleep(TRY_MICROSECONDS);
    }
    if (status == 0) {
        status = status_of(mkdir(where, 0755));
    }
    return status != 0 ? status : status_of(mount(device_path, where, "erofs", MS_RDONLY, NULL));
}
