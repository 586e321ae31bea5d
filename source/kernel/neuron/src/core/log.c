// SPDX-License-Identifier: Apache-2.0
// The kernel log: a ring of text that every hart writes whole lines to and one reader drains.
#include "core/log.h"

#include "arch/arch.h"
#include "arch_inline.h"
#include "bootargs/bootargs.h"
#include "core/hart.h"
#include "core/lock.h"
#include "core/machine.h"
#include "core/panic.h"
#include "core/print.h"
#include "ipc/notification.h"
#include <stdarg.h>
#include <string.h>

#define LOG_RING_SIZE 65536ull // a power of two

static struct lock log_lock = LOCK_INITIALIZER(LOCK_RANK_LOG);
// Guarded by log_lock.
static char ring[LOG_RING_SIZE];
static uint64_t written;            // bytes ever written; the next goes to written % LOG_RING_SIZE
static struct notification *reader; // reference held
static uint64_t reader_bits;
static uint64_t shown; // bytes that have reached the console, by the kernel or by a reader
// Set under the lock, read without it.
static _Atomic bool has_reader;
atomic_uint log_has_news;

// Constant after log_stamp_init.
static bool stamping;
static uint64_t stamp_origin;

void log_stamp_init(void)
{
    stamping = bootargs_is(machine.bootargs, "neuron.stamp", "1");
    if (stamping)
        stamp_origin = arch_instructions();
}

// How many of `length` bytes from `position` on lie before the ring's end.
static size_t before_end(uint64_t position, size_t length)
{
    size_t room = LOG_RING_SIZE - position % LOG_RING_SIZE;
    return length < room ? length : room;
}

// The lock is held.
static void append_locked(const char *text, size_t length)
{
    size_t first = before_end(written, length);
    memcpy(&ring[written % LOG_RING_SIZE], text, first);
    memcpy(ring, text + first, length - first);
    written += length;
    if (!atomic_load_explicit(&has_reader, memory_order_relaxed)) {
        arch_console_write(text, length);
        shown = written;
    }
    atomic_store_explicit(&log_has_news, 1, memory_order_relaxed);
}

static void append(const char *text, size_t length)
{
    if (panic_is_elsewhere())
        hart_halt_for_panic();
    lock_acquire(&log_lock);
    if (stamping) {
        char stamp[24];
        int stamp_length =
            print_to(stamp, sizeof(stamp), "[%10lu] ", arch_instructions() - stamp_origin);
        append_locked(stamp, (size_t)stamp_length);
    }
    append_locked(text, length);
    lock_release(&log_lock);
    if (atomic_load_explicit(&has_reader, memory_order_relaxed))
        hart_self()->reschedule = true; // takes kernel_leave through log_signal_reader
}

void log_line(const char *format, ...)
{
    char line[PRINT_LINE_MAX + 1];
    va_list arguments;
    va_start(arguments, format);
    int length = print_format(line, PRINT_LINE_MAX, format, arguments);
    va_end(arguments);
    size_t end = length < 0 ? 0 : (size_t)length;
    if (end > PRINT_LINE_MAX - 1)
        end = PRINT_LINE_MAX - 1;
    line[end] = '\n';
    append(line, end + 1);
}

void log_write(const char *text, size_t length)
{
    char copy[NX_MESSAGE_BYTES_MAX + 1];
    if (length > NX_MESSAGE_BYTES_MAX)
        length = NX_MESSAGE_BYTES_MAX;
    for (size_t i = 0; i < length; i++) {
        char c = text[i];
        bool printable = c == '\n' || c == '\t' || (unsigned char)c >= ' ';
        copy[i] = printable && c != 0x7f ? c : '?';
    }
    if (length > 0 && copy[length - 1] != '\n')
        copy[length++] = '\n';
    append(copy, length);
}

size_t log_read(uint64_t *cursor, char *buffer, size_t capacity, uint64_t *lost)
{
    lock_acquire(&log_lock);
    uint64_t oldest = written > LOG_RING_SIZE ? written - LOG_RING_SIZE : 0;
    uint64_t position = *cursor;
    *lost = 0;
    if (position < oldest) {
        *lost = oldest - position;
        position = oldest;
    }
    if (position > written)
        position = written;
    uint64_t available = written - position;
    size_t length = available < capacity ? (size_t)available : capacity;
    size_t first = before_end(position, length);
    memcpy(buffer, &ring[position % LOG_RING_SIZE], first);
    memcpy(buffer + first, ring, length - first);
    *cursor = position + length;
    if (*cursor > shown)
        shown = *cursor;
    lock_release(&log_lock);
    return length;
}

enum nx_status log_bind(struct notification *notification, uint64_t bits, uint64_t *cursor)
{
    if (!object_try_acquire(&notification->object))
        return NX_ERR_BAD_HANDLE;
    lock_acquire(&log_lock);
    struct notification *old = reader;
    reader = notification;
    reader_bits = bits;
    *cursor = shown;
    atomic_store_explicit(&has_reader, true, memory_order_relaxed);
    atomic_store_explicit(&log_has_news, 1, memory_order_relaxed);
    lock_release(&log_lock);
    if (old != NULL)
        object_release(&old->object);
    hart_self()->reschedule = true;
    return NX_OK;
}

void log_tell_reader(void)
{
    if (!atomic_load_explicit(&has_reader, memory_order_relaxed) ||
        atomic_exchange_explicit(&log_has_news, 0, memory_order_relaxed) == 0)
        return;
    lock_acquire(&log_lock);
    // Replaced meanwhile or not, it lives until this hart leaves the kernel.
    struct notification *notification = reader;
    uint64_t bits = reader_bits;
    lock_release(&log_lock);
    notification_signal(notification, bits);
}
