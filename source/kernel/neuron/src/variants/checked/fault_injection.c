// SPDX-License-Identifier: Apache-2.0
// Fault injection of the checked kernel, chosen by bootargs.
#include "fault_injection.h"

#include "bootargs/bootargs.h"
#include "core/machine.h"
#include "core/panic.h"
#include <string.h>

#define NO_HART NX_HARTS_MAX

// Constant after fault_injection_init.
static bool suppress_ipi;
static uint32_t masked_timer_hart = NO_HART;
static uint32_t panicking_hart = NO_HART;
static uint32_t overflowing_hart = NO_HART;

// The hart of "fault:N", or NO_HART when the value is something else.
static uint32_t hart_of(const char *value, size_t length, const char *fault)
{
    size_t fault_length = strlen(fault);
    if (length != fault_length + 2 || memcmp(value, fault, fault_length) != 0 ||
        value[fault_length] != ':')
        return NO_HART;
    char digit = value[fault_length + 1];
    return digit >= '0' && digit < '0' + (char)NX_HARTS_MAX ? (uint32_t)(digit - '0') : NO_HART;
}

void fault_injection_init(void)
{
    size_t length;
    const char *value = bootargs_find(machine.bootargs, "neuron.fault", &length);
    if (value == NULL)
        return;
    suppress_ipi = bootargs_is(machine.bootargs, "neuron.fault", "suppress-ipi");
    masked_timer_hart = hart_of(value, length, "mask-timer");
    panicking_hart = hart_of(value, length, "panic");
    overflowing_hart = hart_of(value, length, "stack-overflow");
}

bool fault_injection_suppresses_ipi(void)
{
    return suppress_ipi;
}

bool fault_injection_masks_timer(struct hart_index hart)
{
    return hart.value == masked_timer_hart;
}

// Uses a part of the stack in each call; the sum keeps the compiler from making it a loop.
static uint64_t use_stack(volatile uint64_t *depth)
{
    volatile uint64_t frame[32];
    frame[0] = ++*depth;
    if (frame[0] == UINT64_MAX)
        return 0;
    return use_stack(depth) + frame[0];
}

void fault_injection_on_tick(struct hart_index hart)
{
    if (hart.value == panicking_hart)
        panic("injected by neuron.fault");
    if (hart.value == overflowing_hart) {
        volatile uint64_t depth = 0;
        panic("the stack did not overflow: %lu", use_stack(&depth));
    }
}
