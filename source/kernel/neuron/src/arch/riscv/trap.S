// SPDX-License-Identifier: Apache-2.0
// Trap entry and return to user mode.
//
// sscratch is 0 while the kernel runs and the current struct thread while user code does; tp is the
// struct hart in the kernel. The kernel never uses gp, and t2..t6 are fixed registers in its C code
// (-ffixed-*), so a system call need neither save nor clear them.
//
// Where the instructions go is in docs/performance.md.

#include "asm_offsets.h"

#define ECALL_SIZE     4
#define ECALL_USER     8
#define SSTATUS_SPP    0x100
#define SSTATUS_FS_TO_SIGN 49 // brings the upper bit of FS, set when it is Clean or Dirty, into the sign

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

// All that the caller of a function would save but t0, which is in use already.
.macro SAVE_OTHERS
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

// After a switch these hold the kernel's or another thread's values.
.macro CLEAR_TEMPORARIES
	li	ra, 0
	li	t1, 0
	li	t2, 0
	li	t3, 0
	li	t4, 0
	li	t5, 0
	li	t6, 0
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

// What every system call but a light one does first: the frame then holds all that must survive a
// switch, and the C code may use every register but a0..a7. tp = hart, sp = its stack. frame.full is 0
// already, as always in user mode.
.macro ENTER_SYSCALL
	SAVE_CALLEE_SAVED
	csrr	t0, sepc
	addi	t0, t0, ECALL_SIZE
	SAVE	t0, FRAME_PC
	csrr	t0, sstatus
	slli	t0, t0, SSTATUS_FS_TO_SIGN
	bgez	t0, 9f			// the FPU is off
	jal	t1, arch_fpu_leave
9:	csrrw	t0, sscratch, zero
	SAVE	t0, FRAME_TP
	ld	tp, THREAD_HART(tp)
	ld	sp, HART_STACK_TOP(tp)
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
	li	t0, ARCH_SYS_CALL
	beq	a7, t0, fast_call
	li	t0, ARCH_SYS_REPLY_RECEIVE
	beq	a7, t0, fast_reply_receive
	beqz	a7, light_syscall	// ARCH_SYS_NULL
	li	t0, ARCH_SYS_INTERRUPT_ACK
	beq	a7, t0, light_syscall
	li	t0, ARCH_SYS_NOTIFICATION_SIGNAL
	beq	a7, t0, fast_signal
	li	t0, ARCH_SYS_THREAD_YIELD
	beq	a7, t0, fast_yield
	andi	t0, a7, ARCH_SYS_NUMBER_MASK
	addi	t0, t0, -ARCH_SYS_CALL
	beqz	t0, fast_call_with_page
	addi	t0, t0, ARCH_SYS_CALL - ARCH_SYS_REPLY_RECEIVE
	beqz	t0, fast_reply_receive_with_page

	ENTER_SYSCALL
	jal	kernel_syscall		// (a0..a7) -> a0 = thread to resume
	ld	t0, HART_SWITCHED(tp)
	bnez	t0, resume

	// The thread that trapped goes on and never left this hart: the C code has preserved s0..s11.
	LOAD	t0, FRAME_PC
	lw	t1, THREAD_FPU_ENABLED(a0)
	csrw	sepc, t0
	beqz	t1, 1f
	jal	arch_fpu_resume
1:	LOAD_RESULTS
	li	ra, 0
	li	t1, 0
	LEAVE

fast_call:
	ENTER_SYSCALL
	jal	fastpath_call		// (a0; a1..a6 stay) -> a0, only if it declines
	li	a7, ARCH_SYS_CALL
	j	declined

fast_reply_receive:
	ENTER_SYSCALL
	jal	fastpath_reply_receive
	li	a7, ARCH_SYS_REPLY_RECEIVE

	j	declined

fast_call_with_page:
	ENTER_SYSCALL
	sd	a7, HART_MESSAGE_INFO(tp)
	jal	fastpath_call_with_page
	ld	a7, HART_MESSAGE_INFO(tp)
	j	declined

fast_reply_receive_with_page:
	ENTER_SYSCALL
	sd	a7, HART_MESSAGE_INFO(tp)
	jal	fastpath_reply_receive_with_page
	ld	a7, HART_MESSAGE_INFO(tp)

	j	declined

