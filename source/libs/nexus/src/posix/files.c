// SPDX-License-Identifier: Apache-2.0
// File descriptors: 0 to 2 are the standard streams, the others are open files of pkg://.
//
// The table has no lock: a descriptor's reference count says who may use it. An open file has a
// lock for its position.
#include "../packages_call.h"
#include "nexus/console.h"
#include "nexus/lock.h"
#include "posix.h"
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <unistd.h>

#define DESCRIPTORS_MAX  64
#define DESCRIPTOR_FIRST 3
#define BLOCK_BYTES      4096

// Who holds an open file: its descriptor, and each call that is using it. The last one of them ends
// it, so that a read goes on while another thread closes. Once the descriptor has let go
// (REFERENCES_CLOSING) nobody new gets hold of it, and the descriptor is not given out before the
// last one is done.
#define REFERENCES_FREE    0u
#define REFERENCES_CLOSING 0x80000000u

struct open_file {
    _Atomic uint32_t references;
    // Constant while there are references.
    struct nx_package_file *file;
    struct nx_mutex lock; // guards position
    uint64_t position;
};

static struct open_file table[DESCRIPTORS_MAX]; // by descriptor

// ---- The table ----------------------------------------------------------------------------------

static struct open_file *descriptor_get(int fd)
{
    if (fd < DESCRIPTOR_FIRST || fd >= DESCRIPTORS_MAX) {
        return NULL;
    }
    struct open_file *open_file = &table[fd];
    uint32_t references = atomic_load_explicit(&open_file->references, memory_order_relaxed);
    do {
        if (references == REFERENCES_FREE || (references & REFERENCES_CLOSING) != 0) {
            return NULL;
        }
        // Acquire pairs with the release in descriptor_publish.
    } while (!atomic_compare_exchange_weak_explicit(&open_file->references, &references,
                                                    references + 1, memory_order_acquire,
                                                    memory_order_relaxed));
    return open_file;
}

static void open_file_put(struct open_file *open_file)
{
    // Release: this holder's use is over. Acquire: the last holder has seen every other's.
    uint32_t before = atomic_fetch_sub_explicit(&open_file->references, 1, memory_order_acq_rel);
    if (before == (REFERENCES_CLOSING | 1)) {
        nx_package_close(open_file->file);
        nx_mutex_destroy(&open_file->lock);
        // Release pairs with the acquire in descriptor_reserve.
        atomic_store_explicit(&open_file->references, REFERENCES_FREE, memory_order_release);
    }
}

// A descriptor that no call can use before it is published; -1: there is none.
static int descriptor_reserve(void)
{
    for (int fd = DESCRIPTOR_FIRST; fd < DESCRIPTORS_MAX; fd++) {
        uint32_t expected = REFERENCES_FREE;
        if (atomic_compare_exchange_strong_explicit(&table[fd].references, &expected,
                                                    REFERENCES_CLOSING | 1, memory_order_acquire,
                                                    memory_order_relaxed)) {
            return fd;
        }
    }
    return -1;
}

static void descriptor_publish(int fd, struct nx_package_file *file)
{
    table[fd].file = file;
    table[fd].position = 0;
    // Release pairs with the acquire in descriptor_get.
    atomic_store_explicit(&table[fd].references, 1, memory_order_release);
}

static void descriptor_free(int fd)
{
    atomic_store_explicit(&table[fd].references, REFERENCES_FREE, memory_order_release);
}

struct nx_package_file *posix_file_get(int fd, void **reference)
{
    struct open_file *open_file = descriptor_get(fd);
    *reference = open_file;
    return open_file != NULL ? open_file->file : NULL;
}

void posix_file_put(void *reference)
{
    open_file_put(reference);
}

// ---- Standard streams ---------------------------------------------------------------------------

// Input comes by lines; what a read leaves of one waits here. Guarded by input_lock.
static struct nx_mutex input_lock;
static char input_line[NX_CONSOLE_LINE_MAX + 2];
static size_t input_length;
static size_t input_position;

