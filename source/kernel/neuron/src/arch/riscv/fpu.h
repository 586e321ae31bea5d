// SPDX-License-Identifier: Apache-2.0
// The FPU's registers on this hart.
#ifndef ARCH_FPU_H
#define ARCH_FPU_H

struct arch_thread;

// Loads the thread's registers; sstatus.FS must not be Off and is Dirty afterwards.
void arch_fpu_load(const struct arch_thread *thread);

// Each hart when it comes online: off, and nobody's, since a stopped hart keeps no registers.
void fpu_hart_online(void);

#endif
