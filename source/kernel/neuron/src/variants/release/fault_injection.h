// SPDX-License-Identifier: Apache-2.0
// Fault injection of the release kernel: none.
#ifndef NEURON_FAULT_INJECTION_H
#define NEURON_FAULT_INJECTION_H

#include "core/types.h"

static inline void fault_injection_init(void)
{
}

static inline bool fault_injection_suppresses_ipi(void)
{
    return false;
}

static inline bool fault_injection_masks_timer(struct hart_index hart)
{
    (void)hart;
    return false;
}

static inline void fault_injection_on_tick(struct hart_index hart)
{
    (void)hart;
}

#endif
