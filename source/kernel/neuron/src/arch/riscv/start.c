// SPDX-License-Identifier: Apache-2.0
// Harts: their stacks, how they enter from the firmware, start, stop, and what they enable.
//
// Life of a secondary: arch_hart_prepare (boot hart, once) fills its slot; arch_hart_start marks
// the slot ready and calls the firmware; boot.S finds the slot and calls kernel_secondary;
// arch_hart_online; arch_hart_offline and arch_hart_stop; arch_hart_start again.
#include "arch_inline.h"
#include "boot.h"
#include "core/entry.h"
#include "core/hart.h"
#include "core/machine.h"
#include "core/panic.h"
#include "fpu.h"
#include "nexus/info.h"
#include "plic.h"
#include "sbi.h"
#include "stacks.h"
#include "timer.h"

struct hart_stacks arch_stacks[NX_HARTS_MAX]
    __attribute__((section(".bss.hart_stacks"), aligned(NX_PAGE_SIZE)));

struct arch_boot_slot arch_boot_slots[NX_HARTS_MAX] __attribute__((section(".data.boot")));

static void set_stacks(struct arch_hart *arch, uint32_t index)
{
    struct hart_stacks *stacks = &arch_stacks[index];

    arch->stack_bottom = (uint64_t)stacks->stack;
    arch->stack_top = (uint64_t)stacks->stack + sizeof(stacks->stack);
    arch->emergency_top = (uint64_t)stacks->emergency + sizeof(stacks->emergency);
}

_Noreturn void arch_boot_enter(uint64_t hart_id, uint64_t devicetree)
{
    set_stacks(&harts[0].arch, 0);
    kernel_boot((struct hart_id){hart_id}, paddr(devicetree));
}

void arch_hart_prepare(struct hart *hart)
{
    struct arch_boot_slot *slot = &arch_boot_slots[hart->index.value];

    ASSERT(hart->index.value < NX_HARTS_MAX);
    set_stacks(&hart->arch, hart->index.value);
    slot->hart_id = hart->id.value;
    // Release order: boot.S reads the id only of a slot that has a hart.
    __atomic_store_n(&slot->hart, hart, __ATOMIC_RELEASE);
}

enum nx_status arch_hart_start(struct hart *hart)
{
    if ((arch_firmware.extensions & NX_SBI_HSM) == 0)
        return NX_ERR_UNSUPPORTED;
    // Pairs with the fence after boot.S has read `ready`: the hart then sees its stack, the final
    // table and all of the boot.
    __atomic_store_n(&arch_boot_slots[hart->index.value].ready, 1, __ATOMIC_RELEASE);
    const enum nx_status status =
        sbi_hsm_hart_start(hart->id, arch_direct_unmap(arch_secondary_entry), (uint64_t)hart);

    if (status == NX_ERR_ALREADY_EXISTS) {
        // The firmware let it go early; it waits in boot.S for this interrupt.
        return sbi_send_ipi(hart->id);
    }
    return status;
}

enum nx_status arch_ipi_send(const struct hart *hart)
{
    return sbi_send_ipi(hart->id);
}

enum nx_status arch_hart_stop(void)
{
    return sbi_hsm_hart_stop();
}

enum nx_status arch_hart_is_stopped(const struct hart *hart, bool *stopped)
{
    enum sbi_hart_state state = SBI_HART_STARTED;
    const enum nx_status status = sbi_hsm_hart_status(hart->id, &state);

    *stopped = status == NX_OK && state == SBI_HART_STOPPED;
    return status;
}

void arch_hart_online(void)
{
    fpu_hart_online();
    timer_hart_online();
    if (arch_timer_arm(ARCH_TIMER_NEVER) != NX_OK)
        panic("the firmware refuses to set the timer");
    csr_write(scounteren, SCOUNTEREN_CY | SCOUNTEREN_TM | SCOUNTEREN_IR);
    plic_hart_open(true);
    arch_tlb_flush_all_local();
    csr_write(sie, SIP_SSIP | SIP_STIP | SIP_SEIP);
}

void arch_hart_offline(void)
{
    // Firmware may forget a fence that is asked of a hart as it stops, and the asker would wait in
    // the firmware for ever (OpenSBI 1.1). Later ones leave this hart out.
    for (unsigned i = 0; i < hart_count(); i++)
        while (atomic_load_explicit(&harts[i].arch.fencing, memory_order_acquire))
            hart_pause();
    csr_write(sie, 0);
    plic_hart_open(false);
    if (arch_timer_arm(ARCH_TIMER_NEVER) != NX_OK)
        panic("the firmware refuses to disarm the timer");
}

_Noreturn void arch_halt(void)
{
    csr_write(sie, 0);
    for (;;)
        arch_wait_for_interrupt();
}
