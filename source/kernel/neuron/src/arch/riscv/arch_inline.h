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

static inline bool arch_has_sstc(void)
{
    return arch_hart_of(arch_hart_self())->sstc;
}

static inline void arch_wait_for_interrupt(void)
{
    __asm__ volatile("wfi" ::: "memory");
}

#define ARCH_INTERRUPT_SOFTWARE SIP_SSIP
#define ARCH_INTERRUPT_TIMER    SIP_STIP
#define ARCH_INTERRUPT_EXTERNAL SIP_SEIP

static inline uint64_t arch_interrupts_pending(void)
{
    return csr_read(sip) & csr_read(sie);
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

// gcc 12 makes an atomic exchange of an atomic store; an aligned word is stored in one piece
// anyway (RVWMO, A.3).
#define arch_store_relaxed(object, value)                                                          \
    (*(volatile __typeof__(atomic_load_explicit((object), memory_order_relaxed)) *)(object) =      \
         (value))
#define arch_store_release(object, value)                                                          \
    do {                                                                                           \
        atomic_thread_fence(memory_order_release);                                                 \
        arch_store_relaxed((object), (value));                                                     \
    } while (0)

// gcc 12 puts a fence before a sequentially consistent addition, which needs none (RVWMO, A.6).
static inline uint64_t arch_fetch_add_ordered(_Atomic uint64_t *word, uint64_t amount)
{
    uint64_t before;

    __asm__ volatile("amoadd.d.aqrl %0, %1, (%2)"
                     : "=r"(before)
                     : "r"(amount), "r"(word)
                     : "memory");
    return before;
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

// The registers a1..a6 hold the words of a message while ipc/fastpath.c runs, whose code is
// compiled not to touch them.
static inline void arch_keep_message(struct thread *next, uint64_t badge, uint64_t info)
{
    uint64_t *x = arch_thread_of(next)->frame.x;

    __asm__ volatile("sd a1, 0(%0)\n\tsd a2, 8(%0)\n\tsd a3, 16(%0)\n\t"
                     "sd a4, 24(%0)\n\tsd a5, 32(%0)\n\tsd a6, 40(%0)"
                     :
                     : "r"(&x[FRAME_A1])
                     : "memory");
    x[FRAME_A0] = NX_OK;
    x[FRAME_A7] = info;
    x[FRAME_T0] = badge;
}

static inline void arch_reload_message(const struct thread *next)
{
    __asm__ volatile("ld a1, 0(%0)\n\tld a2, 8(%0)\n\tld a3, 16(%0)\n\t"
                     "ld a4, 24(%0)\n\tld a5, 32(%0)\n\tld a6, 40(%0)"
                     :
                     : "r"(&arch_thread_of_const(next)->frame.x[FRAME_A1])
                     : "memory");
}

static inline uint64_t arch_message_info(void)
{
    return arch_hart_of(arch_hart_self())->message_info;
}

static inline void arch_leave_with_message(struct thread *next, uint64_t badge, uint64_t info)
{
    register struct thread *a0 __asm__("a0") = next;
    register uint64_t a7 __asm__("a7") = info;
    register uint64_t t0 __asm__("t0") = badge;

    __asm__ volatile("j arch_resume_with_message" : : "r"(a0), "r"(a7), "r"(t0) : "memory");
    __builtin_unreachable();
}

// To the end of a fast path that has kept its message in a frame.
static inline void arch_leave(struct thread *next)
{
    register struct thread *a0 __asm__("a0") = next;

    __asm__ volatile("j arch_resume_frame" : : "r"(a0) : "memory");
    __builtin_unreachable();
}

// Whether switching to the thread on this hart takes nothing but its registers from now on, as far
// as the architecture is concerned.
static inline bool arch_thread_make_direct(struct thread *thread, const struct arch_space *space)
{
    arch_thread_of(thread)->satp = space->satp;
    return space->asid != 0;
}

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
    if (next != NULL) {
        arch_thread_of(next)->hart = self;
    }
}

#endif
