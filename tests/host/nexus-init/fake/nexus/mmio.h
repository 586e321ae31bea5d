// SPDX-License-Identifier: Apache-2.0
// Stands in for the runtime's register accesses: the device model answers them.
#ifndef FAKE_NEXUS_MMIO_H
#define FAKE_NEXUS_MMIO_H

#include <stdint.h>

uint32_t nx_mmio_read32(const volatile void *window, uint32_t offset);
void nx_mmio_write32(volatile void *window, uint32_t offset, uint32_t value);

#endif
