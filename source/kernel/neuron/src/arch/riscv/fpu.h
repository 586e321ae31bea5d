// SPDX-License-Identifier: Apache-2.0
// The FPU's registers on this hart.
#ifndef ARCH_FPU_H
#define ARCH_FPU_H

// Each hart when it comes online: off, and nobody's, since a stopped hart keeps no registers.
void fpu_hart_online(void);

#endif
