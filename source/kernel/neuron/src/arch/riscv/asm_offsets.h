// SPDX-License-Identifier: Apache-2.0
// Numbers that assembly and C share: register slots of a trap frame, offsets into arch structures
// and stack sizes. Read by .S files too, so there is nothing but #define here; offsets.c proves
// each offset with offsetof.
#ifndef ARCH_ASM_OFFSETS_H
#define ARCH_ASM_OFFSETS_H

// Slots of struct trap_frame.x: the number of the register; x0 has nothing to save, so its slot
// holds the pc.
#define FRAME_PC  0
#define FRAME_RA  1
#define FRAME_SP  2
#define FRAME_GP  3
#define FRAME_TP  4
#define FRAME_T0  5
#define FRAME_T1  6
#define FRAME_T2  7
#define FRAME_S0  8
#define FRAME_S1  9
#define FRAME_A0  10
#define FRAME_A1  11
#define FRAME_A2  12
#define FRAME_A3  13
#define FRAME_A4  14
#define FRAME_A5  15
#define FRAME_A6  16
#define FRAME_A7  17
#define FRAME_S2  18
#define FRAME_S3  19
#define FRAME_S4  20
#define FRAME_S5  21
#define FRAME_S6  22
#define FRAME_S7  23
#define FRAME_S8  24
#define FRAME_S9  25
#define FRAME_S10 26
#define FRAME_S11 27
#define FRAME_T3  28
#define FRAME_T4  29
#define FRAME_T5  30
#define FRAME_T6  31

#define FRAME_SLOTS 32

// struct arch_thread
#define THREAD_FULL        256
#define THREAD_HART        264
#define THREAD_FPU         272
#define THREAD_FCSR        528
#define THREAD_SATP        536
#define THREAD_FPU_HART    544
#define THREAD_FPU_ENABLED 552

// struct arch_hart
#define HART_STACK_TOP     0
#define HART_SWITCHED      8
#define HART_EMERGENCY_TOP 16
#define HART_TRAP_DEPTH    24
#define HART_TRAP          32 // struct trap_report: 32 slots as in a frame, then
#define TRAP_CAUSE         256
#define TRAP_VALUE         264
#define TRAP_STATUS        272
#define HART_FPU_OWNER     320
#define HART_MESSAGE_INFO  328
#define HART_ARGUMENTS     336
#define HART_CURRENT       360 // of struct hart itself

// System calls that the trap entry knows
#define ARCH_SYS_CALL                1
#define ARCH_SYS_REPLY_RECEIVE       4
#define ARCH_SYS_NUMBER_MASK         0xff
#define ARCH_SYS_NULL                0
#define ARCH_SYS_INTERRUPT_ACK       34
#define ARCH_SYS_NOTIFICATION_SIGNAL 8
#define ARCH_SYS_THREAD_YIELD        31

// struct arch_boot_slot
#define SLOT_HART_ID 0
#define SLOT_HART    8
#define SLOT_READY   16
#define SLOT_SIZE    24
#define SLOT_COUNT   4

// struct hart_stacks: guard page, emergency stack, guard page, kernel stack
#define STACKS_SIZE (4096 + ARCH_EMERGENCY_SIZE + 4096 + ARCH_STACK_SIZE)

#define ARCH_STACK_SIZE     16384
#define ARCH_EMERGENCY_SIZE 4096

// Every physical address appears in the kernel at this offset: RAM, the kernel image, registers.
#define ARCH_DIRECT_MAP_OFFSET 0xffffffc000000000

#endif
