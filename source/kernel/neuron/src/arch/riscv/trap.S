// SPDX-License-Identifier: Apache-2.0
// Trap entry and return to user mode.
//
// sscratch is 0 while the kernel runs and the current struct thread while user code does; tp is the
// struct hart in the kernel. The kernel never uses gp, and t2..t6 are fixed registers in its C code
// (-ffixed-*), so a system call need neither save nor clear them.
//
// Counts of the null system call's path are in docs/adr/0002-syscall-is-a-function-call.md.

#include "asm_offsets.h"

#define ECALL_USER     8
#define SSTATUS_SPP    0x100
#define SSTATUS_FS_LOW 0x2000

.macro SAVE reg, slot
	sd	\reg, (\slot * 8)(tp)
.endm

.macro LOAD reg, slot
	ld	\reg, (\slot * 8)(a0)
.endm

.macro SAVE_CALLEE_SAVED
	SAVE	s0, FRAME_S0
	SAVE	s1, FRAME_S1
	SAVE	s2, FRAME_S2
	SAVE	s3, FRAME_S3
	SAVE	s4, FRAME_S4
	SAVE	s5, FRAME_S5
	SAVE	s6, FRAME_S6
	SAVE	s7, FRAME_S7
	SAVE	s8, FRAME_S8
	SAVE	s9, FRAME_S9
	SAVE	s10, FRAME_S10
	SAVE	s11, FRAME_S11
	SAVE	sp, FRAME_SP
	SAVE	gp, FRAME_GP
.endm

.macro LOAD_CALLEE_SAVED
	LOAD	s0, FRAME_S0
	LOAD	s1, FRAME_S1
	LOAD	s2, FRAME_S2
	LOAD	s3, FRAME_S3
	LOAD	s4, FRAME_S4
	LOAD	s5, FRAME_S5
	LOAD	s6, FRAME_S6
	LOAD	s7, FRAME_S7
	LOAD	s8, FRAME_S8
	LOAD	s9, FRAME_S9
	LOAD	s10, FRAME_S10
	LOAD	s11, FRAME_S11
	LOAD	gp, FRAME_GP
.endm

// Result registers and the user's stack and thread pointers; after it tp is the user's.
.macro LOAD_RESULTS
	LOAD	a1, FRAME_A1
	LOAD	a2, FRAME_A2
	LOAD	a3, FRAME_A3
	LOAD	a4, FRAME_A4
	LOAD	a5, FRAME_A5
	LOAD	a6, FRAME_A6
	LOAD	a7, FRAME_A7
	LOAD	t0, FRAME_T0
	LOAD	sp, FRAME_SP
	LOAD	tp, FRAME_TP
.endm

// The last two steps before sret: from the write to sscratch on, a trap counts as the thread's.
.macro LEAVE
	csrw	sscratch, a0
	LOAD	a0, FRAME_A0
	sret
.endm

	.section .text.trap, "ax", @progbits
	.balign 64
	.global arch_trap_entry
arch_trap_entry:
	csrrw	tp, sscratch, tp
	beqz	tp, kernel_trap
	SAVE	t0, FRAME_T0
	csrr	t0, scause
	addi	t0, t0, -ECALL_USER
	bnez	t0, user_trap

	// System call: frame.full is 0 already, as always in user mode.
	SAVE_CALLEE_SAVED
	csrr	t0, sstatus
	bltz	t0, 2f			// SD: the FPU's registers are dirty
1:	csrrw	t0, sscratch, zero
	SAVE	t0, FRAME_TP
	csrr	t0, sepc
	addi	t0, t0, 4		// past the ecall
	SAVE	t0, FRAME_PC
	ld	tp, THREAD_HART(tp)
	ld	sp, HART_STACK_TOP(tp)
	jal	kernel_syscall		// (a0..a7) -> a0 = thread to resume
	ld	t0, HART_SWITCHED(tp)
	bnez	t0, resume

	// The thread that trapped goes on and never left this hart: the C code has preserved s0..s11.
	LOAD	t0, FRAME_PC
	csrw	sepc, t0
	LOAD_RESULTS
	li	ra, 0
	li	t1, 0
	LEAVE

2:	jal	t1, arch_fpu_save
	j	1b

