// SPDX-License-Identifier: Apache-2.0
// Memory objects, as test_file_cache.c answers for them.
#ifndef NEXUS_MEMORY_H
#define NEXUS_MEMORY_H

#include "system.h"

#define NX_PROT_READ  1u
#define NX_PROT_WRITE 2u

NX_MUST_CHECK enum nx_status nx_memory_new(uint64_t length, uint32_t flags, nx_handle *memory,
                                           void **address);
NX_MUST_CHECK enum nx_status nx_map(nx_handle memory, uint64_t offset, uint64_t length,
                                    uint32_t protection, void **address);
void nx_unmap(const void *address);

#endif
