// SPDX-License-Identifier: Apache-2.0
// Where the architecture enters the kernel. Called by arch/ only, on the hart's kernel stack, with
// interrupts off; each returns the thread whose frame the architecture must resume in user mode.
#ifndef NEURON_ENTRY_H
#define NEURON_ENTRY_H

#include "core/types.h"

struct thread;
struct hart;

// Any system call by the current thread, by the table; ipc/fastpath.h is tried before it where it
// may do. Arguments are the caller's registers a0..a7. The frame holds
// the callee-saved registers, sp, gp, tp and the pc after the ecall; results are written into the
// frame of whichever thread resumes.
struct thread *kernel_syscall(uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4,
                              uint64_t a5, uint64_t a6, uint64_t a7);

// NX_SYS_NULL and NX_SYS_INTERRUPT_ACK, which switch to no other thread, make none ready and have
// no result but the status: nothing of the caller but sp, tp and the pc has been saved. The pass is
// not counted (object/reclaim.h).
enum nx_status kernel_light_syscall(uint64_t a0, uint64_t number);

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
