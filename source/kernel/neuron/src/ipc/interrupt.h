// SPDX-License-Identifier: Apache-2.0
// Interrupt objects: a PLIC source that signals a notification.
//
// Life cycle: interrupt_create reserves the source -> interrupt_bind names a notification and bits
// and enables the source on the binding hart -> each interrupt is claimed by the kernel, counted
// and signalled, and stays claimed, hence silent, until the driver acknowledges it: the PLIC
// complete, on the context that claimed it. A new driver instance binds again, which completes what
// its predecessor left. A source without an object is masked by priority when it fires.
//
// The lock (rank OBJECT) guards the fields below it. The table of sources is read without a lock;
// an object in it lives until the kernel is left.
#ifndef NEURON_INTERRUPT_H
#define NEURON_INTERRUPT_H

#include "core/lock.h"
#include "nexus/info.h"
#include "object/object.h"

struct hart;
struct notification;

struct interrupt {
    struct object object;
    uint32_t source; // constant
    struct lock lock;
    struct notification *notification; // reference held; NULL: not bound
    uint64_t bits;
    uint32_t hart; // index of the hart whose context has it enabled
    bool claimed;  // claimed and not yet completed
    uint64_t count;
    uint64_t acknowledged;
};

// Errors: NX_ERR_OUT_OF_RANGE (no such source), NX_ERR_BUSY (it has an object), NX_ERR_NO_MEMORY.
NX_MUST_CHECK enum nx_status interrupt_create(struct process *process, uint64_t source,
                                              struct interrupt **interrupt);
// Errors: NX_ERR_BAD_HANDLE (the notification is retired), NX_ERR_UNSUPPORTED (neither this hart
// nor hart 0 has a PLIC context).
NX_MUST_CHECK enum nx_status interrupt_bind(struct interrupt *interrupt,
                                            struct notification *notification, uint64_t bits);
// Errors: NX_ERR_BAD_STATE (nothing to acknowledge).
NX_MUST_CHECK enum nx_status interrupt_acknowledge(struct interrupt *interrupt);

// Claims and delivers what pends for this hart.
void interrupt_deliver_claimed(void);

// Moves the sources enabled on `from` to `to` (hart_stop).
void interrupt_move_all(struct hart *from, struct hart *to);

// The interrupt object at position `index`, for diagnosis; false past the last.
bool interrupt_describe(uint64_t index, struct nx_info_interrupt *record);

enum destroy_result interrupt_destroy_step(struct object *object);

#endif
