// SPDX-License-Identifier: Apache-2.0
// Moves the FPU's registers to and from a thread: the only code that names them. sstatus.FS is not Off.

#include "asm_offsets.h"

	.option	arch, +f, +d

#define SSTATUS_FS_LOW 0x2000

.macro FOR_EACH_REGISTER operation, base
	.set	number, 0
	.altmacro
	.rept	32
	ONE	\operation, %number, \base
	.set	number, number + 1
	.endr
	.noaltmacro
.endm

.macro ONE operation, number, base
	\operation	f\number, (THREAD_FPU + 8 * \number)(\base)
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
