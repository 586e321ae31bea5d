// SPDX-License-Identifier: Apache-2.0
// What the parts of the fake machine tell each other.
#ifndef FAKE_PRIVATE_H
#define FAKE_PRIVATE_H

#include "core/types.h"

struct arch_hart;
struct hart;
struct thread;

// An event for a hart that may sleep.
void fake_hart_wake(struct hart *hart);
// Whether an interrupt line pends for the hart's context.
bool fake_plic_pends(uint32_t hart);

// One access of a user program, through the translations of the hart that runs it: an aligned
// 64-bit word is read into or written from *value. False: it faults.
bool fake_user_access(struct hart *hart, uint64_t address, uint32_t prot, uint64_t *value);

// Frees what runs a thread's program.
void fake_fiber_release(struct thread *thread);

#endif
