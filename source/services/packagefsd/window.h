// SPDX-License-Identifier: Apache-2.0
// A short-lived writable view of part of one of our own memory objects.
#ifndef PACKAGEFSD_WINDOW_H
#define PACKAGEFSD_WINDOW_H

#include "nexus/memory.h"

struct window {
    uint8_t *bytes;   // at the offset asked for
    const void *base; // of the mapping
};

// Maps [offset, offset + length), length > 0. Close it again.
NX_MUST_CHECK static inline enum nx_status window_open(nx_handle memory, uint64_t offset,
                                                       uint64_t length, struct window *window)
{
    uint64_t skip = offset % NX_PAGE_SIZE;
    void *base;

    enum nx_status status = nx_map(memory, offset - skip, NX_PAGE_ROUND_UP(skip + length),
                                   NX_PROT_READ | NX_PROT_WRITE, &base);
    if (status == NX_OK) {
        *window = (struct window){.bytes = (uint8_t *)base + skip, .base = base};
    }
    return status;
}

static inline void window_close(const struct window *window)
{
    nx_unmap(window->base);
}

#endif
