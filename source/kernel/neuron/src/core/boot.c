// SPDX-License-Identifier: Apache-2.0
// The boot path, in order.
#include "arch/arch.h"
#include "arch_inline.h"
#include "core/bootstrap.h"
#include "core/entry.h"
#include "core/hart.h"
#include "core/interrupts.h"
#include "core/log.h"
#include "core/machine.h"
#include "core/panic.h"
#include "core/print.h"
#include "core/selftest.h"
#include "fault_injection.h"
#include "mm/frame.h"
#include "sched/scheduler.h"

// The most of a device tree blob that is looked at.
#define DEVICETREE_LIMIT (2ul << 20)

// The first tick comes early: the boot waits for it.
#define FIRST_TICK_NANOSECONDS 2000ull

static void print_hart_map(void)
{
    char line[128];
    int used = 0;
    for (uint32_t i = 0; i < hart_count(); i++)
        used += print_to(line + used, sizeof(line) - (size_t)used, " %u=%lu", i, harts[i].id.value);
    log_line("neuron: hart map%s", line);
}

// Arms the tick and waits, bounded in time, for the first one to be taken.
static void start_timer(void)
{
    struct hart *hart = hart_self();
    uint64_t start = arch_time();
    uint64_t period = timer_ticks_from_nanoseconds(TIMER_TICK_NANOSECONDS);
    counter_set(&hart->tick_deadline, start + timer_ticks_from_nanoseconds(FIRST_TICK_NANOSECONDS));
    timer_rearm();
    // Not with wfi: a timer that does not interrupt would never end it.
    while (counter_read(&hart->ticks) == 0 && arch_time() < start + 100 * period) {
        arch_relax();
        interrupts_handle_pending();
    }
    if (counter_read(&hart->ticks) == 0)
        panic("no timer interrupt within 100 tick periods");
    log_line("neuron: timer tick start");
}

_Noreturn void kernel_boot(struct hart_id boot_hart, paddr_t devicetree)
{
    // What the machine is. There is no console before this.
    const char *problem = "nothing";
    enum nx_status status =
        machine_discover(arch_direct_map(devicetree), DEVICETREE_LIMIT, boot_hart, &problem);
    if (status != NX_OK)
        panic("device tree: %s: status %d", problem, (int)status);
    hart_init_all();
    log_stamp_init();
    if (machine.has_uart)
        log_line("neuron: uart early printk ok");
    log_line("neuron: boot virt dtb-ok tb=%lu", machine.timebase_hz);
    print_hart_map();
    if (machine.bootargs_truncated)
        log_line("neuron: bootargs truncated limit=%u", MACHINE_BOOTARGS_MAX - 1);
    fault_injection_init();

    // Memory and firmware.
    frame_init();
    arch_kernel_table_build();
    status = arch_firmware_probe();
    if (status != NX_OK)
        panic("firmware: an SBI extension that the kernel needs is missing");

    // This hart's interrupts.
    arch_hart_online();
    counter_set(&harts[0].online_since, arch_time());
    if (arch_irq_is_open())
        log_line("neuron: plic enabled");
    else
        log_line("neuron: no plic context for the boot hart: devices will not interrupt");
    if (fault_injection_masks_timer(harts[0].index))
        arch_timer_mask(true);
    start_timer();
    log_line("neuron: hart%u online", harts[0].index.value);

    // The others.
    bool selftest = selftest_wanted();
    if (selftest)
        selftest_before_smp();
    uint32_t online = hart_start_all();
    log_line("neuron: hart0 boot virt smp=%u", online);
    if (selftest)
        selftest_after_smp(online);

    // User space.
    bootstrap_start_init();
    scheduler_run_next();
    arch_resume(kernel_leave(hart_self()));
}

_Noreturn void kernel_secondary(struct hart *hart)
{
    hart_enter_online(hart);
    scheduler_run_next();
    arch_resume(kernel_leave(hart));
}
