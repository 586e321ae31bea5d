// SPDX-License-Identifier: Apache-2.0
// Starting programs: an ELF file becomes a process with exactly the handles it is given.
//
// Life cycle of a child: nx_spawn, it runs, it ends (by itself, killed, or by a fault),
// nx_child_wait, nx_child_close. Closing a child that runs leaves it running.
#ifndef NEXUS_SPAWN_H
#define NEXUS_SPAWN_H

#include "nexus/system.h"

// One handle for the new program. The creator keeps its own.
struct nx_grant {
    enum nx_start_id id; // under which the program finds it
    nx_handle handle;
    uint32_t rights; // at most those of `handle`
};

// The ELF file: its bytes in this address space and, where the file begins on a page boundary of a
// memory object, that object: its pages are then mapped into the program without a copy.
struct nx_image {
    const void *bytes;
    size_t size;
    nx_handle memory; // NX_HANDLE_NONE: copy everything
    uint64_t memory_offset;
};

struct nx_spawn_options {
    const char *name; // of the process, in diagnosis records
    struct nx_image image;
    const char *const *arguments; // argument_count strings, at most 1 KiB in all
    uint32_t argument_count;
    const struct nx_grant *grants;
    uint32_t grant_count;
    // Copied into the start record: device_base, interrupt_number and the *_bytes and *_offset
    // fields. NULL: all zero.
    const struct nx_start_info *facts;
    uint64_t budget_pages; // 0: NX_SPAWN_BUDGET_DEFAULT
    uint64_t stack_bytes;  // 0: 256 KiB, committed as it is touched
    enum nx_class highest_class;
    uint64_t affinity; // mask of hart indices; 0: any
    // Signalled at the process's end; NX_HANDLE_NONE: nx_spawn makes one that nx_child_wait uses.
    nx_handle exit_notification;
    uint64_t exit_bits;
    nx_handle fault_endpoint; // NX_HANDLE_NONE: a fault kills the process
};

#define NX_SPAWN_BUDGET_DEFAULT 4096ul // pages: 16 MiB

struct nx_child {
    nx_handle process;
    nx_handle thread; // the first one
    nx_handle exited; // notification made by nx_spawn, else NX_HANDLE_NONE
};

// Starts the program. On failure nothing of it is left. NX_ERR_BAD_FORMAT, NX_ERR_TRUNCATED or
// NX_ERR_UNSUPPORTED: the image; NX_ERR_TOO_LARGE: too many arguments or grants.
NX_MUST_CHECK enum nx_status nx_spawn(const struct nx_spawn_options *options,
                                      struct nx_child *child);

// The same for an ELF file of pkg://; options->image is not used.
NX_MUST_CHECK enum nx_status
nx_spawn_package(const char *path, const struct nx_spawn_options *options, struct nx_child *child);

// Waits until the child has ended. NX_ERR_TIMED_OUT: it runs on. Only for children with an exit
// notification of nx_spawn's own.
NX_MUST_CHECK enum nx_status nx_child_wait(const struct nx_child *child, uint64_t deadline,
                                           int64_t *exit_status);

void nx_child_close(struct nx_child *child);

// The cause of a fault message (word NX_FAULT_CAUSE) in words, such as "load page fault".
const char *nx_fault_text(uint64_t cause);

// How a process with this exit status ended: "killed", "ended by a fault" or "ended status=N".
// `text` is room for the last of these.
#define NX_EXIT_TEXT_BYTES 40u
const char *nx_exit_text(int64_t exit_status, char text[NX_EXIT_TEXT_BYTES]);

#endif
