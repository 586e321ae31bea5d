// SPDX-License-Identifier: Apache-2.0
// The inline half of arch/arch.h for the host, whose comments are the contract.
#ifndef ARCH_INLINE_H
#define ARCH_INLINE_H

#include "arch/arch.h"
#include <sched.h>

// --- This hart -----------------------------------------------------------------------------------

// The hart that the calling pthread plays. Programs of user threads run on other stacks and never
// look at it.
extern _Thread_local struct hart *fake_self;

static inline struct hart *arch_hart_self(void)
{
    return fake_self;
}

static inline struct arch_hart *arch_hart_of(struct hart *hart)
{
    return (struct arch_hart *)(void *)hart;
}

static inline struct arch_thread *arch_thread_of(struct thread *thread)
{
    return (struct arch_thread *)(void *)thread;
}

static inline const struct arch_thread *arch_thread_of_const(const struct thread *thread)
{
    return (const struct arch_thread *)(const void *)thread;
}

uint64_t arch_time(void);
uint64_t arch_instructions(void);
void arch_wait_for_interrupt(void);
bool arch_has_sstc(void);
uint64_t arch_interrupts_pending(void);

// The host may have preempted whoever is waited for.
static inline void arch_relax(void)
{
    (void)sched_yield();
}

// No more ordering than RISC-V's fence gives to hardware: ThreadSanitizer sees none.
static inline void arch_ipi_clear(void)
{
    atomic_store_explicit(&arch_hart_of(arch_hart_self())->software, 0, memory_order_relaxed);
    __asm__ volatile("" ::: "memory");
    __sync_synchronize();
}

#define arch_store_relaxed(object, value)                                                          \
    atomic_store_explicit((object), (value), memory_order_relaxed)
#define arch_store_release(object, value)                                                          \
    atomic_store_explicit((object), (value), memory_order_release)

static inline uint64_t arch_fetch_add_ordered(_Atomic uint64_t *word, uint64_t amount)
{
    return atomic_fetch_add_explicit(word, amount, memory_order_seq_cst);
}

// --- Address spaces ------------------------------------------------------------------------------

extern char *fake_ram;
#define FAKE_RAM_BASE 0x80000000ull

static inline void *arch_direct_map(paddr_t address)
{
    return (void *)((uintptr_t)fake_ram - FAKE_RAM_BASE + address.value);
}

static inline paddr_t arch_direct_unmap(const void *pointer)
{
    return paddr((uint64_t)(uintptr_t)pointer - (uint64_t)(uintptr_t)fake_ram + FAKE_RAM_BASE);
}

void arch_tlb_flush_all_local(void);

void arch_space_activate(const struct arch_space *space);

// --- Threads -------------------------------------------------------------------------------------

static inline void arch_set_status(struct thread *thread, enum nx_status status)
{
    arch_thread_of(thread)->frame.a[0] = (uint64_t)status;
}

static inline void arch_set_result(struct thread *thread, unsigned index, uint64_t value)
{
    arch_thread_of(thread)->frame.a[1 + index] = value;
}

static inline uint64_t arch_get_argument(const struct thread *thread, unsigned index)
{
    return arch_thread_of_const(thread)->frame.a[index];
}

static inline void arch_set_info(struct thread *thread, uint64_t info)
{
    arch_thread_of(thread)->frame.a[7] = info;
}

static inline void arch_set_badge(struct thread *thread, uint64_t badge)
{
    arch_thread_of(thread)->frame.t0 = badge;
}

static inline uint64_t arch_get_pc(const struct thread *thread)
{
    return arch_thread_of_const(thread)->frame.pc;
}

static inline uint64_t arch_get_stack(const struct thread *thread)
{
    return arch_thread_of_const(thread)->frame.sp;
}

static inline uint64_t arch_get_return_address(const struct thread *thread)
{
    return arch_thread_of_const(thread)->frame.ra;
}

static inline void arch_set_pc(struct thread *thread, uint64_t pc)
{
    arch_thread_of(thread)->frame.pc = pc;
}

static inline void arch_thread_switch(struct thread *previous, struct thread *next)
{
    (void)previous;
    arch_hart_of(arch_hart_self())->switched = true;
    if (next != NULL)
        arch_thread_of(next)->hart = arch_hart_self();
}

// The words of a message in flight are those of the system call that this hart handles.
static inline void arch_keep_message(struct thread *next, uint64_t badge, uint64_t info)
{
    arch_set_status(next, NX_OK);
    for (unsigned i = 0; i < 6; i++)
        arch_set_result(next, i, arch_hart_of(arch_hart_self())->message[i]);
    arch_set_info(next, info);
    arch_set_badge(next, badge);
}

static inline void arch_reload_message(const struct thread *next)
{
    (void)next;
}

static inline uint64_t arch_message_info(void)
{
    return arch_hart_of(arch_hart_self())->message_info;
}

static inline void arch_leave_with_message(struct thread *next, uint64_t badge, uint64_t info)
{
    struct arch_hart *arch = arch_hart_of(arch_hart_self());
    arch_keep_message(next, badge, info);
    arch->switched = true;
    arch_space_activate(arch_thread_of(next)->direct_space);
    arch->left_with = next;
}

static inline void arch_leave(struct thread *next)
{
    arch_hart_of(arch_hart_self())->left_with = next;
}

static inline bool arch_thread_make_direct(struct thread *thread, const struct arch_space *space)
{
    arch_thread_of(thread)->direct_space = space;
    return true;
}

#endif
