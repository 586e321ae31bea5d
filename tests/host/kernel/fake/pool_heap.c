// SPDX-License-Identifier: Apache-2.0
// Kernel objects from the host's heap instead of object/pool.c: AddressSanitizer then knows the
// bounds and the life of each.
#include "object/pool.h"
#include <stdlib.h>
#include <string.h>

// Nothing is cut into slots.
_Atomic uint64_t pool_frames;
_Atomic uint64_t pool_bytes;

void *pool_alloc(size_t size)
{
    size_t whole = (size_t)((size + 63) & ~(size_t)63);
    void *memory = aligned_alloc(64, whole);
    if (memory != NULL)
        memset(memory, 0, whole);
    return memory;
}

void pool_free(void *memory)
{
    free(memory);
}
