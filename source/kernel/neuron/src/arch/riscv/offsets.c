// SPDX-License-Identifier: Apache-2.0
// Proofs of the offsets that assembly uses.
#include "arch/arch.h"
#include "asm_offsets.h"
#include "boot.h"
#include "core/hart.h"
#include "nexus/message.h"
#include "nexus/syscall.h"
#include "stacks.h"

#define PROVE(structure, member, offset)                                                           \
    _Static_assert(offsetof(struct structure, member) == (offset), "asm_offsets.h: " #offset)

PROVE(arch_thread, frame.x, 0);
PROVE(arch_thread, frame.full, THREAD_FULL);
PROVE(arch_thread, hart, THREAD_HART);
PROVE(arch_thread, fpu, THREAD_FPU);
PROVE(arch_thread, fcsr, THREAD_FCSR);
PROVE(arch_thread, satp, THREAD_SATP);
PROVE(arch_thread, fpu_hart, THREAD_FPU_HART);
PROVE(arch_thread, fpu_enabled, THREAD_FPU_ENABLED);

PROVE(arch_hart, stack_top, HART_STACK_TOP);
PROVE(arch_hart, switched, HART_SWITCHED);
PROVE(arch_hart, emergency_top, HART_EMERGENCY_TOP);
PROVE(arch_hart, trap_depth, HART_TRAP_DEPTH);
PROVE(arch_hart, trap.x, HART_TRAP);
PROVE(arch_hart, fpu_owner, HART_FPU_OWNER);
PROVE(arch_hart, message_info, HART_MESSAGE_INFO);
PROVE(arch_hart, arguments, HART_ARGUMENTS);
PROVE(hart, current, HART_CURRENT);
PROVE(trap_report, cause, TRAP_CAUSE);
PROVE(trap_report, value, TRAP_VALUE);
PROVE(trap_report, status, TRAP_STATUS);

PROVE(arch_boot_slot, hart_id, SLOT_HART_ID);
PROVE(arch_boot_slot, hart, SLOT_HART);
PROVE(arch_boot_slot, ready, SLOT_READY);
_Static_assert(sizeof(struct arch_boot_slot) == SLOT_SIZE, "boot.S steps by SLOT_SIZE");
_Static_assert(NX_HARTS_MAX == SLOT_COUNT, "boot.S searches SLOT_COUNT slots");
_Static_assert(sizeof(struct hart_stacks) == STACKS_SIZE, "boot.S finds the first stack's end");

// Assembly saves and restores by slot number times eight, and results must be where a full restore
// finds the same registers.
_Static_assert(sizeof(((struct trap_frame *)0)->x) == FRAME_SLOTS * 8, "slots are 8 bytes");
_Static_assert(ARCH_SYS_CALL == NX_SYS_CALL && ARCH_SYS_REPLY_RECEIVE == NX_SYS_REPLY_RECEIVE &&
                   ARCH_SYS_NUMBER_MASK == NX_INFO_NUMBER_MASK && ARCH_SYS_NULL == NX_SYS_NULL &&
                   ARCH_SYS_INTERRUPT_ACK == NX_SYS_INTERRUPT_ACK &&
                   ARCH_SYS_NOTIFICATION_SIGNAL == NX_SYS_NOTIFICATION_SIGNAL &&
                   ARCH_SYS_THREAD_YIELD == NX_SYS_THREAD_YIELD,
               "trap.S dispatches these");
_Static_assert(FRAME_A7 == FRAME_A0 + 7, "arguments are consecutive");
