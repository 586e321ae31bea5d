// SPDX-License-Identifier: Apache-2.0
// User threads: first registers, system calls that run again, faults, and who owns the FPU.
//
// FPU life of a thread: off; its first FPU instruction faults and arch_fpu_enable turns it on for
// good. A trap saves dirty registers before anyone else can see the thread, and turns the FPU off:
// the kernel runs without. On the way back to a thread that uses it, it goes on again, and
// registers are loaded unless this hart still holds them (fpu.S). A light system call leaves all
// that alone.
#include "arch_inline.h"
#include "core/hart.h"
#include "fpu.h"
#include <string.h>

void arch_thread_init(struct thread *thread, vaddr_t entry, uint64_t stack, uint64_t argument,
                      uint64_t thread_pointer)
{
    struct arch_thread *arch = arch_thread_of(thread);

#pragma GCC unroll 64
    for (unsigned i = 0; i < FRAME_SLOTS; i++)
        arch->frame.x[i] = 0;
    if (arch->fpu_enabled != 0) {
        memset(arch->fpu, 0, sizeof(arch->fpu));
        arch->fcsr = 0;
        arch->fpu_enabled = 0;
    }
    arch->frame.x[FRAME_PC] = entry.value;
    arch->frame.x[FRAME_SP] = stack;
    arch->frame.x[FRAME_TP] = thread_pointer;
    arch->frame.x[FRAME_A0] = argument;
    arch->frame.full = 1;
}

#define ECALL_SIZE 4

void arch_restart_syscall(struct thread *thread, const uint64_t arguments[8])
{
    struct trap_frame *frame = &arch_thread_of(thread)->frame;

    for (unsigned i = 0; i < 8; i++)
        frame->x[FRAME_A0 + i] = arguments[i];
    frame->x[FRAME_PC] -= ECALL_SIZE;
}

// --- FPU -----------------------------------------------------------------------------------------

void fpu_hart_online(void)
{
    struct hart *self = arch_hart_self();

    csr_clear(sstatus, SSTATUS_FS);
    self->arch.fpu_owner = NULL;
}

void arch_fpu_enable(struct thread *thread)
{
    arch_thread_of(thread)->fpu_enabled = 1;
    arch_thread_of(thread)->fpu_hart = NULL;
}

void arch_thread_forget_fpu(struct thread *thread)
{
    arch_thread_of(thread)->fpu_hart = NULL;
}

// --- Faults --------------------------------------------------------------------------------------

// Opcodes (unprivileged specification, chapter 24) of instructions that need the FPU.
#define OPCODE_MASK     0x7fu
#define OPCODE_LOAD_FP  0x07u
#define OPCODE_STORE_FP 0x27u
#define OPCODE_MADD     0x43u
#define OPCODE_MSUB     0x47u
#define OPCODE_NMSUB    0x4bu
#define OPCODE_NMADD    0x4fu
#define OPCODE_OP_FP    0x53u
#define OPCODE_SYSTEM   0x73u

#define CSR_FCSR 3u // fflags, frm and fcsr are CSRs 1 to 3

static bool is_compressed_fpu(uint32_t instruction)
{
    const uint32_t quadrant = instruction & 3;
    const uint32_t function = instruction >> 13 & 7;

    // C.FLD and C.FSD in quadrant 0, C.FLDSP and C.FSDSP in quadrant 2.
    return (quadrant == 0 || quadrant == 2) && (function == 1 || function == 5);
}

static bool is_fpu_instruction(uint32_t instruction)
{
    if ((instruction & 3) != 3)
        return is_compressed_fpu(instruction);
    switch (instruction & OPCODE_MASK) {
    case OPCODE_LOAD_FP:
    case OPCODE_STORE_FP:
    case OPCODE_MADD:
    case OPCODE_MSUB:
    case OPCODE_NMSUB:
    case OPCODE_NMADD:
    case OPCODE_OP_FP:
        return true;
    case OPCODE_SYSTEM: {
        const uint32_t csr = instruction >> 20;

        return (instruction >> 12 & 3) != 0 && csr >= 1 && csr <= CSR_FCSR;
    }
    default:
        return false;
    }
}

enum arch_fault_kind arch_fault_kind(const struct thread *thread, uint64_t cause, uint64_t value)
{
    switch (cause) {
    case CAUSE_LOAD_PAGE:
        return ARCH_FAULT_READ;
    case CAUSE_STORE_PAGE:
        return ARCH_FAULT_WRITE;
    case CAUSE_FETCH_PAGE:
        return ARCH_FAULT_EXECUTE;
    case CAUSE_ILLEGAL:
        // stval holds the instruction, or 0 on a machine that does not report it: then the thread
        // gets the FPU, and an instruction that is illegal anyway faults again.
        if (arch_thread_of_const(thread)->fpu_enabled == 0 &&
            (value == 0 || is_fpu_instruction((uint32_t)value)))
            return ARCH_FAULT_FPU_OFF;
        return ARCH_FAULT_OTHER;
    default:
        return ARCH_FAULT_OTHER;
    }
}
