// SPDX-License-Identifier: Apache-2.0
// File descriptors: 0 to 2 are the standard streams, the others are open files of pkg://.
//
// The table's lock guards the table and the reference counts; an open file has its own lock for its
// position. A descriptor that is closed while another thread reads through it stays open for that
// one read.
#include "nexus/console.h"
#include "nexus/lock.h"
#include "posix.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#define DESCRIPTORS_MAX  64
#define DESCRIPTOR_FIRST 3
#define BLOCK_BYTES      4096

struct open_file {
    struct nx_package_file *file;
    uint32_t references;  // guarded by table_lock
    struct nx_mutex lock; // guards position
    uint64_t position;
};

static struct nx_mutex table_lock; // guards the table
static struct open_file *table[DESCRIPTORS_MAX];

// ---- The table ----------------------------------------------------------------------------------

static struct open_file *descriptor_get(int fd)
{
    struct open_file *open_file = NULL;
    nx_mutex_lock(&table_lock);
    if (fd >= DESCRIPTOR_FIRST && fd < DESCRIPTORS_MAX && table[fd] != NULL) {
        open_file = table[fd];
        open_file->references++;
    }
    nx_mutex_unlock(&table_lock);
    return open_file;
}

static void open_file_put(struct open_file *open_file)
{
    nx_mutex_lock(&table_lock);
    bool last = --open_file->references == 0;
    nx_mutex_unlock(&table_lock);
    if (last) {
        nx_package_close(open_file->file);
        nx_mutex_destroy(&open_file->lock);
        free(open_file);
    }
}

static int descriptor_install(struct open_file *open_file)
{
    int found = -1;
    nx_mutex_lock(&table_lock);
    for (int fd = DESCRIPTOR_FIRST; fd < DESCRIPTORS_MAX && found < 0; fd++) {
        if (table[fd] == NULL) {
            table[fd] = open_file;
            found = fd;
        }
    }
    nx_mutex_unlock(&table_lock);
    return found;
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
    struct open_file *open_file = calloc(1, sizeof(*open_file));
    if (open_file == NULL) {
        errno = ENOMEM;
        return -1;
    }
    open_file->references = 1;
    enum nx_status status = strncmp(path, NX_PACKAGE_SCHEME, strlen(NX_PACKAGE_SCHEME)) == 0
                                ? nx_package_open(path, &open_file->file)
                                : NX_ERR_NOT_FOUND;
    if (status != NX_OK) {
        free(open_file);
        return posix_result(status);
    }
    int fd = descriptor_install(open_file);
    if (fd < 0) {
        open_file_put(open_file);
        errno = EMFILE;
    }
    return fd;
}

int close(int fd)
{
    struct open_file *open_file = NULL;
    nx_mutex_lock(&table_lock);
    if (fd >= DESCRIPTOR_FIRST && fd < DESCRIPTORS_MAX) {
        open_file = table[fd];
        table[fd] = NULL;
    }
    nx_mutex_unlock(&table_lock);
    if (open_file == NULL) {
        errno = EBADF;
        return -1;
    }
    open_file_put(open_file);
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
