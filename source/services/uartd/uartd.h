// SPDX-License-Identifier: Apache-2.0
// uartd: the state of the console service and what its files do to it.
//
// One thread owns everything. It waits for a message or for the bound notification, which the
// device's interrupt and the kernel log signal; after each of them it moves input (input.c) and
// output (output.c) as far as they go. Nothing spins and nothing polls: what cannot go on waits for
// the next transmit interrupt, request, log line or deadline.
//
// Who may print: the kernel log, clients' writes, and the line editor share one screen.
//   * At the start of a line anybody may print; whoever leaves a line unfinished owns it for
//     LINE_PATIENCE, then the others end it for him. So lines stay whole.
//   * An edited line is taken off the screen before others print and drawn again behind them.
//   * Output waits in its client (or in the kernel log) until the transmit ring has room. The
//     editor's echo has a part of the ring for itself, and input waits while that part is in use.
//   * Started with a token as its argument, uartd frames clients' writes: each piece of them
//   becomes
//     a line `TOKEN:text`, where every byte that is not printable ASCII, and `%`, is written %XX.
//     Whoever reads the line on the other end and knows the token gets the exact bytes, and can
//     tell them from the kernel log whatever they are.
#ifndef UARTD_UARTD_H
#define UARTD_UARTD_H

#include "console/console.h"
#include "nexus/clock.h"
#include "nexus/process.h"
#include "serial/ns16550/ns16550.h"
#include <stdbool.h>

#define TRANSMIT_BYTES 16384u // the ring's size, a power of two
#define RECEIVE_BYTES  2048u  // typed ahead, a power of two
#define ECHO_BYTES     4096u  // of the transmit ring: the most that one key can make the editor say
#define WRITERS_MAX    8u     // writes that wait for room; further callers wait in the endpoint
#define FLUSHES_MAX    8u     // flushes under way; further callers are refused
#define WRITE_BYTES    NX_MESSAGE_BYTES_MAX
#define LOG_BYTES      (2 * NX_MESSAGE_BYTES_MAX)
#define FRAME_BYTES    512u // of a write in one framed line
#define TOKEN_BYTES    64u
#define LINE_PATIENCE  (100 * NX_MILLISECOND)
#define LOG_OWNER      (~0ull) // stands for a badge; nexus-init gives out small ones

// A write that is not out yet.
struct writer {
    nx_handle reply;
    uint64_t badge;
    uint64_t number; // of all writes ever taken, in order of arrival
    size_t length;
    size_t done; // bytes in the transmit ring
    uint8_t data[WRITE_BYTES];
};

// Text of the kernel log that is not out yet.
struct log_drain {
    uint64_t cursor;
    bool pending; // there may be more to read
    size_t length;
    char text[LOG_BYTES];
    uint64_t bytes_printed;
};

// A client that waits until all output before its request has left the device.
struct flush {
    nx_handle reply;
    uint64_t writes_before; // writes with smaller numbers go first
    uint64_t log_goal; // of drain.bytes_printed; unknown until the log has been read to its end
    uint64_t position; // of the transmit ring; unknown until all of it is in there
};

enum reader_kind { READER_NONE = 0, READER_LINE, READER_BYTES };

// The one client that waits for input.
struct reader {
    enum reader_kind kind;
    nx_handle reply;
    uint64_t badge;
    uint32_t maximum; // of READER_BYTES
};

struct uartd {
    nx_handle service;
    nx_handle notification;
    nx_handle interrupt;
    nx_handle log;

    volatile uint8_t *registers;
    struct ns16550 port;
    uint64_t interrupt_transmitted; // bytes that interrupts, not writes, gave to the device
    bool attached;                  // the log has been drained through interrupts once
    const char *token;              // of framed writes; NULL: writes come out as they are

