// SPDX-License-Identifier: Apache-2.0
// Stands in for the system calls: what nexus-init makes of them, answered by world.c.
#ifndef FAKE_NEXUS_SYSTEM_H
#define FAKE_NEXUS_SYSTEM_H

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

struct nx_process_facts {
    enum nx_process_state state;
    int64_t exit_status;
    uint64_t pages_used;
    uint64_t pages_budget;
};

NX_MUST_CHECK enum nx_status nx_endpoint_create(nx_handle *endpoint);
NX_MUST_CHECK enum nx_status nx_endpoint_call(nx_handle endpoint, struct nx_message *message);
NX_MUST_CHECK enum nx_status nx_endpoint_receive(nx_handle endpoint, uint64_t deadline,
                                                 struct nx_message *message);
NX_MUST_CHECK enum nx_status nx_endpoint_reply_receive(nx_handle endpoint,
                                                       struct nx_message *message);
NX_MUST_CHECK enum nx_status nx_handle_duplicate(nx_handle handle, uint32_t rights, uint64_t badge,
                                                 nx_handle *duplicate);
void nx_handle_drop(nx_handle handle);
NX_MUST_CHECK enum nx_status nx_memory_device_create(nx_handle machine, uint64_t physical,
                                                     uint64_t size, nx_handle *memory);
NX_MUST_CHECK enum nx_status nx_interrupt_create(nx_handle machine, uint32_t source,
                                                 nx_handle *interrupt);
NX_MUST_CHECK enum nx_status nx_interrupt_ack(nx_handle interrupt);
NX_MUST_CHECK enum nx_status nx_process_info(nx_handle process, struct nx_process_facts *facts);
NX_MUST_CHECK enum nx_status nx_process_kill(nx_handle process, int64_t exit_status);
NX_MUST_CHECK enum nx_status nx_system_reset(nx_handle machine, enum nx_reset_kind kind);

#endif
