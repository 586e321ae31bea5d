// SPDX-License-Identifier: Apache-2.0
// Stands in for the runtime and the kernel: what uartd uses of them, implemented by world.c.
#ifndef FAKE_NEXUS_PROCESS_H
#define FAKE_NEXUS_PROCESS_H

#include "nexus/handle.h"
#include "nexus/message.h"
#include "nexus/status.h"
#include <string.h>

struct nx_message {
    uint64_t words[NX_MESSAGE_WORDS];
    uint64_t info;
    uint64_t badge;
};

struct nx_log_part {
    uint64_t next_cursor;
    uint64_t bytes;
    uint64_t lost;
};

struct nx_message_page *nx_page(void);
const struct nx_start_info *nx_start(void);
void nx_handle_drop(nx_handle handle);
NX_MUST_CHECK enum nx_status nx_handle_info(nx_handle handle, enum nx_object_type *type,
                                            uint32_t *rights);
NX_MUST_CHECK enum nx_status nx_reply_save(nx_handle *reply);
NX_MUST_CHECK enum nx_status nx_endpoint_reply(nx_handle reply, const struct nx_message *message);
NX_MUST_CHECK enum nx_status nx_notification_signal(nx_handle notification, uint64_t bits);
NX_MUST_CHECK enum nx_status nx_log_read(nx_handle log, uint64_t cursor, struct nx_log_part *part);

#endif
