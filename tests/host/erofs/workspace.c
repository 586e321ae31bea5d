// SPDX-License-Identifier: Apache-2.0
// The tests' temporary directory.
#define _GNU_SOURCE

#include "erofs/workspace.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static char *workspace_root;

static int entry_remove(const char *path, const struct stat *info, int kind, struct FTW *position)
{
    (void)info;
    (void)kind;
    (void)position;
    return remove(path);
}

int workspace_make(const char *python, const char *script, const char *what)
{
    const char *base = getenv("TMPDIR");

    if (asprintf(&workspace_root, "%s/nexus-erofs-XXXXXX", base != NULL ? base : "/tmp") < 0 ||
        mkdtemp(workspace_root) == NULL) {
        perror("test workspace");
        return -1;
    }
    pid_t child = fork();
    if (child == 0) {
        execlp(python, python, script, workspace_root, what, (char *)NULL);
        perror(python);
        _exit(127);
    }
    int status = -1;
    if (child < 0 || waitpid(child, &status, 0) != child || status != 0) {
        fprintf(stderr, "%s failed: is erofs-utils installed?\n", script);
        workspace_remove();
        return -1;
    }
    return 0;
}

void workspace_remove(void)
{
    if (nftw(workspace_root, entry_remove, 16, FTW_DEPTH | FTW_PHYS) != 0) {
        perror(workspace_root);
    }
    free(workspace_root);
    workspace_root = NULL;
}

char *workspace_path(const char *name)
{
    char *path;

    if (asprintf(&path, "%s/%s", workspace_root, name) < 0) {
        abort();
    }
    return path;
}

uint8_t *file_load(const char *path, size_t *size)
{
    FILE *file = fopen(path, "rb");

    if (file == NULL || fseek(file, 0, SEEK_END) != 0) {
        perror(path);
        abort();
    }
    *size = (size_t)ftell(file);
    rewind(file);
    uint8_t *bytes = malloc(*size > 0 ? *size : 1);
    if (bytes == NULL || fread(bytes, 1, *size, file) != *size) {
        perror(path);
        abort();
    }
    fclose(file);
    return bytes;
}
