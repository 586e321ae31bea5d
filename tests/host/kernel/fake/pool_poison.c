// SPDX-License-Identifier: Apache-2.0
// Overwrites freed kernel objects (see fake_wraps.c), for builds with the kernel's own pools.
#include "object/pool.h"
#include <stdint.h>
#include <string.h>

void *__real_pool_alloc(size_t size);
void __real_pool_free(void *memory);
void *__wrap_pool_alloc(size_t size);
void __wrap_pool_free(void *memory);

#define POISON      0xa5
#define HEADER_SIZE 16u // keeps objects' alignment to it

// The size is kept in front of the object. 64-byte alignment of what the kernel asks for is not
// kept: no host code needs it.
void *__wrap_pool_alloc(size_t size)
{
    size_t whole = size + HEADER_SIZE;
    if (whole > POOL_SIZE_MAX)
        return NULL;
    char *memory = __real_pool_alloc(whole);
    if (memory == NULL)
        return NULL;
    memcpy(memory, &size, sizeof(size));
    return memory + HEADER_SIZE;
}

void __wrap_pool_free(void *memory)
{
    size_t size;
    char *start = (char *)memory - HEADER_SIZE;
    memcpy(&size, start, sizeof(size));
    memset(memory, POISON, size);
    __real_pool_free(start);
}
