// SPDX-License-Identifier: Apache-2.0
// stdin, stdout and stderr.
//
// stdout goes to the console when the program has one; stderr, and stdout without a console, become
// whole lines of the kernel log.
#include "../libc_lock.h"
#include "nexus/log.h"
#include "posix.h"
#include <stdio-bufio.h>
#include <stdio.h>
#include <unistd.h>

#define STREAM_BUFFER_BYTES 512

// picolibc's own initialiser leaves the lock to run time; this one needs no constructor.
#define STREAM(descriptor, direction)                                                              \
    {                                                                                              \
        .xfile = FDEV_SETUP_EXT(__bufio_put, __bufio_get, __bufio_flush, __bufio_close,            \
                                __bufio_seek, __bufio_setvbuf, (direction) | __SBUF),              \
        .fd = (descriptor), .bflags = __BLBF, .buf = buffers[descriptor],                          \
        .size = STREAM_BUFFER_BYTES, .read = read, .write = write, .lseek = lseek, .close = close, \
        .lock = &locks[descriptor],                                                                \
    }

static char buffers[3][STREAM_BUFFER_BYTES];
static struct __lock locks[3];
static struct __file_bufio streams[3] = {
    STREAM(STDIN_FILENO, __SRD),
    STREAM(STDOUT_FILENO, __SWR),
    STREAM(STDERR_FILENO, __SWR),
};

FILE *const stdin = &streams[STDIN_FILENO].xfile.cfile.file;
FILE *const stdout = &streams[STDOUT_FILENO].xfile.cfile.file;
FILE *const stderr = &streams[STDERR_FILENO].xfile.cfile.file;

__attribute__((destructor)) static void streams_end(void)
{
    (void)fflush(stdout);
    (void)fflush(stderr);
    posix_log_stream_flush();
}

// ---- The log as a stream ------------------------------------------------------------------------

// The line under construction; guarded by line_lock.
static struct nx_mutex line_lock;
static char line[NX_LOG_LINE_MAX - 1];
static size_t line_length;

static void line_emit_locked(void)
{
    nx_log_text(line, line_length);
    line_length = 0;
}

void posix_log_stream_write(const char *text, size_t length)
{
    nx_mutex_lock(&line_lock);
    for (size_t i = 0; i < length; i++) {
        if (text[i] == '\n') {
            line_emit_locked();
            continue;
        }
        if (line_length == sizeof(line)) {
            line_emit_locked();
        }
        line[line_length++] = text[i];
    }
    nx_mutex_unlock(&line_lock);
}

void posix_log_stream_flush(void)
{
    nx_mutex_lock(&line_lock);
    if (line_length > 0) {
        line_emit_locked();
    }
    nx_mutex_unlock(&line_lock);
}
