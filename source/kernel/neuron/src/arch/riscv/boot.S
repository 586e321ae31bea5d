// SPDX-License-Identifier: Apache-2.0
// Entry from the firmware: the boot hart, harts started through the SBI's HSM, and harts that the
// firmware releases at the wrong one of the two.
//
// Both entries run with translation off and interrupts off, so addresses taken here are physical
// until enable_translation. Register contract of both (SBI 3.1, 9.1): a0 = hart id, a1 = argument.

#include "asm_offsets.h"

#define SATP_SV39 (8 << 60)

// sstatus bits that must be clear whatever the firmware left: SIE, SPIE, SPP, VS, FS, SUM, MXR.
#define SSTATUS_CLEAR 0xc6722

#define SIP_SSIP 2

// Leaf of the early table: valid, readable, writable, executable, global, accessed, dirty.
#define EARLY_LEAF 0xef

	.section .text.boot, "ax", @progbits

// First byte of the image. a1 = device tree (physical). The first hart here boots the kernel; a later
// one was released at the wrong entry by firmware that raced with hart_start, and a1 means nothing.
	.global _start
_start:
	call	quiet
	la	t0, boot_record
	li	t1, 1
	amoswap.w.aqrl t1, t1, (t0)
	bnez	t1, late_entry

	la	t0, __bss_start
	la	t1, __bss_end
1:	sd	zero, 0(t0)		// both are aligned to 64 bytes
	sd	zero, 8(t0)
	sd	zero, 16(t0)
	sd	zero, 24(t0)
	sd	zero, 32(t0)
	sd	zero, 40(t0)
	sd	zero, 48(t0)
	sd	zero, 56(t0)
	addi	t0, t0, 64
	bltu	t0, t1, 1b

	la	t0, early_table
	srli	t0, t0, 12
	li	t1, SATP_SV39
	or	t0, t0, t1
	call	enable_translation

	la	tp, harts
	la	sp, arch_stacks + STACKS_SIZE
	li	s0, 0			// backtraces end here
	li	ra, 0
	call	arch_boot_enter		// (hart id, device tree), does not return

// Where HSM starts a hart. a1 = its struct hart, as passed to hart_start.
	.global arch_secondary_entry
arch_secondary_entry:
	call	quiet
	call	find_slot
	beqz	a2, park
	ld	t0, SLOT_READY(a2)
	beqz	t0, park
	fence	r, rw			// pairs with the release of `ready` in arch_hart_start
	ld	t0, SLOT_HART(a2)
	bne	t0, a1, park
	j	enter_hart

// The boot record is taken: wait until the boot hart wants this hart, which it says by an IPI, because
// its hart_start finds the hart already started.
late_entry:
	csrw	sie, SIP_SSIP		// lets wfi return; sstatus.SIE stays clear, so nothing traps
1:	call	find_slot
	beqz	a2, 2f
	ld	t0, SLOT_READY(a2)
	bnez	t0, 3f
2:	wfi
	csrc	sip, SIP_SSIP
	fence	iorw, iorw
	j	1b
3:	fence	r, rw
	csrw	sie, zero

// a2 = the hart's slot, published.
enter_hart:
	ld	s1, SLOT_HART(a2)
	la	t0, arch_kernel_satp
	ld	t0, 0(t0)
	fence.i				// code loaded or changed since this hart last ran
	call	enable_translation
	mv	tp, s1
	ld	sp, HART_STACK_TOP(tp)
	mv	a0, s1
	li	s0, 0
	li	ra, 0
	call	kernel_secondary	// (hart), does not return

// Nothing can be done for a hart that nobody expects.
park:
	wfi
	j	park

// Defines the state that the firmware may have left behind. Clobbers t0.
quiet:
	csrw	sie, zero
	li	t0, SSTATUS_CLEAR
	csrc	sstatus, t0
	ret

// a0 = hart id -> a2 = its slot (physical), or 0. Clobbers t0..t2.
find_slot:
	la	a2, arch_boot_slots
	addi	t1, a2, SLOT_COUNT * SLOT_SIZE
1:	ld	t0, SLOT_HART(a2)
	beqz	t0, 2f
	ld	t0, SLOT_HART_ID(a2)
	beq	t0, a0, 3f
2:	addi	a2, a2, SLOT_SIZE
	bltu	a2, t1, 1b
	li	a2, 0
3:	ret

// t0 = satp. Returns with translation on, at direct map addresses, and the kernel's trap vector set.
// The fetch after the write to satp faults, because the table does not map physical addresses to
// themselves; the fault goes to the direct map address of the next line. Clobbers t1, t2.
enable_translation:
	li	t2, ARCH_DIRECT_MAP_OFFSET
	la	t1, 1f
	add	t1, t1, t2
	csrw	stvec, t1
	sfence.vma
	csrw	satp, t0
	.balign 4
1:	sfence.vma
	la	t1, arch_trap_entry
	csrw	stvec, t1
	csrw	sscratch, zero		// traps come from the kernel until a thread is resumed
	add	ra, ra, t2
	ret

// bool arch_probe_stimecmp(void): writes all ones to stimecmp under a vector of its own.
	.section .text
	.global arch_probe_stimecmp
	.balign 4
arch_probe_stimecmp:
	la	t0, 1f
	csrrw	t0, stvec, t0
	li	a0, -1
	csrw	0x14d, a0
	li	a0, 1
	j	2f
	.balign 4
1:	li	a0, 0
2:	csrw	stvec, t0
	ret

	.section .data
	.balign 4
boot_record:
	.word	0

// Root table until arch_kernel_table_build: the first 256 GiB of physical memory at the direct map,
// in 1 GiB leaves. Read only by the boot hart's translation.
	.section .rodata
	.balign 4096
early_table:
	.fill	256, 8, 0
	.set	.Lgigabyte, 0
	.rept	256
	.quad	(.Lgigabyte << 28) | EARLY_LEAF
	.set	.Lgigabyte, .Lgigabyte + 1
	.endr
