// SPDX-License-Identifier: Apache-2.0
// User mode of the fake machine: threads as fibers, and the loop that enters and leaves the kernel.
//
// The kernel runs on the stack of the pthread that plays the hart, a program on its fiber's. The
// sanitizers are told of each switch of stacks where they are linked in.
#include "fake.h"
#include "fake_private.h"
#include "user.h"

#include "arch_inline.h"
#include "core/entry.h"
#include "core/hart.h"
#include "ipc/fastpath.h"
#include "object/process.h"
#include "sched/thread.h"
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

#define FIBER_STACK_SIZE (128u << 10)

// A program whose entry is below this lies in user memory; its first word is a host function.
#define MEMORY_ENTRY_END 0x100000ull

// Causes of scause that the fake raises.
#define CAUSE_ILLEGAL    2u
#define CAUSE_FETCH_PAGE 12u
#define CAUSE_LOAD_PAGE  13u
#define CAUSE_STORE_PAGE 15u

enum trap { TRAP_SYSCALL, TRAP_FAULT, TRAP_PAUSE };

struct fiber {
    ucontext_t context;
    ucontext_t *back; // the hart that runs it
    char *stack;
    struct thread *thread;
    enum trap trap;
    uint64_t arguments[FAKE_CALL_REGISTERS];
    uint64_t cause;
    uint64_t address;
    // For the sanitizers.
    void *tsan;
    void *back_tsan;
    void *asan_saved;
    const void *back_bottom;
    size_t back_size;
};

static _Thread_local struct fiber *current_fiber;

// --- Sanitizers, absent unless linked in
// ----------------------------------------------------------

void *__tsan_get_current_fiber(void) __attribute__((weak));
void *__tsan_create_fiber(unsigned flags) __attribute__((weak));
void __tsan_destroy_fiber(void *fiber) __attribute__((weak));
void __tsan_switch_to_fiber(void *fiber, unsigned flags) __attribute__((weak));
void __sanitizer_start_switch_fiber(void **saved, const void *bottom, size_t size)
    __attribute__((weak));
void __sanitizer_finish_switch_fiber(void *saved, const void **bottom, size_t *size)
    __attribute__((weak));

// --- Switching -----------------------------------------------------------------------------------

// Never inlined: a program may resume on another pthread, where this is another variable.
static __attribute__((noinline)) struct fiber *fiber_self(void)
{
    __asm__ volatile("" ::: "memory");
    return current_fiber;
}

// From a hart into a program, until it traps.
static void fiber_enter(struct fiber *fiber)
{
    ucontext_t here;
    void *saved = NULL;
    fiber->back = &here;
    current_fiber = fiber;
    if (__tsan_get_current_fiber != NULL)
        fiber->back_tsan = __tsan_get_current_fiber();
    if (__sanitizer_start_switch_fiber != NULL)
        __sanitizer_start_switch_fiber(&saved, fiber->stack, FIBER_STACK_SIZE);
    if (__tsan_switch_to_fiber != NULL)
        __tsan_switch_to_fiber(fiber->tsan, 0);
    swapcontext(&here, &fiber->context);
    if (__sanitizer_finish_switch_fiber != NULL)
        __sanitizer_finish_switch_fiber(saved, NULL, NULL);
}

// From a program back to the hart that runs it; returns when the kernel resumes the thread.
static void fiber_trap(struct fiber *fiber)
{
    if (__sanitizer_start_switch_fiber != NULL)
        __sanitizer_start_switch_fiber(&fiber->asan_saved, fiber->back_bottom, fiber->back_size);
    if (__tsan_switch_to_fiber != NULL)
        __tsan_switch_to_fiber(fiber->back_tsan, 0);
    swapcontext(&fiber->context, fiber->back);
    if (__sanitizer_finish_switch_fiber != NULL)
        __sanitizer_finish_switch_fiber(fiber->asan_saved, &fiber->back_bottom, &fiber->back_size);
}

static void raise_fault(struct fiber *fiber, uint64_t cause, uint64_t address)
{
    fiber->trap = TRAP_FAULT;
    fiber->cause = cause;
    fiber->address = address;
    fiber_trap(fiber);
}

