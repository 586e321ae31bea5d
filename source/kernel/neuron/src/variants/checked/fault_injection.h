// SPDX-License-Identifier: Apache-2.0
// Fault injection of the checked kernel, chosen by bootargs, so that tests can show that a gate
// turns red: `neuron.fault=suppress-ipi` drops every software interrupt instead of raising it;
// `neuron.fault=mask-timer:N` keeps hart N's timer interrupt masked;
// `neuron.fault=panic:N` panics on hart N; `neuron.fault=stack-overflow:N` recurses there until the
// kernel stack's guard page is hit.
#ifndef NEURON_FAULT_INJECTION_H
#define NEURON_FAULT_INJECTION_H

#include "core/types.h"

void fault_injection_init(void);
bool fault_injection_suppresses_ipi(void);
bool fault_injection_masks_timer(struct hart_index hart);
// At each tick of a hart: where a panic or a stack overflow is injected.
void fault_injection_on_tick(struct hart_index hart);

#endif
