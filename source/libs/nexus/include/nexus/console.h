// SPDX-License-Identifier: Apache-2.0
// Client of uartd: the console, by lines and by raw bytes.
#ifndef NEXUS_CONSOLE_H
#define NEXUS_CONSOLE_H

#include "nexus/system.h"
#include <stdbool.h>

#define NX_CONSOLE_LINE_MAX 900u // characters of one line, prompt or raw read

struct nx_console_facts {
    uint64_t mmio_base; // physical
    uint32_t interrupt_number;
    uint64_t bytes_in;
    uint64_t bytes_out;
    uint64_t interrupts;
    uint64_t overruns;
    uint64_t kernel_log_bytes;
};

enum nx_line_end {
    NX_LINE_ENTERED,
    NX_LINE_END_OF_FILE, // Ctrl-D on an empty line
    NX_LINE_INTERRUPTED, // Ctrl-C
};

// Whether this program has a console.
bool nx_console_present(void);

// Writes all of it, in pieces that each come out whole.
NX_MUST_CHECK enum nx_status nx_console_write(const void *data, size_t length);

// Edits one line and returns it NUL-terminated, without its line end, cut at `size` - 1 characters.
//   NX_ERR_TOO_LARGE  more was entered than a line holds (256 bytes); it is lost, ask again.
NX_MUST_CHECK enum nx_status nx_console_read_line(const char *prompt, char *line, size_t size,
                                                  enum nx_line_end *end);

// Raw input: waits for at least one byte.
NX_MUST_CHECK enum nx_status nx_console_read_bytes(void *data, size_t size, size_t *length);

// The words that the tab key completes to.
NX_MUST_CHECK enum nx_status nx_console_set_completions(const char *const *words, uint32_t count);

// Ctrl-C signals `bits` to `notification` instead of being input, and drops what was typed before.
// NX_HANDLE_NONE ends that; so does a restart of the service. There is one watch for the console:
// the last one asked for.
NX_MUST_CHECK enum nx_status nx_console_watch_interrupt(nx_handle notification, uint64_t bits);

// Waits until everything logged or written before, by anybody, has left the device. A service that
// restarts, or for which too many wait already, is asked again until `deadline`.
//   NX_ERR_TIMED_OUT  not by `deadline`; some of it may still come out later.
NX_MUST_CHECK enum nx_status nx_console_flush(uint64_t deadline);

// The same through an endpoint of the caller's choice. For nexus-init, which must not wait for a
// restart that only it can bring about: NX_ERR_PEER_CLOSED when the service dies under the call.
NX_MUST_CHECK enum nx_status nx_console_flush_through(nx_handle endpoint, uint64_t deadline);

NX_MUST_CHECK enum nx_status nx_console_info(struct nx_console_facts *facts);

#endif
