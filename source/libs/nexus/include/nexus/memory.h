// SPDX-License-Identifier: Apache-2.0
// Memory objects as seen through this process's address space.
#ifndef NEXUS_MEMORY_H
#define NEXUS_MEMORY_H

#include "nexus/system.h"

#define NX_PAGE_ROUND_UP(bytes) (((uint64_t)(bytes) + NX_PAGE_SIZE - 1) & ~(NX_PAGE_SIZE - 1))

// Maps `length` bytes of a memory object at an address that the kernel chooses.
NX_MUST_CHECK enum nx_status nx_map(nx_handle memory, uint64_t offset, uint64_t length,
                                    uint32_t protection, void **address);

// Removes the mapping that starts at `address`; NULL is nothing.
void nx_unmap(const void *address);

// New zeroed memory of this process, committed page by page at first touch. *memory may be NULL:
// the object then lives as long as its mapping.
NX_MUST_CHECK enum nx_status nx_memory_new(uint64_t length, uint32_t flags, nx_handle *memory,
                                           void **address);

#endif