static enum nx_status input_refill_locked(void)
{
    enum nx_line_end end;
    enum nx_status status = nx_console_read_line("", input_line, sizeof(input_line) - 1, &end);
    if (status != NX_OK) {
        return status;
    }
    input_position = 0;
    input_length = end == NX_LINE_ENTERED ? strlen(input_line) : 0;
    if (end == NX_LINE_ENTERED) {
        input_line[input_length++] = '\n';
    }
    return NX_OK;
}

static ssize_t input_read(void *buffer, size_t length)
{
    enum nx_status status = NX_OK;
    nx_mutex_lock(&input_lock);
    if (input_position == input_length) {
        status = nx_console_present() ? input_refill_locked() : NX_OK;
    }
    size_t part = input_length - input_position;
    part = part < length ? part : length;
    memcpy(buffer, input_line + input_position, part);
    input_position += part;
    nx_mutex_unlock(&input_lock);
    return status == NX_OK ? (ssize_t)part : posix_result(status);
}

ssize_t write(int fd, const void *buffer, size_t length)
{
    if (fd != STDOUT_FILENO && fd != STDERR_FILENO) {
        errno = EBADF;
        return -1;
    }
    if (fd == STDOUT_FILENO && nx_console_present()) {
        enum nx_status status = nx_console_write(buffer, length);
        return status == NX_OK ? (ssize_t)length : posix_result(status);
    }
    posix_log_stream_write(buffer, length);
    return (ssize_t)length;
}

int isatty(int fd)
{
    if (fd >= STDIN_FILENO && fd <= STDOUT_FILENO && nx_console_present()) {
        return 1;
    }
    errno = ENOTTY;
    return 0;
}

// ---- Files --------------------------------------------------------------------------------------

int open(const char *path, int flags, ...)
{
    if ((flags & O_ACCMODE) != O_RDONLY || (flags & (O_CREAT | O_TRUNC)) != 0) {
        errno = EROFS;
        return -1;
    }
    const char *inner = package_path_with_scheme(path);
    if (inner == NULL) {
        errno = ENOENT;
        return -1;
    }
    int fd = descriptor_reserve();
    if (fd < 0) {
        errno = EMFILE;
        return -1;
    }
    struct nx_package_file *file;
    enum nx_status status = package_open_inner(inner, &file);
    if (status != NX_OK) {
        descriptor_free(fd);
        return posix_result(status);
    }
    descriptor_publish(fd, file);
    return fd;
}

// Marks a descriptor as closing. False: it is not open, or another thread closes it.
static bool descriptor_close(int fd)
{
    _Atomic uint32_t *word = &table[fd].references;
    uint32_t references = atomic_load_explicit(word, memory_order_relaxed);
    do {
        if (references == REFERENCES_FREE || (references & REFERENCES_CLOSING) != 0) {
            return false;
        }
    } while (!atomic_compare_exchange_weak_explicit(word, &references,
                                                    references | REFERENCES_CLOSING,
                                                    memory_order_relaxed, memory_order_relaxed));
    return true;
}

int close(int fd)
{
    if (fd < DESCRIPTOR_FIRST || fd >= DESCRIPTORS_MAX || !descriptor_close(fd)) {
        errno = EBADF;
        return -1;
    }
    open_file_put(&table[fd]);
    return 0;
}

ssize_t read(int fd, void *buffer, size_t length)
{
    if (fd == STDIN_FILENO) {
        return input_read(buffer, length);
    }
    struct open_file *open_file = descriptor_get(fd);
    if (open_file == NULL) {
        errno = EBADF;
        return -1;
    }
    size_t copied;
    nx_mutex_lock(&open_file->lock);
    enum nx_status status =
        nx_package_read(open_file->file, open_file->position, buffer, length, &copied);
    open_file->position += copied;
    nx_mutex_unlock(&open_file->lock);
    open_file_put(open_file);
    return status == NX_OK ? (ssize_t)copied : posix_result(status);
}

