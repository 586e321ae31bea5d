// SPDX-License-Identifier: Apache-2.0
// Memory mappings: files of pkg:// read-only and without a copy, and anonymous memory.
#ifndef NEXUS_SYS_MMAN_H
#define NEXUS_SYS_MMAN_H

#include <sys/types.h>

#define PROT_NONE  0
#define PROT_READ  1
#define PROT_WRITE 2
#define PROT_EXEC  4

#define MAP_SHARED    0x01
#define MAP_PRIVATE   0x02
#define MAP_ANONYMOUS 0x20
#define MAP_ANON      MAP_ANONYMOUS
#define MAP_FAILED    ((void *)-1)

// `address` must be NULL: the kernel chooses the place. A file's mapping is valid as a whole when
// the call returns, and cannot be writable (EACCES). errno: EINVAL, EBADF, EACCES, ENOMEM, EIO.
void *mmap(void *address, size_t length, int protection, int flags, int fd, off_t offset);

// Removes a whole mapping: `address` is what mmap returned.
int munmap(void *address, size_t length);

#endif
