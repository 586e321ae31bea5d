// SPDX-License-Identifier: Apache-2.0
// How a hart gets from the firmware to C: what boot.S and the C side share.
#ifndef ARCH_BOOT_H
#define ARCH_BOOT_H

#include "core/types.h"

struct hart;

// One per hart that may be started. A hart that enters the kernel finds itself here by its id.
// Lives in .data: a late hart may look before the boot hart has cleared .bss.
struct arch_boot_slot {
    uint64_t hart_id;
    struct hart *hart;
    uint64_t ready; // 1 from the moment the hart may enter: published last, with release order
};

extern struct arch_boot_slot arch_boot_slots[NX_HARTS_MAX];

// Entry points of boot.S, at their direct map addresses.
extern const char arch_secondary_entry[];
void arch_trap_entry(void);

// Tries to write stimecmp (to its largest value); false if that is an illegal instruction.
bool arch_probe_stimecmp(void);

// boot.S hands the boot hart over here, on hart 0's stack with the early table.
_Noreturn void arch_boot_enter(uint64_t hart_id, uint64_t devicetree);

#endif
