# SPDX-License-Identifier: Apache-2.0
# Entry of the polling reader: OpenSBI jumps here in S-mode, on one hart, without translation.
    .section .text.start
    .globl _start
_start:
    la   sp, stack_top
    call main
1:  wfi
    j    1b

    .bss
    .balign 16
    .skip 16384
stack_top:
