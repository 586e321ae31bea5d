// SPDX-License-Identifier: Apache-2.0
// Where the architecture enters the kernel. Called by arch/ only, on the hart's kernel stack, with
// interrupts off; each returns the thread whose frame the architecture must resume in user mode.
#ifndef NEURON_ENTRY_H
#define NEURON_ENTRY_H

#include "core/types.h"

struct thread;
struct hart;

// A system call by the current thread. Arguments are the caller's registers a0..a7. The frame holds
// the callee-saved registers, sp, gp, tp and the pc after the ecall; results are written into the
// frame of whichever thread resumes.
struct thread *kernel_syscall(uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4,
                              uint64_t a5, uint64_t a6, uint64_t a7);

// Interrupts are pending (arch_interrupts_pending says which). The current thread's frame is full.
struct thread *kernel_interrupt(void);

// The current thread faulted in user mode. Its frame is full and its pc is the faulting
// instruction. `cause` and `address` are scause and stval.
struct thread *kernel_fault(uint64_t cause, uint64_t address);

// The boot hart's first C code under the final stack and trap vector, with MMU on (direct map and
// kernel image mapped by the early table). `devicetree` is hostile until parsed. Does not return.
_Noreturn void kernel_boot(struct hart_id boot_hart, paddr_t devicetree);

// Before any return to user mode, also from system calls: gives way to more urgent threads, ends
// killed ones, and counts the pass for reclamation. Returns the thread to resume.
struct thread *kernel_leave(struct hart *hart);

// A secondary hart, on its own stack, with its trap vector set and the final kernel table active.
_Noreturn void kernel_secondary(struct hart *hart);

#endif
