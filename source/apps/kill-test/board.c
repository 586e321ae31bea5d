// SPDX-License-Identifier: Apache-2.0
// The board: what every file of pkg:// must hold, and what the readers have done.
#include "kill_test.h"
#include "nexus/memory.h"
#include "nexus/spawn.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

// Behind the identifiers that the library knows.
#define START_BOARD ((enum nx_start_id)(NX_START_HANDLES_MAX))

static bool file_digest(const char *path, struct board_file *file)
{
    uint8_t piece[4096];
    struct sha256 hash;
    size_t count;

    FILE *stream = fopen(path, "rb");
    if (stream == NULL) {
        return false;
    }
    sha256_init(&hash);
    while ((count = fread(piece, 1, sizeof(piece), stream)) > 0) {
        sha256_update(&hash, piece, count);
        file->size += count;
    }
    bool fine = ferror(stream) == 0;
    fine = fclose(stream) == 0 && fine;
    sha256_final(&hash, file->digest);
    return fine;
}

static bool file_add(void *context, const char *path)
{
    struct board *board = context;

    if (board->file_count == FILES_MAX) {
        errno = ENFILE;
        return false;
    }
    struct board_file *file = &board->files[board->file_count++];
    strlcpy(file->path, path, sizeof(file->path));
    return file_digest(path, file);
}

static int compare_paths(const void *left, const void *right)
{
    const struct board_file *a = left;
    const struct board_file *b = right;
    return strcmp(a->path, b->path);
}

bool board_create(struct board **board, nx_handle *memory, char reason[REASON_BYTES])
{
    void *address;
    enum nx_status status = nx_memory_new(NX_PAGE_ROUND_UP(sizeof(**board)), 0, memory, &address);
    if (status != NX_OK) {
        (void)snprintf(reason, REASON_BYTES, "board: %s", nx_status_text(status));
        return false;
    }
    *board = address;
    if (!walk_files(NX_PACKAGE_SCHEME, file_add, *board)) {
        (void)snprintf(reason, REASON_BYTES, "first look at pkg://: %s", strerror(errno));
        return false;
    }
    qsort((*board)->files, (*board)->file_count, sizeof((*board)->files[0]), compare_paths);
    return true;
}

bool board_verify(const struct board *board, char reason[REASON_BYTES])
{
    for (uint32_t i = 0; i < board->file_count; i++) {
        const struct board_file *expected = &board->files[i];
        struct board_file file = {0};
        if (!file_digest(expected->path, &file)) {
            (void)snprintf(reason, REASON_BYTES, "%s: %s", expected->path, strerror(errno));
            return false;
        }
        if (memcmp(file.digest, expected->digest, sizeof(file.digest)) != 0) {
            (void)snprintf(reason, REASON_BYTES, "wrong bytes in %s", expected->path);
            return false;
        }
    }
    return true;
}

struct nx_grant board_grant(nx_handle memory)
{
    return (struct nx_grant){START_BOARD, memory, NX_RIGHT_READ | NX_RIGHT_WRITE};
}

struct board *board_open(void)
{
    void *address;
    nx_handle memory = nx_start_handle_find(START_BOARD);
    if (memory == NX_HANDLE_NONE || nx_map(memory, 0, NX_PAGE_ROUND_UP(sizeof(struct board)),
                                           NX_PROT_READ | NX_PROT_WRITE, &address) != NX_OK) {
        return NULL;
    }
    return address;
}

void board_digest(const struct board *board, uint64_t *bytes, char text[SHA256_HEX_BYTES])
{
    struct sha256 all;
    uint8_t digest[SHA256_BYTES];

    *bytes = 0;
    sha256_init(&all);
    for (uint32_t i = 0; i < board->file_count; i++) {
        const struct board_file *file = &board->files[i];
        const char *path = file->path + strlen(NX_PACKAGE_SCHEME);
        sha256_hex(file->digest, text);
        sha256_update(&all, text, SHA256_HEX_BYTES - 1);
        sha256_update(&all, "  ", 2);
        sha256_update(&all, path, strlen(path));
        sha256_update(&all, "\n", 1);
        *bytes += file->size;
    }
    sha256_final(&all, digest);
    sha256_hex(digest, text);
}
