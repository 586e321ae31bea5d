// SPDX-License-Identifier: Apache-2.0
// The platform-level interrupt controller. Owns its registers; contexts come from the device tree.
//
// enable_lock guards the read-modify-write of enable words: harts enable sources that share a word.
#include "plic.h"
#include "arch_inline.h"
#include "core/hart.h"
#include "core/lock.h"
#include "core/machine.h"
#include "core/panic.h"

static struct lock enable_lock = LOCK_INITIALIZER(LOCK_RANK_ASID);

// NULL when the machine has no such register: the window in the device tree is too small.
static volatile uint32_t *register_at(uint64_t offset)
{
    if (!machine.has_plic || machine.plic.size < sizeof(uint32_t) ||
        offset > machine.plic.size - sizeof(uint32_t))
        return NULL;
    return arch_direct_map(paddr(machine.plic.base.value + offset));
}

static uint32_t register_read(uint64_t offset)
{
    volatile uint32_t *where = register_at(offset);

    return where != NULL ? *where : 0;
}

// Device writes are ordered after the memory accesses before them, and before those after.
static void register_write(uint64_t offset, uint32_t value)
{
    volatile uint32_t *where = register_at(offset);

    if (where == NULL)
        return;
    __asm__ volatile("fence rw, o" ::: "memory");
    *where = value;
    __asm__ volatile("fence o, rw" ::: "memory");
}

static void check_source(uint32_t source)
{
    ASSERT(source >= 1 && source <= machine.plic_sources);
}

static bool has_context(struct hart_index hart)
{
    ASSERT(hart.value < machine.hart_count);
    return machine.harts[hart.value].has_plic_context;
}

static uint64_t context_register(struct hart_index hart, uint64_t offset)
{
    return PLIC_CONTEXT_BASE + arch_irq_context(hart) * PLIC_CONTEXT_STRIDE + offset;
}

uint32_t arch_irq_context(struct hart_index hart)
{
    ASSERT(hart.value < machine.hart_count);
    return machine.harts[hart.value].plic_context;
}

bool arch_irq_is_open(void)
{
    const struct hart_index self = hart_self()->index;

    return machine.has_plic && has_context(self) &&
           register_read(context_register(self, PLIC_THRESHOLD)) == 0 &&
           (csr_read(sie) & SIP_SEIP) != 0;
}

static void set_enabled(uint32_t source, struct hart_index hart, bool enabled)
{
    const uint64_t offset = PLIC_ENABLE_BASE + arch_irq_context(hart) * PLIC_ENABLE_STRIDE +
                            source / 32 * sizeof(uint32_t);
    const uint32_t bit = 1u << (source % 32);

    lock_acquire(&enable_lock);
    const uint32_t word = register_read(offset);

    register_write(offset, enabled ? word | bit : word & ~bit);
    lock_release(&enable_lock);
}

void arch_irq_enable(uint32_t source, struct hart_index hart)
{
    check_source(source);
    if (!has_context(hart))
        return;
    arch_irq_set_masked(source, false);
    set_enabled(source, hart, true);
}

void arch_irq_disable(uint32_t source, struct hart_index hart)
{
    check_source(source);
    if (!has_context(hart))
        return;
    set_enabled(source, hart, false);
}

uint32_t arch_irq_claim(void)
{
    const struct hart_index self = hart_self()->index;

    if (!has_context(self))
        return 0;
    const uint32_t source = register_read(context_register(self, PLIC_CLAIM_COMPLETE));

    return source <= machine.plic_sources ? source : 0;
}

void arch_irq_complete(uint32_t source, struct hart_index hart)
{
    check_source(source);
    if (!has_context(hart))
        return;
    register_write(context_register(hart, PLIC_CLAIM_COMPLETE), source);
}

void arch_irq_set_masked(uint32_t source, bool masked)
{
    check_source(source);
    register_write(PLIC_PRIORITY_BASE + source * sizeof(uint32_t),
                   masked ? PLIC_PRIORITY_OFF : PLIC_PRIORITY_ON);
}

void plic_hart_open(bool open)
{
    const struct hart_index self = hart_self()->index;

    if (!has_context(self))
        return;
    register_write(context_register(self, PLIC_THRESHOLD),
                   open ? PLIC_THRESHOLD_OPEN : PLIC_THRESHOLD_SHUT);
}