fast_signal:
	ENTER_SYSCALL
	sd	a0, HART_ARGUMENTS(tp)
	sd	a1, (HART_ARGUMENTS + 8)(tp)
	jal	fastpath_signal
	ld	a0, HART_ARGUMENTS(tp)
	ld	a1, (HART_ARGUMENTS + 8)(tp)
	li	a7, ARCH_SYS_NOTIFICATION_SIGNAL
	j	declined

fast_yield:
	ENTER_SYSCALL
	sd	a0, HART_ARGUMENTS(tp)
	jal	fastpath_yield
	ld	a0, HART_ARGUMENTS(tp)
	li	a7, ARCH_SYS_THREAD_YIELD

// The fast path has used the registers of the thread that trapped, so those are reloaded in any case.
declined:
	jal	kernel_syscall
	j	resume

// (a0, number) -> a0 = status, for the same thread, whose kept registers the C code preserves.
light_syscall:
	SAVE	sp, FRAME_SP
	csrrw	t0, sscratch, zero
	SAVE	t0, FRAME_TP
	ld	tp, THREAD_HART(tp)
	ld	sp, HART_STACK_TOP(tp)
	mv	a1, a7
	jal	kernel_light_syscall
	csrr	t0, sepc
	addi	t0, t0, ECALL_SIZE
	csrw	sepc, t0
	ld	t0, HART_CURRENT(tp)
	csrw	sscratch, t0		// from here on a trap counts as the thread's
	ld	sp, (FRAME_SP * 8)(t0)
	ld	tp, (FRAME_TP * 8)(t0)
	li	ra, 0
	li	t0, 0
	li	t1, 0
	li	a1, 0
	li	a2, 0
	li	a3, 0
	li	a4, 0
	li	a5, 0
	li	a6, 0
	li	a7, 0
	sret

// From a fast path: a0 = thread to resume, a1..a6 and a7 = words and info of the message for
// it, t0 = badge, tp = hart.
// The thread waited in a system call, ran last on this hart, and its space is known here.
	.global arch_resume_with_message
arch_resume_with_message:
	LOAD	t1, FRAME_PC
	ld	t2, THREAD_SATP(a0)
	csrw	sepc, t1
	csrw	satp, t2
	lw	t1, THREAD_FPU_ENABLED(a0)
	beqz	t1, 1f
	jal	arch_fpu_resume
1:	LOAD_CALLEE_SAVED
	LOAD	sp, FRAME_SP
	LOAD	tp, FRAME_TP
	CLEAR_TEMPORARIES
	csrw	sscratch, a0
	li	a0, 0			// status
	sret

// Interrupt or fault in user mode. t0 = scause - 8; every other register is still the user's.
user_trap:
	SAVE_CALLEE_SAVED
	SAVE_OTHERS
	csrrw	t1, sscratch, zero
	SAVE	t1, FRAME_TP
	csrr	t1, sepc
	SAVE	t1, FRAME_PC
	li	t1, 1
	sd	t1, THREAD_FULL(tp)
	addi	a0, t0, ECALL_USER
	csrr	t0, sstatus
	slli	t0, t0, SSTATUS_FS_TO_SIGN
	bgez	t0, 1f
	jal	t1, arch_fpu_leave
1:	ld	tp, THREAD_HART(tp)
	ld	sp, HART_STACK_TOP(tp)
	bltz	a0, 2f
	csrr	a1, stval
	jal	kernel_fault		// (cause, value) -> a0 = thread to resume
	j	resume
2:	jal	kernel_interrupt	// () -> a0 = thread to resume

// a0 = thread, whose frame is of either kind. tp = hart.
	.global arch_resume_frame
arch_resume_frame:
resume:
	sd	zero, HART_SWITCHED(tp)
	LOAD	t0, FRAME_PC
	lw	t1, THREAD_FPU_ENABLED(a0)
	csrw	sepc, t0
	beqz	t1, 1f
	jal	arch_fpu_resume
1:	ld	t0, THREAD_FULL(a0)
	LOAD_CALLEE_SAVED
	bnez	t0, 1f
	LOAD_RESULTS
	CLEAR_TEMPORARIES
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
	SAVE_OTHERS
	SAVE	t0, FRAME_T0
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
