// SPDX-License-Identifier: Apache-2.0
// The first instruction of a program.
//
// On entry: a0 = address of the thread's message page, sp = top of its stack, tp = 0.
    .section .text.start, "ax"
    .globl _start
    .type _start, @function
_start:
    .option push
    .option norelax             // gp cannot be used to load gp
    la      gp, __global_pointer$
    .option pop
    mv      fp, zero            // ends backtraces
    mv      ra, zero
    tail    nx_program_start
    .size _start, . - _start
