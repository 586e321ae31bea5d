// SPDX-License-Identifier: Apache-2.0
// Entry of fuzzing threads, a call that watches its registers, and code for the threads and
// processes that fuzzing threads make: position independent, without stack or data.
#define NX_SYS_PROCESS_EXIT 26
#define NX_SYS_THREAD_EXIT  29
#define NX_SYS_LOG_BIND     40
#define CALLS               64 // that fuzz_code_calls makes
#define NUMBER_MASK         63

    .section .text.fuzz_thread_entry, "ax"
    .globl fuzz_thread_entry
fuzz_thread_entry:
    .option push
    .option norelax             // gp cannot be used to load gp
    la      gp, __global_pointer$
    .option pop
    mv      fp, zero
    mv      ra, zero
    tail    fuzz_thread_run

// Saved registers of fuzz_kept_call, below its caller's sp.
#define KEPT_GP      0
#define KEPT_TP      8
#define KEPT_RA      16
#define KEPT_PATTERN 24
#define KEPT_S0      32
#define KEPT_BYTES   128             // with s0 to s11

// Does \operation with s0 to s11, one after the other, and the place where each is saved.
.macro SAVED_REGISTERS operation
    .set    kept_at, KEPT_S0
    .irp    register, s0, s1, s2, s3, s4, s5, s6, s7, s8, s9, s10, s11
    \operation \register, kept_at(sp)
    .set    kept_at, kept_at + 8
    .endr
.endm

// t2 becomes other than 0 when the two registers differ. Destroys t1.
.macro COMPARE one, other
    xor     t1, \one, \other
    or      t2, t2, t1
.endm

// a0 = number, a1 = the seven arguments, a2 = pattern. During the call s0 to s10 hold pattern,
// pattern + 1, ..., and s11 a copy of sp.
    .section .text.fuzz_kept_call, "ax"
    .globl fuzz_kept_call
fuzz_kept_call:
    addi    sp, sp, -KEPT_BYTES
    SAVED_REGISTERS sd
    sd      gp, KEPT_GP(sp)
    sd      tp, KEPT_TP(sp)
    sd      ra, KEPT_RA(sp)         // calls do not keep it
    sd      a2, KEPT_PATTERN(sp)
    .irp    register, s0, s1, s2, s3, s4, s5, s6, s7, s8, s9, s10
    mv      \register, a2
    addi    a2, a2, 1
    .endr
    mv      s11, sp
    mv      a7, a0
    mv      t0, a1
    ld      a0, 0(t0)
    ld      a1, 8(t0)
    ld      a2, 16(t0)
    ld      a3, 24(t0)
    ld      a4, 32(t0)
    ld      a5, 40(t0)
    ld      a6, 48(t0)
    ecall
    mv      t2, zero
    COMPARE sp, s11
    mv      sp, s11             // both are wrong only if two registers are
    ld      t0, KEPT_PATTERN(sp)
    .irp    register, s0, s1, s2, s3, s4, s5, s6, s7, s8, s9, s10
    COMPARE \register, t0
    addi    t0, t0, 1
    .endr
    ld      t0, KEPT_GP(sp)
    COMPARE gp, t0
    mv      gp, t0
    ld      t0, KEPT_TP(sp)
    COMPARE tp, t0
    mv      tp, t0
    beqz    t2, 1f
    li      a0, -1
1:  ld      ra, KEPT_RA(sp)
    SAVED_REGISTERS ld
    addi    sp, sp, KEPT_BYTES
    ret

    .section .rodata.fuzz_code, "a"
    .option norelax
    .balign 8
    .globl fuzz_code_start, fuzz_code_calls, fuzz_code_leave, fuzz_code_end
fuzz_code_start:

// The next number of the series in s0 (xorshift64), shifted right by \shift, to \register.
.macro DRAW register, shift
    slli    s1, s0, 13
    xor     s0, s0, s1
    srli    s1, s0, 7
    xor     s0, s0, s1
    slli    s1, s0, 17
    xor     s0, s0, s1
    srli    \register, s0, \shift
.endm

fuzz_code_calls:
    addi    s0, a0, 1
    li      s2, CALLS
1:  DRAW    a0, 46              // a few bits: now and then a handle
    DRAW    a1, 40
    DRAW    a2, 52
    DRAW    a3, 12
    DRAW    a4, 45
    DRAW    a5, 60
    DRAW    a6, 0
    DRAW    a7, 50
    andi    a7, a7, NUMBER_MASK
    addi    s1, a7, -NX_SYS_PROCESS_EXIT
    beqz    s1, 2f              // the process has other threads
    addi    s1, a7, -NX_SYS_LOG_BIND
    beqz    s1, 2f              // it would take the log from its reader
    ecall
2:  addi    s2, s2, -1
    bnez    s2, 1b

fuzz_code_leave:
    li      a7, NX_SYS_THREAD_EXIT
    ecall

    .balign 8
fuzz_code_end:
