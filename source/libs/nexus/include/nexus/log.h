// SPDX-License-Identifier: Apache-2.0
// The program's lines in the kernel log: markers, reports and errors.
#ifndef NEXUS_LOG_H
#define NEXUS_LOG_H

#include <stddef.h>

#define NX_LOG_LINE_MAX 1024u // bytes of one line, including its line end; longer ones are cut

// Writes one line, formatted as by printf; adds the line end when the text has none. Lines of
// different threads and processes never mix. Overwrites the thread's message page data. Without a
// log handle it does nothing.
void nx_log(const char *format, ...) __attribute__((format(printf, 1, 2)));

// The same for text that is ready: one line of `length` bytes.
void nx_log_text(const char *text, size_t length);

#endif
