// SPDX-License-Identifier: Apache-2.0
// The choice between stimecmp and the firmware's timer call.
#ifndef ARCH_TIMER_H
#define ARCH_TIMER_H

// Boot hart, once, after machine_discover: chooses Sstc if every hart's device tree node names it,
// the bootargs do not say neuron.sstc=off, and the register can be written (the firmware may have
// left it closed).
void timer_choose(void);

// Each hart when it comes online: checks that the choice holds for it, else falls back for itself.
void timer_hart_online(void);

#endif
