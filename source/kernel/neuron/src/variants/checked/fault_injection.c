// SPDX-License-Identifier: Apache-2.0
// Fault injection of the checked kernel, chosen by bootargs.
#include "fault_injection.h"

#include "core/machine.h"
#include <string.h>

// Constant after fault_injection_init.
static bool suppress_ipi;
static uint32_t masked_timer_hart = NX_HARTS_MAX; // NX_HARTS_MAX: none

void fault_injection_init(void)
{
    static const char mask_timer[] = "mask-timer:";
    char value[32];
    if (!machine_option("neuron.fault", value, sizeof(value)))
        return;
    suppress_ipi = strcmp(value, "suppress-ipi") == 0;
    size_t prefix = sizeof(mask_timer) - 1;
    if (strncmp(value, mask_timer, prefix) == 0 && value[prefix] >= '0' && value[prefix] <= '3')
        masked_timer_hart = (uint32_t)(value[prefix] - '0');
}

bool fault_injection_suppresses_ipi(void)
{
    return suppress_ipi;
}

bool fault_injection_masks_timer(struct hart_index hart)
{
    return hart.value == masked_timer_hart;
}
