// SPDX-License-Identifier: Apache-2.0
// Moving one message from a sender's registers, page and handles to a receiver's.
#ifndef NEURON_TRANSFER_H
#define NEURON_TRANSFER_H

#include "core/types.h"

struct thread;

// Whether an info word from user space describes a possible message.
bool transfer_info_is_valid(uint64_t info);

// Copies `words`, and what `info` announces, to `receiver`, whose result is set to NX_OK. The
// caller of this function owns both threads. On an error the receiver's registers and handles are
// as before. Errors: those of handle_lookup and handle_install for the handles that ride along.
NX_MUST_CHECK enum nx_status transfer_message(struct thread *sender, struct thread *receiver,
                                              uint64_t info, const uint64_t words[6]);

// The handles' part of it.
NX_MUST_CHECK enum nx_status transfer_handles(struct thread *sender, struct thread *receiver,
                                              uint32_t count);

#endif
