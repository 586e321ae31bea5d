// SPDX-License-Identifier: Apache-2.0
// Stands in for the system calls that virtioblkd makes, answered by the test.
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

struct nx_process_facts {
    uint64_t pages_used;
    uint64_t pages_budget;
};

struct nx_memory_facts {
    uint64_t size;
    uint32_t flags;
};

NX_MUST_CHECK enum nx_status nx_endpoint_call(nx_handle endpoint, struct nx_message *message);
NX_MUST_CHECK enum nx_status nx_notification_signal(nx_handle notification, uint64_t bits);
NX_MUST_CHECK enum nx_status nx_notification_wait(nx_handle notification, uint64_t deadline,
                                                  uint64_t *bits);
NX_MUST_CHECK enum nx_status nx_interrupt_ack(nx_handle interrupt);
NX_MUST_CHECK enum nx_status nx_handle_duplicate(nx_handle handle, uint32_t rights, uint64_t badge,
                                                 nx_handle *duplicate);
NX_MUST_CHECK enum nx_status nx_handle_info(nx_handle handle, enum nx_object_type *type,
                                            uint32_t *rights);
void nx_handle_drop(nx_handle handle);
NX_MUST_CHECK enum nx_status nx_memory_create(uint64_t size, uint32_t flags, nx_handle *memory);
NX_MUST_CHECK enum nx_status nx_memory_info(nx_handle memory, struct nx_memory_facts *facts);
NX_MUST_CHECK enum nx_status nx_memory_physical(nx_handle machine, nx_handle memory,
                                                uint64_t offset, uint64_t length, uint64_t *count);
NX_MUST_CHECK enum nx_status nx_process_info(nx_handle process, struct nx_process_facts *facts);

#endif
