// SPDX-License-Identifier: Apache-2.0
// A walk over the files of pkg://, through the same POSIX functions as any program.
#include "kill_test.h"
#include <dirent.h>
#include <errno.h>
#include <stdio.h>

#define DEPTH_MAX 16u

struct walk {
    bool (*visit)(void *context, const char *path);
    void *context;
};

static bool walk_directory(const struct walk *walk, const char *path, unsigned depth);

static bool walk_entry(const struct walk *walk, const char *directory, const struct dirent *entry,
                       unsigned depth)
{
    char path[PATH_BYTES];
    const char *slash = directory[strlen(directory) - 1] == '/' ? "" : "/";
    int length = snprintf(path, sizeof(path), "%s%s%s", directory, slash, entry->d_name);

    if (length < 0 || (size_t)length >= sizeof(path)) {
        errno = ENAMETOOLONG;
        return false;
    }
    if (entry->d_type == DT_DIR) {
        return walk_directory(walk, path, depth + 1);
    }
    return entry->d_type != DT_REG || walk->visit(walk->context, path);
}

static bool walk_directory(const struct walk *walk, const char *path, unsigned depth)
{
    struct dirent *entry;
    bool fine = true;

    if (depth == DEPTH_MAX) {
        errno = ELOOP;
        return false;
    }
    DIR *directory = opendir(path);
    if (directory == NULL) {
        return false;
    }
    errno = 0; // what readdir leaves as it is at the end
    while (fine && (entry = readdir(directory)) != NULL) {
        fine = walk_entry(walk, path, entry, depth);
        errno = fine ? 0 : errno;
    }
    fine = fine && errno == 0;
    int error = errno;
    (void)closedir(directory);
    errno = error;
    return fine;
}

bool walk_files(const char *path, bool (*visit)(void *context, const char *path), void *context)
{
    const struct walk walk = {visit, context};
    return walk_directory(&walk, path, 0);
}
