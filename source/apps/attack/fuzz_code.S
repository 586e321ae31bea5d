// SPDX-License-Identifier: Apache-2.0
// Entry of fuzzing threads, and code for the threads and processes that they make: position
// independent, without stack or data.
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
