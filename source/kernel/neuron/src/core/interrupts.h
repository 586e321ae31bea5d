// SPDX-License-Identifier: Apache-2.0
// What a hart does with its pending interrupts: mailbox, timer, devices.
#ifndef NEURON_INTERRUPTS_H
#define NEURON_INTERRUPTS_H

// Handles everything that pends on this hart at the time of the call. No lock may be held.
void interrupts_handle_pending(void);

#endif