// The position that a seek leads to, or -1.
static off_t seek_target(const struct open_file *open_file, off_t offset, int whence)
{
    off_t base = 0;
    if (whence == SEEK_CUR) {
        base = (off_t)open_file->position;
    } else if (whence == SEEK_END) {
        base = (off_t)nx_package_size(open_file->file);
    } else if (whence != SEEK_SET) {
        return -1;
    }
    off_t target;
    return __builtin_add_overflow(base, offset, &target) || target < 0 ? -1 : target;
}

off_t lseek(int fd, off_t offset, int whence)
{
    if (fd >= STDIN_FILENO && fd <= STDERR_FILENO) {
        errno = ESPIPE;
        return -1;
    }
    struct open_file *open_file = descriptor_get(fd);
    if (open_file == NULL) {
        errno = EBADF;
        return -1;
    }
    nx_mutex_lock(&open_file->lock);
    off_t target = seek_target(open_file, offset, whence);
    if (target >= 0) {
        open_file->position = (uint64_t)target;
    } else {
        errno = EINVAL;
    }
    nx_mutex_unlock(&open_file->lock);
    open_file_put(open_file);
    return target;
}

// ---- Attributes ---------------------------------------------------------------------------------

mode_t posix_mode(const struct nx_package_facts *facts)
{
    static const mode_t types[] = {
        [NX_PACKAGE_UNKNOWN] = 0,
        [NX_PACKAGE_REGULAR] = S_IFREG,
        [NX_PACKAGE_DIRECTORY] = S_IFDIR,
        [NX_PACKAGE_SYMLINK] = S_IFLNK,
    };
    mode_t type = (unsigned)facts->type <= NX_PACKAGE_SYMLINK ? types[facts->type] : 0;
    return type | facts->mode;
}

static void stat_fill(const struct nx_package_facts *facts, struct stat *result)
{
    *result = (struct stat){
        .st_ino = (ino_t)facts->node,
        .st_mode = posix_mode(facts),
        .st_nlink = (nlink_t)facts->links,
        .st_size = (off_t)facts->size,
        .st_blksize = BLOCK_BYTES,
        .st_blocks = (blkcnt_t)((facts->size + 511) / 512),
    };
    result->st_mtime = (time_t)facts->modified_seconds;
}

int fstat(int fd, struct stat *result)
{
    if (fd >= STDIN_FILENO && fd <= STDERR_FILENO) {
        *result = (struct stat){.st_mode = S_IFCHR | 0600};
        return 0;
    }
    struct open_file *open_file = descriptor_get(fd);
    if (open_file == NULL) {
        errno = EBADF;
        return -1;
    }
    struct nx_package_facts facts;
    nx_package_describe(open_file->file, &facts);
    stat_fill(&facts, result);
    open_file_put(open_file);
    return 0;
}

int lstat(const char *path, struct stat *result)
{
    struct nx_package_facts facts;
    enum nx_status status = nx_package_stat(path, &facts);
    if (status == NX_OK) {
        stat_fill(&facts, result);
    }
    return posix_result(status);
}

// Opening follows symlinks, so it tells what one leads to; a directory at its end has no more
// attributes than its type.
int stat(const char *path, struct stat *result)
{
    if (lstat(path, result) != 0) {
        return -1;
    }
    if (!S_ISLNK(result->st_mode)) {
        return 0;
    }
    struct nx_package_file *file;
    enum nx_status status = nx_package_open(path, &file);
    if (status == NX_ERR_IS_DIRECTORY) {
        *result = (struct stat){.st_mode = S_IFDIR | 0555, .st_nlink = 1};
        return 0;
    }
    if (status == NX_OK) {
        struct nx_package_facts facts;
        nx_package_describe(file, &facts);
        stat_fill(&facts, result);
        nx_package_close(file);
    }
    return posix_result(status);
}
