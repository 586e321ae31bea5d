// SPDX-License-Identifier: Apache-2.0
// What the server loop asks of the kernel, as a test answers it.
#ifndef NEXUS_SYSTEM_H
#define NEXUS_SYSTEM_H

#include "nexus/handle.h"
#include "nexus/limits.h"
#include "nexus/message.h"
#include "nexus/status.h"
#include "nexus/syscall.h"
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define NX_INLINE static inline

struct nx_message {
    uint64_t words[NX_MESSAGE_WORDS];
    uint64_t info;
    uint64_t badge;
};

NX_MUST_CHECK enum nx_status nx_endpoint_call(nx_handle endpoint, struct nx_message *message);
NX_MUST_CHECK enum nx_status nx_endpoint_receive(nx_handle endpoint, uint64_t deadline,
                                                 struct nx_message *message);
NX_MUST_CHECK enum nx_status nx_endpoint_reply_receive(nx_handle endpoint,
                                                       struct nx_message *message);
NX_MUST_CHECK enum nx_status nx_endpoint_reply(nx_handle reply, const struct nx_message *message);
void nx_handle_drop(nx_handle handle);

#endif
