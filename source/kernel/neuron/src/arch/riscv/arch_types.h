// SPDX-License-Identifier: Apache-2.0
// What a thread, a hart and an address space hold for the architecture.
#ifndef ARCH_TYPES_H
#define ARCH_TYPES_H

#include "asm_offsets.h"
#include "core/types.h"

struct hart;
struct thread;

// A thread's user registers while it is not executing in user mode. x[] is indexed by FRAME_*.
//
// A frame is of one of two kinds. Full: the thread was interrupted or faulted, and every register
// is saved. Not full: it made a system call, which is a function call, so that only s0..s11, sp,
// gp, tp and the pc are; a0..a7 and t0 hold results. Resuming restores by kind.
struct trap_frame {
    uint64_t x[FRAME_SLOTS];
    uint64_t full; // 1: every register is valid. 0 whenever the thread executes in user mode
};

// First member of struct thread. Owned by whoever owns the thread.
struct arch_thread {
    struct trap_frame frame;
    struct hart *hart;     // where it runs or last ran: what a trap takes as its hart
    uint64_t fpu[32];      // f0..f31; up to date whenever the kernel runs
    uint64_t fcsr;         // likewise
    uint64_t satp;         // of its space, for direct switches: set by arch_thread_make_direct
    struct hart *fpu_hart; // whose registers equal fpu[], if it still holds this thread's; or NULL
    uint32_t fpu_enabled;  // 1: the thread has used the FPU, sstatus.FS is not Off while it runs
};

// Registers of a trap taken in kernel mode: in the hart's own memory, because no stack can be
// trusted then.
struct trap_report {
    uint64_t x[FRAME_SLOTS]; // x[FRAME_PC]: sepc
    uint64_t cause;
    uint64_t value;
    uint64_t status;
};

// First member of struct hart. Hart-local after arch_hart_prepare.
struct arch_hart {
    uint64_t stack_top;     // of the kernel stack; the stack is empty whenever user code runs
    uint64_t switched;      // 1: the thread to resume is not the one that trapped, or was elsewhere
    uint64_t emergency_top; // of the stack for reports of traps in the kernel
    uint64_t trap_depth;    // traps taken in kernel mode: more than one is a fault in the report
    struct trap_report trap;
    uint64_t stack_bottom;
    struct thread *fpu_owner; // whose registers the FPU last loaded; compare fpu_hart before trust
    uint64_t message_info;    // a7 of the message that a fast path tries
    uint64_t arguments[2];    // a0 and a1 of another call that one tries
    bool sstc;                // its timer is stimecmp, not the firmware's
    _Atomic bool fencing;     // it asks other harts for a fence; they read it (arch_hart_offline)
};

// A user address space. Constant after arch_space_create.
struct arch_space {
    uint64_t satp; // mode, ASID and root table, as written to the register
    paddr_t root;  // root table
    uint32_t asid; // 0: shared, flushed at each activation
    // While it is destroyed: entries of the root, and of the table that its entry there names,
    // whose tables are freed.
    uint32_t root_cursor;
    uint32_t middle_cursor;
};

#endif