static void access_memory(uint64_t address, uint32_t prot, uint64_t cause, uint64_t *value)
{
    struct fiber *fiber = fiber_self();
    while (!fake_user_access(fiber->thread->arch.hart, address, prot, value))
        raise_fault(fiber, cause, address);
}

static void fiber_main(void)
{
    struct fiber *fiber = fiber_self();
    if (__sanitizer_finish_switch_fiber != NULL)
        __sanitizer_finish_switch_fiber(NULL, &fiber->back_bottom, &fiber->back_size);
    uint64_t entry = fiber->thread->arch.frame.pc;
    uint64_t argument = fiber->thread->arch.frame.a[0];
    if (entry < MEMORY_ENTRY_END)
        access_memory(entry, ARCH_PROT_EXECUTE, CAUSE_FETCH_PAGE, &entry);
    user_program program = (user_program)(uintptr_t)entry;
    program((void *)(uintptr_t)argument);
    for (;;)
        (void)USER_SYSCALL(NX_SYS_THREAD_EXIT, 0);
}

static struct fiber *fiber_create(struct thread *thread)
{
    struct fiber *fiber = calloc(1, sizeof(*fiber));
    FAKE_CHECK(fiber != NULL);
    fiber->stack = malloc(FIBER_STACK_SIZE);
    FAKE_CHECK(fiber->stack != NULL);
    fiber->thread = thread;
    if (__tsan_create_fiber != NULL)
        fiber->tsan = __tsan_create_fiber(0);
    getcontext(&fiber->context);
    fiber->context.uc_stack.ss_sp = fiber->stack;
    fiber->context.uc_stack.ss_size = FIBER_STACK_SIZE;
    fiber->context.uc_link = NULL;
    makecontext(&fiber->context, fiber_main, 0);
    return fiber;
}

void fake_fiber_release(struct thread *thread)
{
    struct fiber *fiber = thread->arch.fiber;
    if (fiber == NULL)
        return;
    thread->arch.fiber = NULL;
    if (__tsan_destroy_fiber != NULL)
        __tsan_destroy_fiber(fiber->tsan);
    free(fiber->stack);
    free(fiber);
}

// --- Threads, as arch/arch.h has them
// --------------------------------------------------------------

void arch_thread_init(struct thread *thread, vaddr_t entry, uint64_t stack, uint64_t argument,
                      uint64_t thread_pointer)
{
    memset(&thread->arch, 0, sizeof(thread->arch));
    thread->arch.frame.pc = entry.value;
    thread->arch.frame.sp = stack;
    thread->arch.frame.tp = thread_pointer;
    thread->arch.frame.a[0] = argument;
}

void arch_restart_syscall(struct thread *thread, const uint64_t arguments[8])
{
    memcpy(thread->arch.frame.a, arguments, sizeof(thread->arch.frame.a));
    thread->arch.restart = true;
}

// The end of a thread's architecture-private life, as far as the kernel tells of it.
void arch_thread_forget_fpu(struct thread *thread)
{
    fake_fiber_release(thread);
}

enum arch_fault_kind arch_fault_kind(const struct thread *thread, uint64_t cause, uint64_t value)
{
    (void)thread;
    (void)value;
    switch (cause) {
    case CAUSE_LOAD_PAGE:
        return ARCH_FAULT_READ;
    case CAUSE_STORE_PAGE:
        return ARCH_FAULT_WRITE;
    case CAUSE_FETCH_PAGE:
        return ARCH_FAULT_EXECUTE;
    default:
        return ARCH_FAULT_OTHER;
    }
}

void arch_fpu_enable(struct thread *thread)
{
    (void)thread;
}

// What the trap entry relies on when it resumes a thread.
static void check_resumable(const struct hart *hart, const struct thread *trapped,
                            const struct thread *next)
{
    uint64_t wait = atomic_load_explicit(&next->wait, memory_order_relaxed);
    FAKE_CHECK(hart->current == next);
    FAKE_CHECK(next->arch.hart == hart);
    FAKE_CHECK(next == trapped || hart->arch.switched);
    FAKE_CHECK(thread_state_of(wait) == THREAD_RUNNING);
    FAKE_CHECK(hart->arch.active.identifier == next->process->space.arch.identifier);
}