// Interrupt or fault in user mode. t0 = scause - 8; every other register is still the user's.
user_trap:
	SAVE_CALLEE_SAVED
	SAVE	ra, FRAME_RA
	SAVE	t1, FRAME_T1
	SAVE	t2, FRAME_T2
	SAVE	a0, FRAME_A0
	SAVE	a1, FRAME_A1
	SAVE	a2, FRAME_A2
	SAVE	a3, FRAME_A3
	SAVE	a4, FRAME_A4
	SAVE	a5, FRAME_A5
	SAVE	a6, FRAME_A6
	SAVE	a7, FRAME_A7
	SAVE	t3, FRAME_T3
	SAVE	t4, FRAME_T4
	SAVE	t5, FRAME_T5
	SAVE	t6, FRAME_T6
	csrrw	t1, sscratch, zero
	SAVE	t1, FRAME_TP
	csrr	t1, sepc
	SAVE	t1, FRAME_PC
	li	t1, 1
	sd	t1, THREAD_FULL(tp)
	addi	a0, t0, ECALL_USER
	csrr	t0, sstatus
	bgez	t0, 1f
	jal	t1, arch_fpu_save
1:	ld	tp, THREAD_HART(tp)
	ld	sp, HART_STACK_TOP(tp)
	bltz	a0, 2f
	csrr	a1, stval
	jal	kernel_fault		// (cause, value) -> a0 = thread to resume
	j	resume
2:	jal	kernel_interrupt	// () -> a0 = thread to resume

// a0 = thread, whose frame is of either kind. tp = hart.
resume:
	sd	zero, HART_SWITCHED(tp)
	LOAD	t0, FRAME_PC
	csrw	sepc, t0
	ld	t0, THREAD_FULL(a0)
	LOAD_CALLEE_SAVED
	bnez	t0, 1f
	LOAD_RESULTS
	li	ra, 0			// these hold the kernel's or another thread's values
	li	t1, 0
	li	t2, 0
	li	t3, 0
	li	t4, 0
	li	t5, 0
	li	t6, 0
	LEAVE

	// A full frame. The store-conditional gives up a reservation that another thread has taken, so
	// that this thread's own cannot succeed by it.
1:	addi	t0, a0, THREAD_FULL
	sc.d	zero, zero, (t0)
	sd	zero, THREAD_FULL(a0)
	LOAD_RESULTS
	LOAD	ra, FRAME_RA
	LOAD	t1, FRAME_T1
	LOAD	t2, FRAME_T2
	LOAD	t3, FRAME_T3
	LOAD	t4, FRAME_T4
	LOAD	t5, FRAME_T5
	LOAD	t6, FRAME_T6
	LEAVE

// _Noreturn void arch_resume(struct thread *thread): what traps in the kernel itself (boot) may have
// left in sstatus.SPP must not decide the mode.
	.global arch_resume
arch_resume:
	li	t0, SSTATUS_SPP
	csrc	sstatus, t0
	j	resume

// A trap while the kernel ran: always a bug. tp = 0, sscratch = the interrupted tp, which is the hart.
// Nothing is stored through sp: the registers go into the hart, the report runs on the emergency
// stack.
kernel_trap:
	csrrw	tp, sscratch, tp
	beqz	tp, 1f			// so early that there is no hart yet
	addi	tp, tp, HART_TRAP
	SAVE_CALLEE_SAVED
	SAVE	ra, FRAME_RA
	SAVE	t0, FRAME_T0
	SAVE	t1, FRAME_T1
	SAVE	t2, FRAME_T2
	SAVE	a0, FRAME_A0
	SAVE	a1, FRAME_A1
	SAVE	a2, FRAME_A2
	SAVE	a3, FRAME_A3
	SAVE	a4, FRAME_A4
	SAVE	a5, FRAME_A5
	SAVE	a6, FRAME_A6
	SAVE	a7, FRAME_A7
	SAVE	t3, FRAME_T3
	SAVE	t4, FRAME_T4
	SAVE	t5, FRAME_T5
	SAVE	t6, FRAME_T6
	csrr	t0, sepc
	SAVE	t0, FRAME_PC
	csrr	t0, scause
	sd	t0, TRAP_CAUSE(tp)
	csrr	t0, stval
	sd	t0, TRAP_VALUE(tp)
	csrr	t0, sstatus
	sd	t0, TRAP_STATUS(tp)
	addi	t0, tp, -HART_TRAP
	SAVE	t0, FRAME_TP
	mv	tp, t0
	ld	a1, HART_TRAP_DEPTH(tp)
	addi	t0, a1, 1
	sd	t0, HART_TRAP_DEPTH(tp)
	ld	sp, HART_EMERGENCY_TOP(tp)
	mv	a0, tp
	li	s0, 0
	li	ra, 0
	call	arch_kernel_trap	// (hart, depth), does not return
1:	wfi
	j	1b
