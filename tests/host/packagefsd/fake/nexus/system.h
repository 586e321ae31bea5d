// SPDX-License-Identifier: Apache-2.0
// What packagefsd asks of the kernel, as a test answers it.
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
NX_MUST_CHECK enum nx_status nx_memory_create(uint64_t size, uint32_t flags, nx_handle *memory);
NX_MUST_CHECK enum nx_status nx_memory_commit(nx_handle memory, uint64_t offset, uint64_t length);
NX_MUST_CHECK enum nx_status nx_handle_duplicate(nx_handle handle, uint32_t rights, uint64_t badge,
                                                 nx_handle *duplicate);
void nx_handle_drop(nx_handle handle);
struct nx_process_facts {
    uint64_t pages_used;
    uint64_t pages_budget;
};

NX_MUST_CHECK enum nx_status nx_process_info(nx_handle process, struct nx_process_facts *facts);
NX_MUST_CHECK enum nx_status nx_notification_create(nx_handle *notification);
NX_MUST_CHECK enum nx_status nx_notification_signal(nx_handle notification, uint64_t bits);
NX_MUST_CHECK enum nx_status nx_notification_wait(nx_handle notification, uint64_t deadline,
                                                  uint64_t *bits);
NX_MUST_CHECK enum nx_status nx_memory_populate(nx_handle process, uint64_t address);

#endif
