// SPDX-License-Identifier: Apache-2.0
// Physical frames: who has which 4 KiB of RAM.
//
// A buddy allocator over every RAM range of the machine, under one lock of rank FRAME, and before
// it a small cache of single frames for each hart (rank FRAME_CACHE). Blocks are naturally aligned
// powers of two of frames, up to FRAME_ORDER_MAX. A frame belongs to whoever allocated it until
// freed; the allocator keeps one bit per block and order, carved from each range.
#ifndef NEURON_FRAME_H
#define NEURON_FRAME_H

#include "core/types.h"

#define FRAME_ORDER_MAX 10u // 4 MiB blocks

// Hands all RAM that is neither reserved nor used by the kernel image, device tree or archive to
// the allocator. Boot hart, once, with the early direct map.
void frame_init(void);

// One zeroed frame. Errors: NX_ERR_NO_MEMORY.
NX_MUST_CHECK enum nx_status frame_alloc(paddr_t *frame);
void frame_free(paddr_t frame);
// Gets frames at hand for this hart, so that an allocation under a lock needs no other one for
// long.
void frame_prepare(void);

// 2^order frames, contiguous and aligned to their size, NOT zeroed. Errors: NX_ERR_NO_MEMORY.
NX_MUST_CHECK enum nx_status frame_alloc_block(uint32_t order, paddr_t *first);
void frame_free_block(paddr_t first, uint32_t order);

void frame_zero(paddr_t frame);

uint64_t frame_total_count(void);
uint64_t frame_free_count(void);

#endif