    // The screen.
    bool line_open;         // the last thing printed was not a line end
    uint64_t line_owner;    // badge of whoever left it open
    uint64_t line_deadline; // until when it is kept for him
    bool last_was_return;   // the last byte out was CR: an LF needs none

    struct log_drain drain;
    struct writer writers[WRITERS_MAX]; // in order of arrival
    size_t writer_count;
    uint64_t writes_taken;

    struct flush flushes[FLUSHES_MAX]; // in order of arrival
    size_t flush_count;
    uint64_t look_deadline; // when the shift register is looked at; NX_DEADLINE_NEVER: it is not
    uint64_t look_wait;     // how long before that

    struct console console;
    struct reader reader;
    nx_handle interrupt_watch; // notification to signal at Ctrl-C; NX_HANDLE_NONE: none
    uint64_t interrupt_bits;

    uint8_t transmit_memory[TRANSMIT_BYTES];
    uint8_t receive_memory[RECEIVE_BYTES];
};

// output.c
// -----------------------------------------------------------------------------------------

// Takes the text that the editor draws. A console_sink whose context is the struct uartd.
void uartd_echo(void *context, const char *bytes, size_t count);

// Ends a line that somebody left open, so that the editor finds an empty row.
void uartd_line_close(struct uartd *uartd);

// Whether the editor may handle one more key.
bool uartd_echo_fits(const struct uartd *uartd);

// Moves log text and waiting writes into the transmit ring as far as they go, and answers writers
// whose bytes are all in. Overwrites the message page.
void uartd_output(struct uartd *uartd);

// When uartd_output wants to run without any other cause; NX_DEADLINE_NEVER: not.
uint64_t uartd_output_deadline(const struct uartd *uartd);

// flush.c
// ------------------------------------------------------------------------------------------

// Registers the current caller as waiting for all output up to here. NX_ERR_BUSY: too many wait.
NX_MUST_CHECK enum nx_status uartd_flush_begin(struct uartd *uartd);

// Says that the kernel log has been read to its end, and how many bytes of it will have been
// printed by then.
void uartd_flush_log_end(struct uartd *uartd, uint64_t log_bytes);

// Takes the flushes as far as they go and answers those whose output has left the device. Runs
// after uartd_output. Overwrites the message page.
void uartd_flush(struct uartd *uartd);

// When uartd_flush wants to run without any other cause; NX_DEADLINE_NEVER: not.
uint64_t uartd_flush_deadline(const struct uartd *uartd);

// input.c
// ------------------------------------------------------------------------------------------

// Feeds received bytes to the waiting reader and answers it when it has what it wants. Overwrites
// the message page.
void uartd_input(struct uartd *uartd);

// Registers the current caller as the reader. NX_ERR_BUSY: another client is waiting already; an
// earlier wait of the same client is cancelled. NX_ERR_INVALID_ARGUMENT: maximum is 0.
NX_MUST_CHECK enum nx_status uartd_read_bytes(struct uartd *uartd, uint64_t badge,
                                              uint32_t maximum);
NX_MUST_CHECK enum nx_status uartd_read_line(struct uartd *uartd, uint64_t badge,
                                             const char *prompt, size_t length);

// Ctrl-C signals `bits` to `notification` from here on, which replaces the one before and becomes
// uartd's own; NX_HANDLE_NONE: Ctrl-C is input.
void uartd_watch_interrupt(struct uartd *uartd, nx_handle notification, uint64_t bits);

// serve.c
// ------------------------------------------------------------------------------------------

// Answers one request, or keeps its reply right for later. Overwrites the message page.
void uartd_serve(struct uartd *uartd, const struct nx_message *message);

// Sends the answer that is built in the message page: `bytes` of it, with status NX_OK in word 0.
// `reply` NX_HANDLE_NONE is the current caller. A caller that has gone is no matter.
void uartd_answer(nx_handle reply, size_t bytes);

// Answers with a status and nothing beside it.
void uartd_answer_status(nx_handle reply, enum nx_status status);

#endif
