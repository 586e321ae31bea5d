// SPDX-License-Identifier: Apache-2.0
// Client of virtioblkd: facts about the disk, and reads that land in memory objects by DMA.
#ifndef NEXUS_BLOCK_H
#define NEXUS_BLOCK_H

#include "nexus/system.h"
#include <stdbool.h>

#define NX_BLOCK_SECTOR_BYTES     512u
#define NX_BLOCK_READ_SECTORS_MAX 256u // 128 KiB
#define NX_BLOCK_REASON_BYTES     96u

struct nx_block_facts {
    uint64_t sectors;
    uint32_t sector_size; // bytes
    bool read_only;
    uint32_t transport; // 1 legacy, 2 modern
    uint64_t features;  // as negotiated
    uint16_t queue_size;
    uint64_t mmio_base; // physical
    uint32_t interrupt_number;
    uint64_t requests;
    uint64_t completions;
    uint64_t errors;
    uint64_t resets;
    uint64_t timeouts;
    uint64_t interrupts;
    uint64_t bytes_copied; // payload bytes that the service copied
};

// NX_ERR_NOT_FOUND: there is no block device, or this program may not use it.
NX_MUST_CHECK enum nx_status nx_block_info(struct nx_block_facts *facts);

// Reads `count` sectors from `lba` to `offset` (bytes) of a memory object that the caller may write
// and transfer. On a refusal `reason`, unless NULL, holds NX_BLOCK_REASON_BYTES of text that names
// it, perhaps empty. A restart of the service on the way is waited for.
NX_MUST_CHECK enum nx_status nx_block_read(uint64_t lba, uint32_t count, nx_handle memory,
                                           uint64_t offset, char *reason);

#endif
