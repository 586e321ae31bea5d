// SPDX-License-Identifier: Apache-2.0
// Registers of the platform-level interrupt controller (RISC-V PLIC Specification 1.0.0, chapter
// 3).
#ifndef ARCH_PLIC_H
#define ARCH_PLIC_H

#include "core/types.h"

#define PLIC_PRIORITY_BASE  0x000000ul // 4 bytes a source
#define PLIC_ENABLE_BASE    0x002000ul // a bit a source
#define PLIC_ENABLE_STRIDE  0x000080ul // a context
#define PLIC_CONTEXT_BASE   0x200000ul
#define PLIC_CONTEXT_STRIDE 0x001000ul
#define PLIC_THRESHOLD      0x0ul // in a context's block
#define PLIC_CLAIM_COMPLETE 0x4ul
#define PLIC_PRIORITY_OFF   0u
#define PLIC_PRIORITY_ON    1u
#define PLIC_THRESHOLD_OPEN 0u
#define PLIC_THRESHOLD_SHUT 7u // at least every priority used here

// This hart's context takes, or does not take, interrupts of any enabled source.
void plic_hart_open(bool open);

#endif
