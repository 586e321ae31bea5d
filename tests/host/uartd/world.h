// SPDX-License-Identifier: Apache-2.0
// The world around uartd in host tests: a kernel log, callers, a clock, and a UART whose output
// lands on a terminal model.
//
// One world at a time: world_new() makes and resets it.
#ifndef TESTS_UARTD_WORLD_H
#define TESTS_UARTD_WORLD_H

#include "../console/terminal.h"
#include "uartd.h"

#define OUTPUT_MAX      262144u
#define ANSWERS_MAX     512u
#define FIFO_BYTES      16u
#define NOT_ANSWERED    0xffffu
#define NO_NOTIFICATION 99u // a handle

struct uart_report_reader; // uart.capnp.h

struct answer {
    enum nx_status transport; // register word 0
    size_t bytes;
    uint64_t data[NX_MESSAGE_BYTES_MAX / 8];
    bool given;
    size_t output_length; // of the world when it was given
};

struct world {
    struct uartd uartd;
    uint64_t now;
    struct nx_message_page page;
    struct nx_start_info start;

    // The device.
    bool stalled;    // the line takes no bytes
    bool holds_last; // the last byte stays in the shift register
    bool shift_full;
    uint8_t shift;
    unsigned line_looks; // reads of the line status register
    uint8_t interrupt_enable;
    uint8_t scratch;
    size_t fifo_used;
    uint8_t fifo[FIFO_BYTES];
    const char *typed; // NUL-terminated, still to be received

    char output[OUTPUT_MAX]; // everything that left the device
    size_t output_length;
    struct terminal terminal;

    char log[65536];
    uint64_t log_length;
    uint64_t log_lost; // to be reported by the next read

    // Callers: call n has reply handle n + 1 once it is saved.
    size_t calls;
    bool current_open; // the current caller has neither been answered nor saved
    bool caller_dead;  // answers fail
    struct answer answers[ANSWERS_MAX];
    size_t dropped_handles;

    // What was signalled, and where the signals go.
    nx_handle signalled;
    uint64_t signalled_bits;
    size_t signals;
};

struct world *world_new(void);
void world_free(void);

// Makes uartd work until nothing moves any more.
void world_run(void);

void world_log(const char *text);
void world_type(const char *keys);

// Sends the request in the page as `badge` and lets uartd work; returns the call's number.
size_t world_send(uint64_t badge, size_t bytes);

// The same for one kind of request each.
size_t world_write(uint64_t badge, const char *text);
size_t world_write_bytes(uint64_t badge, const void *bytes, size_t length);
size_t world_read_line(uint64_t badge, const char *prompt);
size_t world_read_bytes(uint64_t badge, uint32_t maximum);
size_t world_complete(const char *const *words, uint32_t count);
size_t world_flush(uint64_t badge);
size_t world_watch(uint64_t badge, nx_handle notification, uint64_t bits);
size_t world_status(struct uart_report_reader *report);

// The status in the answer's Response; NOT_ANSWERED when there is none yet.
unsigned world_answer(size_t call);

// The line that a readLine got, NULL when it has no such answer.
const char *world_line(size_t call);

#endif
