// SPDX-License-Identifier: Apache-2.0
// Registers of a device in a window that is mapped into this process: one access each, never
// merged, split, repeated nor elided, in program order with each other.
#ifndef NEXUS_MMIO_H
#define NEXUS_MMIO_H

#include <stdint.h>

// `offset` in bytes from `window`, aligned to the register's size.
static inline uint32_t nx_mmio_read32(const volatile void *window, uint32_t offset)
{
    return *(const volatile uint32_t *)((const volatile uint8_t *)window + offset);
}

static inline void nx_mmio_write32(volatile void *window, uint32_t offset, uint32_t value)
{
    *(volatile uint32_t *)((volatile uint8_t *)window + offset) = value;
}

#endif
