// SPDX-License-Identifier: Apache-2.0
// One reader's pass: every file of pkg:// by read or by mapping, hashed and compared. It knows
// nothing of kills: it is a program that reads files.
#include "kill_test.h"
#include "nexus/service.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define PIECE_BYTES 16384u

struct pass {
    struct board *board;
    struct board_reader *reader;
    uint64_t began; // the operation under way
    uint32_t seen;  // files
    bool by_mapping;
};

static void operation_begin(struct pass *pass)
{
    atomic_store_explicit(&pass->reader->inside, true, memory_order_relaxed);
    pass->began = nx_clock_now();
}

static void operation_end(struct pass *pass)
{
    uint64_t took = nx_clock_now() - pass->began;
    struct board_reader *reader = pass->reader;

    atomic_store_explicit(&reader->inside, false, memory_order_relaxed);
    if (took > reader->longest_ns) {
        reader->longest_ns = took;
    }
}

// Notes the first reason; the pass goes on.
static bool failed(struct pass *pass, const char *path, const char *what)
{
    struct board_reader *reader = pass->reader;
    if (reader->failed + reader->wrong == 0) {
        (void)snprintf(reader->reason, sizeof(reader->reason), "%s %s: %s", what, path,
                       strerror(errno));
    }
    reader->failed++;
    return true;
}

static void bytes_check(struct pass *pass, const struct board_file *file, struct sha256 *hash,
                        uint64_t size)
{
    uint8_t digest[SHA256_BYTES];
    struct board_reader *reader = pass->reader;

    sha256_final(hash, digest);
    reader->files++;
    reader->bytes += size;
    if (size == file->size && memcmp(digest, file->digest, sizeof(digest)) == 0) {
        return;
    }
    if (reader->failed + reader->wrong == 0) {
        (void)snprintf(reader->reason, sizeof(reader->reason), "wrong bytes in %s", file->path);
    }
    reader->wrong++;
}

static bool hash_by_read(struct pass *pass, const struct board_file *file, int descriptor)
{
    uint8_t piece[PIECE_BYTES];
    struct sha256 hash;
    uint64_t size = 0;
    ssize_t count;

    sha256_init(&hash);
    do {
        operation_begin(pass);
        count = read(descriptor, piece, sizeof(piece));
        operation_end(pass);
        if (count < 0) {
            return failed(pass, file->path, "read");
        }
        sha256_update(&hash, piece, (size_t)count);
        size += (uint64_t)count;
    } while (count > 0);
    bytes_check(pass, file, &hash, size);
    return true;
}

static bool hash_by_mapping(struct pass *pass, const struct board_file *file, int descriptor)
{
    struct sha256 hash;

    operation_begin(pass);
    void *bytes = mmap(NULL, file->size, PROT_READ, MAP_PRIVATE, descriptor, 0);
    operation_end(pass);
    if (bytes == MAP_FAILED) {
        return failed(pass, file->path, "mmap");
    }
    sha256_init(&hash);
    sha256_update(&hash, bytes, file->size);
    bytes_check(pass, file, &hash, file->size);
    pass->reader->mapped++;
    (void)munmap(bytes, file->size);
    return true;
}

static const struct board_file *file_find(const struct board *board, const char *path)
{
    for (uint32_t i = 0; i < board->file_count; i++) {
        if (strcmp(board->files[i].path, path) == 0) {
            return &board->files[i];
        }
    }
    return NULL;
}

static bool visit(void *context, const char *path)
{
    struct pass *pass = context;
    struct stat facts;

    operation_end(pass); // of the listing
    const struct board_file *file = file_find(pass->board, path);
    pass->seen++;
    if (file == NULL) {
        return failed(pass, path, "unknown file");
    }
    operation_begin(pass);
    int descriptor = open(path, O_RDONLY);
    bool opened = descriptor >= 0 && fstat(descriptor, &facts) == 0;
    operation_end(pass);
    if (!opened) {
        return failed(pass, path, "open");
    }
    bool map = pass->by_mapping && file->size > 0;
    pass->by_mapping = !pass->by_mapping;
    if (map ? hash_by_mapping(pass, file, descriptor) : hash_by_read(pass, file, descriptor)) {
        (void)close(descriptor);
    }
    operation_begin(pass);
    return true;
}

int reader_main(uint32_t number)
{
    struct pass pass = {.board = board_open()};

    if (pass.board == NULL) {
        return EXIT_FAILURE;
    }
    pass.reader = &pass.board->readers[number];
    pass.by_mapping = (pass.reader->passes + number) % 2 == 0;
    operation_begin(&pass);
    bool walked = walk_files(NX_PACKAGE_SCHEME, visit, &pass);
    operation_end(&pass);
    if (!walked) {
        (void)failed(&pass, NX_PACKAGE_SCHEME, "list");
    } else if (pass.seen != pass.board->file_count) {
        errno = ENOENT;
        (void)failed(&pass, NX_PACKAGE_SCHEME, "files missing from the list");
    }
    pass.reader->retried += nx_retry_count(); // this program's life is one pass
    pass.reader->passes++;
    return EXIT_SUCCESS;
}
