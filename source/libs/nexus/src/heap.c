// SPDX-License-Identifier: Apache-2.0
// The heap under malloc: a reserved range of the address space that grows by first touch.
//
// picolibc's malloc holds its lock around sbrk, which is all the locking that this needs.
#include "nexus/memory.h"
#include <errno.h>
#include <stdbool.h>
#include <unistd.h>

#define HEAP_BYTES_MAX (64ul << 20) // reserved, not committed: the process's budget is the limit

static char *heap_base; // NULL until the first sbrk
static size_t heap_used;

void *sbrk(ptrdiff_t increment)
{
    if (heap_base == NULL) {
        void *base;
        if (nx_memory_new(HEAP_BYTES_MAX, 0, NULL, &base) != NX_OK) {
            errno = ENOMEM;
            return (void *)-1;
        }
        heap_base = base;
    }
    bool fits = increment >= 0 ? (size_t)increment <= HEAP_BYTES_MAX - heap_used
                               : (size_t)-increment <= heap_used;
    if (!fits) {
        errno = ENOMEM;
        return (void *)-1;
    }
    char *previous = heap_base + heap_used;
    heap_used += (size_t)increment;
    return previous;
}
