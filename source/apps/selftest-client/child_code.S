// SPDX-License-Identifier: Apache-2.0
// Code of the hand-made child processes: position independent, copied into a page of its own.
// Each snippet starts with its argument in a0; child.h says what it does.
#define NX_SYS_RECEIVE       2
#define NX_SYS_REPLY_RECEIVE 4
#define NX_SYS_PROCESS_EXIT  26
#define EXIT_STATUS          7

    .section .rodata.child_code, "a"
    .option norelax
    .balign 8
    .globl child_code_start, child_count, child_store, child_load, child_jump, child_overflow, child_privileged
    .globl child_store_word, child_load_word, child_receive, child_echo, child_code_end
child_code_start:

child_store:
    sd      a0, 0(a0)
    j       leave

child_store_word:
    sw      a0, 0(a0)
    j       leave

child_load_word:
    lw      a0, 0(a0)
    j       leave

child_count:
    ld      a1, 0(a0)
    addi    a1, a1, 1
    sd      a1, 0(a0)
    j       child_count

child_load:
    ld      a0, 0(a0)
    j       leave

child_jump:
    jr      a0

child_overflow:
    addi    sp, sp, -16
    sd      a0, 0(sp)
    j       child_overflow

// The argument says which; eight bytes each.
child_privileged:
    .option push
    .option norvc
    la      t0, 1f
    slli    a0, a0, 3
    add     t0, t0, a0
    jr      t0
.macro PRIVILEGED instruction:vararg
    \instruction
    j       leave
.endm
1:  PRIVILEGED csrr a0, sstatus
    PRIVILEGED csrw satp, zero
    PRIVILEGED csrw sie, zero
    PRIVILEGED csrw sip, zero           // interrupts of this hart
    PRIVILEGED csrw stvec, zero
    PRIVILEGED csrw 0x14d, zero         // stimecmp: this hart's timer
    PRIVILEGED csrr a0, mhartid
    PRIVILEGED csrw medeleg, zero
    PRIVILEGED sret
    PRIVILEGED mret
    PRIVILEGED sfence.vma
    PRIVILEGED wfi
    .option pop

child_receive:
    li      a1, -1              // no deadline
    li      a7, NX_SYS_RECEIVE
    ecall
leave:
    li      a0, EXIT_STATUS
    li      a7, NX_SYS_PROCESS_EXIT
    ecall

child_echo:
    mv      s0, a0              // the endpoint
    li      a1, -1
    li      a7, NX_SYS_RECEIVE
    ecall
1:  mv      a0, s0              // the words are still in a1..a6
    li      a7, NX_SYS_REPLY_RECEIVE
    ecall
    beqz    a0, 1b
    j       leave               // the last caller has gone

    .balign 8
child_code_end:
