// SPDX-License-Identifier: Apache-2.0
// The fake interrupt controller: level-triggered lines, a gateway per source that is closed from
// claim to complete, one context per hart. A complete from a context in which the source is not
// enabled is ignored, as on the real one.
#include "fake.h"
#include "fake_private.h"

#include "arch_inline.h"
#include "core/hart.h"
#include "core/machine.h"

// Bit n: source n.
static _Atomic uint32_t lines;
static _Atomic uint32_t claimed;
static _Atomic uint32_t unmasked;
static _Atomic uint32_t enabled[NX_HARTS_MAX];

static uint32_t load(const _Atomic uint32_t *word)
{
    return atomic_load_explicit(word, memory_order_relaxed);
}

static void set(_Atomic uint32_t *word, uint32_t source, bool on)
{
    if (on)
        atomic_fetch_or_explicit(word, 1u << source, memory_order_relaxed);
    else
        atomic_fetch_and_explicit(word, ~(1u << source), memory_order_relaxed);
}

static uint32_t deliverable(uint32_t hart)
{
    return load(&lines) & ~load(&claimed) & load(&unmasked) & load(&enabled[hart]);
}

bool fake_plic_pends(uint32_t hart)
{
    return deliverable(hart) != 0;
}

static void wake_all(void)
{
    for (uint32_t i = 0; i < hart_count(); i++)
        if (deliverable(i) != 0)
            fake_hart_wake(&harts[i]);
}

void fake_plic_raise(uint32_t source)
{
    set(&lines, source, true);
    wake_all();
}

void fake_plic_lower(uint32_t source)
{
    set(&lines, source, false);
}

bool fake_plic_is_enabled(uint32_t source, uint32_t hart)
{
    return (load(&enabled[hart]) >> source & 1) != 0;
}

void arch_irq_enable(uint32_t source, struct hart_index hart)
{
    FAKE_CHECK(source >= 1 && source <= FAKE_SOURCES);
    set(&unmasked, source, true);
    set(&enabled[hart.value], source, true);
    wake_all();
}

void arch_irq_disable(uint32_t source, struct hart_index hart)
{
    FAKE_CHECK(source >= 1 && source <= FAKE_SOURCES);
    set(&enabled[hart.value], source, false);
}

uint32_t arch_irq_claim(void)
{
    for (;;) {
        uint32_t candidates = deliverable(hart_self()->index.value);
        if (candidates == 0)
            return 0;
        uint32_t source = (uint32_t)__builtin_ctz(candidates);
        uint32_t before = atomic_fetch_or_explicit(&claimed, 1u << source, memory_order_relaxed);
        if ((before >> source & 1) == 0)
            return source;
    }
}

void arch_irq_complete(uint32_t source, struct hart_index hart)
{
    FAKE_CHECK(source >= 1 && source <= FAKE_SOURCES);
    if (!fake_plic_is_enabled(source, hart.value))
        return;
    set(&claimed, source, false);
    wake_all();
}

void arch_irq_set_masked(uint32_t source, bool masked)
{
    FAKE_CHECK(source >= 1 && source <= FAKE_SOURCES);
    set(&unmasked, source, !masked);
    wake_all();
}

bool arch_irq_is_open(void)
{
    return machine.harts[arch_hart_self()->index.value].has_plic_context;
}

uint32_t arch_irq_context(struct hart_index hart)
{
    return machine.harts[hart.value].plic_context;
}
