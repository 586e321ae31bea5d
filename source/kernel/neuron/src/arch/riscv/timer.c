// SPDX-License-Identifier: Apache-2.0
// This hart's one timer: Sstc's stimecmp, else the firmware's.
#include "timer.h"
#include "arch_inline.h"
#include "boot.h"
#include "bootargs/bootargs.h"
#include "core/hart.h"
#include "core/machine.h"
#include "sbi.h"

static bool use_sstc; // constant after timer_choose

void timer_choose(void)
{
    use_sstc = false;
    if (bootargs_is(machine.bootargs, "neuron.sstc", "off"))
        return;
    for (uint32_t i = 0; i < machine.hart_count; i++)
        if (!machine.harts[i].sstc)
            return;
    use_sstc = arch_probe_stimecmp();
    arch_hart_of(arch_hart_self())->sstc = use_sstc;
}

void timer_hart_online(void)
{
    arch_hart_of(arch_hart_self())->sstc = use_sstc && arch_probe_stimecmp();
}

enum nx_status arch_timer_arm(uint64_t deadline)
{
    if (arch_hart_of(arch_hart_self())->sstc) {
        csr_write(CSR_STIMECMP, deadline);
        return NX_OK;
    }
    counter_add(&arch_hart_self()->set_timer_calls, 1);
    return sbi_set_timer(deadline);
}

void arch_timer_mask(bool masked)
{
    if (masked) {
        csr_clear(sie, SIP_STIP);
        return;
    }
    csr_set(sie, SIP_STIP);
}
