// SPDX-License-Identifier: Apache-2.0
// The inline half of arch/arch.h, whose comments are the contract.
#ifndef ARCH_INLINE_H
#define ARCH_INLINE_H

#include "arch/arch.h"
#include "csr.h"

// --- This hart -----------------------------------------------------------------------------------

// tp holds the hart from boot on while the kernel runs, and never changes within an entry.
static inline struct hart *arch_hart_self(void)
{
    return (struct hart *)__builtin_thread_pointer();
}

static inline struct arch_hart *arch_hart_of(struct hart *hart)
{
    return (struct arch_hart *)(void *)hart;
}

static inline uint64_t arch_time(void)
{
    return csr_read(time);
}

static inline uint64_t arch_instructions(void)
{
    return csr_read(instret);
}

static inline void arch_wait_for_interrupt(void)
{
    __asm__ volatile("wfi" ::: "memory");
}

static inline uint32_t arch_interrupts_pending(void)
{
    const uint64_t pending = csr_read(sip) & csr_read(sie);

    return (uint32_t)(((pending & SIP_SSIP) != 0 ? ARCH_INTERRUPT_SOFTWARE : 0) |
                      ((pending & SIP_STIP) != 0 ? ARCH_INTERRUPT_TIMER : 0) |
                      ((pending & SIP_SEIP) != 0 ? ARCH_INTERRUPT_EXTERNAL : 0));
}

// The encoding of Zihintpause's `pause`, which is a no-operation fence on harts without it.
static inline void arch_relax(void)
{
    __asm__ volatile(".insn i 0x0f, 0, x0, x0, 0x010" ::: "memory");
}

// The fence orders the clear before the reader's exchange of the pending word: a sender that sets a
// bit after the exchange raises SSIP after the clear.
static inline void arch_ipi_clear(void)
{
    csr_clear(sip, SIP_SSIP);
    __asm__ volatile("fence iorw, iorw" ::: "memory");
}

// --- Address spaces ------------------------------------------------------------------------------

static inline void *arch_direct_map(paddr_t address)
{
    return (void *)(address.value + ARCH_DIRECT_MAP_OFFSET);
}

static inline paddr_t arch_direct_unmap(const void *pointer)
{
    return paddr((uint64_t)pointer - ARCH_DIRECT_MAP_OFFSET);
}

// Forgets every translation that this hart has cached.
static inline void arch_tlb_flush_all_local(void)
{
    __asm__ volatile("sfence.vma zero, zero" ::: "memory");
}

// satp of the kernel's own table; constant after arch_kernel_table_build.
extern uint64_t arch_kernel_satp;

static inline void arch_space_activate(const struct arch_space *space)
{
    if (space == NULL) {
        csr_write(satp, arch_kernel_satp);
        return;
    }
    csr_write(satp, space->satp);
    if (space->asid == 0) {
        arch_tlb_flush_all_local();
    }
}

// --- Threads -------------------------------------------------------------------------------------

static inline struct arch_thread *arch_thread_of(struct thread *thread)
{
    return (struct arch_thread *)(void *)thread;
}

static inline const struct arch_thread *arch_thread_of_const(const struct thread *thread)
{
    return (const struct arch_thread *)(const void *)thread;
}

static inline void arch_set_status(struct thread *thread, enum nx_status status)
{
    arch_thread_of(thread)->frame.x[FRAME_A0] = (uint64_t)status;
}

static inline void arch_set_result(struct thread *thread, unsigned index, uint64_t value)
{
    arch_thread_of(thread)->frame.x[FRAME_A1 + index] = value;
}

static inline uint64_t arch_get_argument(const struct thread *thread, unsigned index)
{
    return arch_thread_of_const(thread)->frame.x[FRAME_A0 + index];
}

static inline void arch_set_info(struct thread *thread, uint64_t info)
{
    arch_thread_of(thread)->frame.x[FRAME_A7] = info;
}

static inline void arch_set_badge(struct thread *thread, uint64_t badge)
{
    arch_thread_of(thread)->frame.x[FRAME_T0] = badge;
}

static inline uint64_t arch_get_pc(const struct thread *thread)
{
    return arch_thread_of_const(thread)->frame.x[FRAME_PC];
}

static inline uint64_t arch_get_stack(const struct thread *thread)
{
    return arch_thread_of_const(thread)->frame.x[FRAME_SP];
}

static inline uint64_t arch_get_return_address(const struct thread *thread)
{
    return arch_thread_of_const(thread)->frame.x[FRAME_RA];
}

static inline void arch_set_pc(struct thread *thread, uint64_t pc)
{
    arch_thread_of(thread)->frame.x[FRAME_PC] = pc;
}

void arch_fpu_switch(struct thread *next);

// Must be called whenever the thread that the kernel will return is not certain to be the one that
// trapped, or may have run elsewhere meanwhile (also idle and back to the same thread): a return
// without it resumes with the registers that the kernel's callee-saved ones hold. The FPU of
// `previous` was saved at the trap, before anybody else could see the thread, so nothing needs
// doing for it, and `next` may be NULL (to idle).
static inline void arch_thread_switch(struct thread *previous, struct thread *next)
{
    struct hart *self = arch_hart_self();
    struct arch_hart *arch = arch_hart_of(self);

    (void)previous;
    arch->switched = 1;
    if (next == NULL) {
        return;
    }
    arch_thread_of(next)->hart = self;
    if ((arch_thread_of(next)->fpu_enabled | arch->fpu_on) != 0) {
        arch_fpu_switch(next);
    }
}

#endif
