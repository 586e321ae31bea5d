// SPDX-License-Identifier: Apache-2.0
// Moves the FPU's registers to and from a thread: the only code that names them.

#include "asm_offsets.h"

	.option	arch, +f, +d

#define SSTATUS_FS       0x6000
#define SSTATUS_FS_CLEAN 0x4000
#define SSTATUS_FS_LOW   0x2000

.macro FOR_EACH_REGISTER operation, base
	.irp	number, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, \
		22, 23, 24, 25, 26, 27, 28, 29, 30, 31
	\operation	f\number, (THREAD_FPU + 8 * \number)(\base)
	.endr
.endm

	.section .text.trap, "ax", @progbits

// tp = thread, return address in t1. Saves the registers if they are dirty, and turns the FPU off.
// Clobbers t0 only: it is called from the trap entry.
	.global arch_fpu_leave
arch_fpu_leave:
	csrr	t0, sstatus
	bgez	t0, 1f			// SD: dirty
	FOR_EACH_REGISTER fsd, tp
	frcsr	t0
	sd	t0, THREAD_FCSR(tp)
1:	li	t0, SSTATUS_FS
	csrc	sstatus, t0
	jr	t1

// a0 = thread that uses the FPU, tp = hart, return address in ra. Clobbers t1 only: it is called on the
// way out, when results may be in their registers.
//
// That the hart loaded the thread's registers last proves nothing by itself: the thread may have run
// elsewhere since, or be a new one at the same address.
	.global arch_fpu_resume
arch_fpu_resume:
	li	t1, SSTATUS_FS_CLEAN
	csrs	sstatus, t1
	ld	t1, HART_FPU_OWNER(tp)
	bne	t1, a0, 1f
	ld	t1, THREAD_FPU_HART(a0)
	beq	t1, tp, 2f
1:	ld	t1, THREAD_FCSR(a0)
	fscsr	t1
	FOR_EACH_REGISTER fld, a0
	sd	a0, HART_FPU_OWNER(tp)
	sd	tp, THREAD_FPU_HART(a0)
	li	t1, SSTATUS_FS_LOW	// the loads made it Dirty
	csrc	sstatus, t1
2:	ret
