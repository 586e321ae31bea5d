// SPDX-License-Identifier: Apache-2.0
// What the POSIX hooks share: errno from status codes, and open file descriptors.
#ifndef NEXUS_POSIX_H
#define NEXUS_POSIX_H

#include "nexus/packages.h"
#include <sys/stat.h>

// The errno value of a status.
int posix_errno(enum nx_status status);

// Sets errno and returns -1; with NX_OK it returns 0 and leaves errno alone.
int posix_result(enum nx_status status);

// The package file behind a descriptor, kept open until it is put back. NULL: no such file.
struct nx_package_file *posix_file_get(int fd, void **reference);
void posix_file_put(void *reference);

mode_t posix_mode(const struct nx_package_facts *facts);

// Whole lines to the kernel log; the rest waits for its line end.
void posix_log_stream_write(const char *text, size_t length);
void posix_log_stream_flush(void);

#endif
