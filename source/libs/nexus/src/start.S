// SPDX-License-Identifier: Apache-2.0
// The first instructions of a program and of each further thread: gp, then C.
//
// _start: a0 = address of the thread's message page, sp = top of its stack, tp = 0.
// nx_thread_entry: a0 = the thread's record, sp and tp as its creator set them.
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

    .globl nx_thread_entry
    .type nx_thread_entry, @function
nx_thread_entry:
    .option push
    .option norelax
    la      gp, __global_pointer$
    .option pop
    mv      fp, zero
    mv      ra, zero
    tail    nx_thread_main
    .size nx_thread_entry, . - nx_thread_entry
