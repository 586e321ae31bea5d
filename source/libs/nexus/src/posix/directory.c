// SPDX-License-Identifier: Apache-2.0
// Directories of pkg://: opendir, readdir, closedir. A DIR belongs to one thread at a time.
#include "posix.h"
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>

struct nx_directory {
    char *path;
    uint64_t cookie;
    bool done;
    uint32_t count;    // entries of the batch
    uint32_t position; // the next of them
    struct dirent current;
    struct nx_package_entry batch[NX_PACKAGE_LIST_BATCH];
};

static enum nx_status directory_refill(DIR *directory)
{
    directory->position = 0;
    directory->count = 0;
    return nx_package_list(directory->path, &directory->cookie, directory->batch,
                           NX_PACKAGE_LIST_BATCH, &directory->count, &directory->done);
}

DIR *opendir(const char *path)
{
    DIR *directory = calloc(1, sizeof(*directory));
    if (directory == NULL) {
        errno = ENOMEM;
        return NULL;
    }
    enum nx_status status = NX_ERR_NO_MEMORY;
    directory->path = strdup(path);
    if (directory->path != NULL) {
        status = directory_refill(directory);
    }
    if (status != NX_OK) {
        (void)closedir(directory);
        errno = posix_errno(status);
        return NULL;
    }
    return directory;
}

static unsigned char entry_type(enum nx_package_type type)
{
    switch (type) {
    case NX_PACKAGE_REGULAR:
        return DT_REG;
    case NX_PACKAGE_DIRECTORY:
        return DT_DIR;
    case NX_PACKAGE_SYMLINK:
        return DT_LNK;
    default:
        return DT_UNKNOWN;
    }
}

struct dirent *readdir(DIR *directory)
{
    while (directory->position == directory->count) {
        if (directory->done) {
            return NULL;
        }
        enum nx_status status = directory_refill(directory);
        if (status != NX_OK) {
            errno = posix_errno(status);
            return NULL;
        }
    }
    const struct nx_package_entry *entry = &directory->batch[directory->position++];
    directory->current.d_ino = (ino_t)entry->node;
    directory->current.d_type = entry_type(entry->type);
    memcpy(directory->current.d_name, entry->name, sizeof(entry->name));
    return &directory->current;
}

void rewinddir(DIR *directory)
{
    directory->cookie = 0;
    directory->count = 0;
    directory->position = 0;
    directory->done = false;
}

int closedir(DIR *directory)
{
    free(directory->path);
    free(directory);
    return 0;
}
