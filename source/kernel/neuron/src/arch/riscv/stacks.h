// SPDX-License-Identifier: Apache-2.0
// Kernel stacks: per hart a kernel stack and an emergency stack, each above an unmapped guard page.
#ifndef ARCH_STACKS_H
#define ARCH_STACKS_H

#include "asm_offsets.h"
#include "core/types.h"

// The emergency stack serves reports of traps taken in the kernel, when sp cannot be trusted.
struct hart_stacks {
    uint8_t emergency_guard[NX_PAGE_SIZE];
    uint8_t emergency[ARCH_EMERGENCY_SIZE];
    uint8_t guard[NX_PAGE_SIZE];
    uint8_t stack[ARCH_STACK_SIZE];
};

extern struct hart_stacks arch_stacks[NX_HARTS_MAX];

#endif
