// SPDX-License-Identifier: Apache-2.0
// Views of memory objects of ours that cannot fault: every page is there before it is touched.
#ifndef PACKAGEFSD_WINDOW_H
#define PACKAGEFSD_WINDOW_H

#include "nexus/memory.h"

// As nx_memory_new, with all pages committed and entered.
NX_MUST_CHECK static inline enum nx_status memory_new_present(uint64_t length, uint32_t flags,
                                                              nx_handle *memory, void **address)
{
    nx_handle object;
    enum nx_status status = nx_memory_new(length, flags, &object, address);

    if (status != NX_OK) {
        return status;
    }
    status = nx_memory_populate(NX_HANDLE_NONE, (uint64_t)*address);
    if (status != NX_OK) {
        nx_unmap(*address);
    }
    if (status != NX_OK || memory == NULL) {
        nx_handle_drop(object); // it lives as long as its mapping
    } else {
        *memory = object;
    }
    return status;
}

// A short-lived writable view.
struct window {
    uint8_t *bytes;   // at the offset asked for
    const void *base; // of the mapping
};

// Maps [offset, offset + length), length > 0, all of it present: touching it cannot fail. Close it
// again. NX_ERR_NO_MEMORY: its pages, or tables for them, could not be had.
NX_MUST_CHECK static inline enum nx_status window_open(nx_handle memory, uint64_t offset,
                                                       uint64_t length, struct window *window)
{
    uint64_t skip = offset % NX_PAGE_SIZE;
    void *base;

    enum nx_status status = nx_map(memory, offset - skip, NX_PAGE_ROUND_UP(skip + length),
                                   NX_PROT_READ | NX_PROT_WRITE, &base);
    if (status != NX_OK) {
        return status;
    }
    status = nx_memory_populate(NX_HANDLE_NONE, (uint64_t)base);
    if (status != NX_OK) {
        nx_unmap(base);
        return status;
    }
    *window = (struct window){.bytes = (uint8_t *)base + skip, .base = base};
    return NX_OK;
}

static inline void window_close(const struct window *window)
{
    nx_unmap(window->base);
}

#endif
