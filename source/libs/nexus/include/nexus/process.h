// SPDX-License-Identifier: Apache-2.0
// The running program as it finds itself: its start record, its handles, each thread's message
// page.
#ifndef NEXUS_PROCESS_H
#define NEXUS_PROCESS_H

#include "nexus/system.h"

extern _Thread_local struct nx_message_page *nx_thread_page; // constant after the thread's start

// The calling thread's message page. Every call that moves bytes or handles overwrites it.
static inline struct nx_message_page *nx_page(void)
{
    struct nx_message_page *page = __builtin_assume_aligned(nx_thread_page, NX_PAGE_SIZE);
    if (page == NULL) {
        __builtin_unreachable(); // every thread has one
    }
    return page;
}

// The start record that the program's creator wrote; constant, lives as long as the program.
extern struct nx_start_info nx_start_record;
static inline const struct nx_start_info *nx_start(void)
{
    return &nx_start_record;
}

// The handles of the start record by the ids that this library knows; NX_HANDLE_NONE where none was
// given. Constant after the program's start.
extern nx_handle nx_start_handles[NX_START_HANDLES_MAX];

// The handle granted under an id of the program's own, one past that table.
nx_handle nx_start_handle_find(enum nx_start_id id);

// The handle granted under `id`, or NX_HANDLE_NONE. The process owns it; do not close it when other
// code may still ask for it.
static inline nx_handle nx_start_handle(enum nx_start_id id)
{
    return (uint32_t)id < NX_START_HANDLES_MAX ? nx_start_handles[id] : nx_start_handle_find(id);
}

// `enum nx_status` as a word for messages to people: "NX_ERR_IO" is "i/o error". Never NULL.
const char *nx_status_text(enum nx_status status);

#endif
