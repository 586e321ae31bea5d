// SPDX-License-Identifier: Apache-2.0
// Entering and leaving the kernel: interrupts, faults, and what happens before user mode resumes.
//
// System calls enter through syscall/dispatch.c and leave through kernel_leave as well.
#include "core/entry.h"

#include "arch/arch.h"
#include "arch_inline.h"
#include "core/hart.h"
#include "core/interrupts.h"
#include "ipc/endpoint.h"
#include "mm/address_space.h"
#include "nexus/message.h"
#include "object/process.h"
#include "object/reclaim.h"
#include "sched/scheduler.h"
#include "sched/thread.h"

struct thread *kernel_leave(struct hart *hart)
{
    if (hart->reschedule)
        scheduler_preempt();
    while (thread_is_killed(hart->current)) {
        thread_end_current();
        scheduler_run_next();
        // The threads of a whole process may end here, one after the other.
        interrupts_handle_pending();
        if (hart->reschedule)
            scheduler_preempt();
    }
    reclaim_pass(hart);
    lock_check_none_held();
    return hart->current;
}

struct thread *kernel_interrupt(void)
{
    interrupts_handle_pending();
    return kernel_leave(hart_self());
}

// Turns a fault that nothing in the kernel can resolve into a message to the process's supervisor,
// or into the end of the process when it has none.
static void report_fault(struct thread *thread, uint64_t cause, uint64_t address)
{
    struct process *process = thread->process;
    lock_acquire(&process->lock);
    struct endpoint *endpoint = process->fault_endpoint;
    uint64_t badge = process->fault_badge;
    lock_release(&process->lock);
    // No reference: like a handle's, the pointer is good until this hart passes a quiescent point.
    // A reference would be held across the switch below, as long as this hart idles there.
    if (endpoint == NULL) {
        process_kill(process, NX_EXIT_FAULTED);
        return;
    }
    // Apart from the frame, whose registers the thread needs when it is resumed.
    thread->fault_words[NX_FAULT_CAUSE] = cause;
    thread->fault_words[NX_FAULT_PC] = arch_get_pc(thread);
    thread->fault_words[NX_FAULT_ADDRESS] = address;
    thread->fault_words[NX_FAULT_THREAD] = thread->id;
    thread->fault_words[NX_FAULT_RETURN] = arch_get_return_address(thread);
    thread->fault_words[NX_FAULT_STACK] = arch_get_stack(thread);
    endpoint_send_fault(endpoint, badge);
}

struct thread *kernel_fault(uint64_t cause, uint64_t address)
{
    struct hart *hart = hart_self();
    struct thread *thread = hart->current;
    enum arch_fault_kind kind = arch_fault_kind(thread, cause, address);
    if (kind == ARCH_FAULT_FPU_OFF)
        arch_fpu_enable(thread);
    else if (kind == ARCH_FAULT_OTHER ||
             address_space_resolve_fault(&thread->process->space, kind, address) != NX_OK)
        report_fault(thread, cause, address);
    return kernel_leave(hart);
}
