// SPDX-License-Identifier: Apache-2.0
// A user program for the kernel's own tests: adds 1 to the word at a0, then exits its thread.
// Syscall number: NX_SYS_THREAD_EXIT, asserted in core/selftest.c.
    .section .rodata
    .balign 4
    .globl arch_selftest_program
arch_selftest_program:
    li t0, 1
    amoadd.w zero, t0, (a0)
    li a7, 29
    ecall
    .globl arch_selftest_program_end
arch_selftest_program_end:
