// SPDX-License-Identifier: Apache-2.0
// What a hart does with its pending interrupts: mailbox, timer, devices.
#include "core/interrupts.h"

#include "arch/arch.h"
#include "arch_inline.h"
#include "core/hart.h"
#include "ipc/interrupt.h"
#include "sched/scheduler.h"

void interrupts_handle_pending(void)
{
    uint64_t pending = arch_interrupts_pending();
    if ((pending & ARCH_INTERRUPT_SOFTWARE) != 0)
        hart_dispatch_ipi();
    if ((pending & ARCH_INTERRUPT_TIMER) != 0)
        scheduler_timer_interrupt();
    if ((pending & ARCH_INTERRUPT_EXTERNAL) != 0)
        interrupt_deliver_claimed();
}
