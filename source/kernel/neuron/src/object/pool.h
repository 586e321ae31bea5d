// SPDX-License-Identifier: Apache-2.0
// Memory for kernel objects: frames cut into equal slots, one list of partly used frames per size.
//
// A frame starts with a struct pool_page; its slots follow. A frame whose last slot is freed goes
// back to the frame allocator, so that all memory returns. One lock of rank POOL.
#ifndef NEURON_POOL_H
#define NEURON_POOL_H

#include "core/types.h"

#define POOL_SIZE_MIN 64u // smaller requests take this much
#define POOL_SIZE_MAX 4032u

// Zeroed memory, 64-byte aligned; NULL when the machine is out of frames. size <= POOL_SIZE_MAX.
void *pool_alloc(size_t size);
void pool_free(void *memory);

// Frames that are cut into slots, and the bytes of the slots in use: for diagnosis.
extern _Atomic uint64_t pool_frames;
extern _Atomic uint64_t pool_bytes;

#endif
