// SPDX-License-Identifier: Apache-2.0
// Memory objects as seen through this process's address space.
#include "nexus/memory.h"

enum nx_status nx_map(nx_handle memory, uint64_t offset, uint64_t length, uint32_t protection,
                      void **address)
{
    uint64_t place = 0;
    enum nx_status status =
        nx_memory_map(NX_HANDLE_NONE, memory, offset, length, protection, &place);
    if (status == NX_OK) {
        *address = (void *)place;
    }
    return status;
}

void nx_unmap(const void *address)
{
    if (address != NULL) {
        // Fails only for an address that starts no mapping, which is a bug of the caller.
        (void)!nx_memory_unmap(NX_HANDLE_NONE, (uint64_t)address);
    }
}

enum nx_status nx_memory_new(uint64_t length, uint32_t flags, nx_handle *memory, void **address)
{
    nx_handle object;
    uint64_t size = NX_PAGE_ROUND_UP(length);
    enum nx_status status = nx_memory_create(size, flags, &object);
    if (status != NX_OK) {
        return status;
    }
    status = nx_map(object, 0, size, NX_PROT_READ | NX_PROT_WRITE, address);
    if (status == NX_OK && memory != NULL) {
        *memory = object;
    } else {
        nx_handle_drop(object);
    }
    return status;
}
