// SPDX-License-Identifier: Apache-2.0
// The disk's file system once more, through dm-verity: every block is checked against the hash tree
// that the image carries, as Nexus checks it. The boot argument nexus.verity=BLOCKS,START,ROOT,SALT
// says what the image's footer says: blocks of data, the first block of the tree, and two hex
// strings (tests/bench/linux/rates.py).
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

enum { SECTORS_OF_BLOCK = 8, TRIES = 50, TRY_MICROSECONDS = 100000 };

static const char argument_name[] = "nexus.verity=";
static const char device_name[] = "verified";
static const char device_path[] = "/dev/dm-0";

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

int verity_mount(const char *where)
{
    char text[1024];
    char parameters[1024];
    unsigned long long blocks;
    unsigned long long start;
    char root[256];
    char salt[256];
    int status = argument_find(text, sizeof(text));
    if (status != 0) {
        return status;
    }
    if (sscanf(text, "%llu,%llu,%255[0-9a-f],%255[0-9a-f]", &blocks, &start, root, salt) != 4) {
        return -EINVAL;
    }
    snprintf(parameters, sizeof(parameters),
             "1 /dev/vda /dev/vda 4096 4096 %llu %llu blake2b-512 %s %s", blocks, start, root,
             salt);
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
