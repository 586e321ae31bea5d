// SPDX-License-Identifier: Apache-2.0
// mmap and munmap: files without a copy, and anonymous memory.
#include "nexus/memory.h"
#include "posix.h"
#include <errno.h>
#include <sys/mman.h>

_Static_assert(PROT_READ == NX_PROT_READ && PROT_WRITE == NX_PROT_WRITE &&
                   PROT_EXEC == NX_PROT_EXECUTE,
               "protections pass through unchanged");

#define PROTECTIONS (PROT_READ | PROT_WRITE | PROT_EXEC)

static enum nx_status map_file(int fd, off_t offset, size_t length, uint32_t protection,
                               void **place)
{
    if ((protection & PROT_WRITE) != 0) {
        return NX_ERR_ACCESS_DENIED;
    }
    void *reference;
    struct nx_package_file *file = posix_file_get(fd, &reference);
    if (file == NULL) {
        return NX_ERR_BAD_HANDLE;
    }
    enum nx_status status = nx_package_map(file, (uint64_t)offset, length, protection, place);
    posix_file_put(reference);
    return status;
}

void *mmap(void *address, size_t length, int protection, int flags, int fd, off_t offset)
{
    if (address != NULL || length == 0 || offset < 0 || (protection & ~PROTECTIONS) != 0 ||
        protection == PROT_NONE) {
        errno = EINVAL;
        return MAP_FAILED;
    }
    void *place = MAP_FAILED;
    enum nx_status status;
    if ((flags & MAP_ANONYMOUS) != 0) {
        status = nx_memory_new(length, 0, NULL, &place);
    } else {
        status = map_file(fd, offset, length, (uint32_t)protection, &place);
    }
    if (status != NX_OK) {
        errno = posix_errno(status);
        return MAP_FAILED;
    }
    return place;
}

int munmap(void *address, size_t length)
{
    (void)length;
    return posix_result(nx_memory_unmap(NX_HANDLE_NONE, (uint64_t)address));
}
