// SPDX-License-Identifier: Apache-2.0
// The kernel log: a ring of text that every hart writes whole lines to and one reader drains.
//
// Until a reader binds, lines also go straight to the boot console; afterwards the reader (uartd)
// owns the UART, and the kernel prints by itself only in a panic. The lock (rank LOG) guards the
// ring and keeps lines whole. The reader is signalled outside of it, at the next point where the
// kernel is left, because lines are written under locks of any rank.
#ifndef NEURON_LOG_H
#define NEURON_LOG_H

#include "core/types.h"
#include <stdatomic.h>

struct notification;

// With the boot argument neuron.stamp=1 each line begins with the number of instructions that this
// hart has retired since the call: exact costs of the boot under QEMU's -icount at one hart. Once,
// by the boot hart.
void log_stamp_init(void);

// One formatted line; the end of line is added.
void log_line(const char *format, ...) __attribute__((format(printf, 1, 2)));

// Text from user space: unprintable bytes become '?', a missing final end of line is added.
void log_write(const char *text, size_t length);

// Copies text from byte position *cursor on; advances it, and reports in *lost how much was
// overwritten before it could be read. Returns the number of bytes copied.
size_t log_read(uint64_t *cursor, char *buffer, size_t capacity, uint64_t *lost);

// Names who is signalled when there is text; takes a reference. *cursor is where the reader goes
// on: behind what the kernel itself has printed, or behind what the last reader has read. Errors:
// NX_ERR_BAD_HANDLE.
NX_MUST_CHECK enum nx_status log_bind(struct notification *notification, uint64_t bits,
                                      uint64_t *cursor);

// Signals the reader if there is new text. No lock may be held.
extern atomic_uint log_has_news; // hint: the reader was not yet signalled
void log_tell_reader(void);
static inline void log_signal_reader(void)
{
    if (atomic_load_explicit(&log_has_news, memory_order_relaxed) != 0)
        log_tell_reader();
}

#endif
