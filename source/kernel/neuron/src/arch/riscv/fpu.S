// SPDX-License-Identifier: Apache-2.0
// Moves the FPU's registers to and from a thread: the only code that names them. sstatus.FS is not Off.

#include "asm_offsets.h"

	.option	arch, +f, +d

#define SSTATUS_FS_LOW 0x2000

.macro FOR_EACH_REGISTER operation, base
	.irp	number, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, \
		22, 23, 24, 25, 26, 27, 28, 29, 30, 31
	\operation	f\number, (THREAD_FPU + 8 * \number)(\base)
	.endr
.endm

	.section .text.trap, "ax", @progbits

// tp = thread, return address in t1. Saves the registers and makes sstatus.FS Clean. Clobbers t0 only:
// it is called from the trap entry.
	.global arch_fpu_save
arch_fpu_save:
	FOR_EACH_REGISTER fsd, tp
	frcsr	t0
	sd	t0, THREAD_FCSR(tp)
	li	t0, SSTATUS_FS_LOW	// Dirty is 3, Clean is 2
	csrc	sstatus, t0
	jr	t1

// void arch_fpu_load(const struct arch_thread *thread). Leaves sstatus.FS Dirty.
	.section .text
	.global arch_fpu_load
arch_fpu_load:
	ld	t0, THREAD_FCSR(a0)
	fscsr	t0
	FOR_EACH_REGISTER fld, a0
	ret