// As the trap entry: the fast paths first.
static struct thread *handle_syscall(const uint64_t *a)
{
    uint64_t handle = a[0];
    fake_self->arch.left_with = NULL;
    fake_self->arch.message_info = a[7];
    memcpy(fake_self->arch.message, &a[1], sizeof(fake_self->arch.message));
    if (a[7] == NX_SYS_CALL)
        handle = fastpath_call(handle);
    else if (a[7] == NX_SYS_REPLY_RECEIVE)
        handle = fastpath_reply_receive(handle);
    else if ((a[7] & NX_INFO_NUMBER_MASK) == NX_SYS_CALL)
        handle = fastpath_call_with_page(handle);
    else if ((a[7] & NX_INFO_NUMBER_MASK) == NX_SYS_REPLY_RECEIVE)
        handle = fastpath_reply_receive_with_page(handle);
    else if (a[7] == NX_SYS_NOTIFICATION_SIGNAL)
        fastpath_signal(handle, a[1]);
    else if (a[7] == NX_SYS_THREAD_YIELD)
        fastpath_yield(handle);
    if (fake_self->arch.left_with != NULL)
        return fake_self->arch.left_with;
    return kernel_syscall(handle, a[1], a[2], a[3], a[4], a[5], a[6], a[7]);
}

static struct thread *enter_kernel(struct thread *thread)
{
    struct fiber *fiber = thread->arch.fiber;
    struct trap_frame *frame = &thread->arch.frame;
    switch (fiber->trap) {
    case TRAP_SYSCALL: {
        const uint64_t *a = fiber->arguments;
        for (unsigned i = 0; i < FAKE_CALL_REGISTERS; i++)
            frame->a[i] = FAKE_UNSAVED;
        frame->t0 = FAKE_UNSAVED;
        return handle_syscall(a);
    }
    case TRAP_FAULT:
        return kernel_fault(fiber->cause, fiber->address);
    default:
        return thread;
    }
}

static struct thread *repeat_syscall(struct thread *thread)
{
    uint64_t a[FAKE_CALL_REGISTERS];
    memcpy(a, thread->arch.frame.a, sizeof(a));
    thread->arch.restart = false;
    return handle_syscall(a);
}

_Noreturn void arch_resume(struct thread *thread)
{
    struct hart *hart = fake_self;
    hart->arch.switched = true;
    struct thread *trapped = thread;
    for (;;) {
        check_resumable(hart, trapped, thread);
        hart->arch.switched = false;
        trapped = thread;
        if (arch_interrupts_pending() != 0) {
            thread = kernel_interrupt();
            continue;
        }
        if (thread->arch.restart) {
            thread = repeat_syscall(thread);
            continue;
        }
        if (thread->arch.fiber == NULL)
            thread->arch.fiber = fiber_create(thread);
        fiber_enter(thread->arch.fiber);
        thread = enter_kernel(thread);
    }
}

// --- For programs
// ----------------------------------------------------------------------------------

struct user_result user_syscall(uint64_t number, const uint64_t arguments[7])
{
    struct fiber *fiber = fiber_self();
    const struct trap_frame *frame = &fiber->thread->arch.frame;
    memcpy(fiber->arguments, arguments, 7 * sizeof(uint64_t));
    fiber->arguments[7] = number;
    fiber->trap = TRAP_SYSCALL;
    fiber_trap(fiber);
    struct user_result result = {
        .status = (enum nx_status)frame->a[0],
        .info = frame->a[7],
        .badge = frame->t0,
    };
    memcpy(result.value, &frame->a[1], sizeof(result.value));
    return result;
}

void user_pause(void)
{
    struct fiber *fiber = fiber_self();
    fiber->trap = TRAP_PAUSE;
    fiber_trap(fiber);
    (void)sched_yield();
}

uint64_t user_load(uint64_t address)
{
    uint64_t value = 0;
    access_memory(address, ARCH_PROT_READ, CAUSE_LOAD_PAGE, &value);
    return value;
}

void user_store(uint64_t address, uint64_t value)
{
    access_memory(address, ARCH_PROT_WRITE, CAUSE_STORE_PAGE, &value);
}

void user_trap(void)
{
    raise_fault(fiber_self(), CAUSE_ILLEGAL, 0);
}

struct nx_message_page *user_page(void)
{
    return fiber_self()->thread->page;
}

uint32_t user_hart(void)
{
    return fiber_self()->thread->arch.hart->index.value;
}
