// SPDX-License-Identifier: Apache-2.0
// Memory objects: what can be mapped. Paged, contiguous, or a window of physical addresses.
//
// Paged memory gets its frames, zeroed, when it is committed: explicitly, or at the first touch of
// a mapping. Frames stay until the object goes, so a pointer to a committed page is good for as
// long as a reference is held. Contiguous memory (DMA rings) has all its frames from the start. A
// window names registers or RAM that the allocator does not own (device memory; the boot archive).
//
// The lock (rank OBJECT) guards the filling of slots; frames are zeroed before it is taken. A
// frame's slot, once set, does not change, so it is read without the lock. Frames are charged to
// the process that created the object.
#ifndef NEURON_MEMORY_H
#define NEURON_MEMORY_H

#include "core/lock.h"
#include "object/object.h"

enum memory_kind {
    MEMORY_PAGED,
    MEMORY_CONTIGUOUS,
    MEMORY_WINDOW,
};

struct memory {
    struct object object;
    // Constant after creation.
    enum memory_kind kind;
    bool device;    // a window of registers: never a message page, never DMA
    uint64_t size;  // bytes, a multiple of the page size
    paddr_t base;   // contiguous and window
    uint32_t order; // contiguous: the block's order

    struct lock lock;
    // Paged: a table of slots, or of pointers to frames of slots (paged_depth 2). A slot is a frame
    // address, 0 when not committed.
    _Atomic(_Atomic uint64_t *) slots;
    uint32_t paged_depth;
    _Atomic uint64_t committed; // bytes
    uint64_t destroy_cursor;    // page index up to which destruction has come
};

// size is rounded up to pages. Errors: NX_ERR_INVALID_ARGUMENT (0), NX_ERR_TOO_LARGE,
// NX_ERR_NO_MEMORY.
NX_MUST_CHECK enum nx_status memory_create_paged(struct process *process, uint64_t size,
                                                 struct memory **memory);
NX_MUST_CHECK enum nx_status memory_create_contiguous(struct process *process, uint64_t size,
                                                      struct memory **memory);
// Errors: NX_ERR_INVALID_ARGUMENT (misaligned or empty), NX_ERR_OVERFLOW.
NX_MUST_CHECK enum nx_status memory_create_window(struct process *process, paddr_t base,
                                                  uint64_t size, bool device,
                                                  struct memory **memory);

// The frame of page `index`, committing it if need be. Errors: NX_ERR_OUT_OF_RANGE,
// NX_ERR_NO_MEMORY.
NX_MUST_CHECK enum nx_status memory_commit_page(struct memory *memory, uint64_t index,
                                                paddr_t *frame);
// The frame of page `index` if it is committed.
bool memory_find_page(const struct memory *memory, uint64_t index, paddr_t *frame);
// How many pages from `index` on, at most `limit` (all of them inside the object), are committed
// and lie one after the other, the first in *frame. Perhaps fewer than there are, 0 when that one
// is not committed.
uint64_t memory_find_run(const struct memory *memory, uint64_t index, uint64_t limit,
                         paddr_t *frame);

// A kernel pointer to the page at `offset`, which is committed and stays so while a reference is
// held. Errors: NX_ERR_INVALID_ARGUMENT (misaligned or device memory) and those of
// memory_commit_page.
NX_MUST_CHECK enum nx_status memory_page_pointer(struct memory *memory, uint64_t offset,
                                                 void **pointer);

enum destroy_result memory_destroy_step(struct object *object);

#endif
