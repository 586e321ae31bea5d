// SPDX-License-Identifier: Apache-2.0
// The NS16550 UART driver library: interrupt-driven, with FIFOs.
//
// Follows the PC16550D data sheet (register numbers and bits are in ns16550.c). It makes no OS
// call, takes no lock, allocates nothing: register access and ring memory come from the caller. One
// thread owns a `struct ns16550` and makes all calls on it; nothing here waits.
//
// Typical call sequence:
//
//   start      status = ns16550_init(&uart, &ops, context, &config);
//   output     accepted = ns16550_write(&uart, bytes, length);  // less than length: the ring is
//              full, keep the rest until an interrupt made room (ns16550_write_room)
//   flush      position = ns16550_accepted(&uart); ns16550_watch(&uart, true);
//              until ns16550_departed(&uart) >= position: serve interrupts; when all that is left
//              is ns16550_shifting(&uart), ns16550_look(&uart) after a character's time
//   interrupt  status = ns16550_interrupt(&uart); acknowledge it at the interrupt controller;
//              while ((count = ns16550_read(&uart, buffer, sizeof(buffer))) > 0) ...
//   stop       ns16550_stop(&uart);
//
// Output goes straight into the transmit FIFO while that is empty and into the ring otherwise; the
// transmitter-empty interrupt is enabled only while the ring holds bytes. Input is moved to its
// ring by the interrupt; what does not fit is dropped and counted, never overwritten.
#ifndef NS16550_NS16550_H
#define NS16550_NS16550_H

#include "nexus/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ns16550_ops {
    // One access of config.register_width bytes at `offset` bytes into the register window, neither
    // merged, split, repeated nor elided (volatile), in program order with the others.
    uint8_t (*read)(void *context, uint32_t offset);
    void (*write)(void *context, uint32_t offset, uint8_t value);
};

// What the device tree says, and the memory for the rings.
struct ns16550_config {
    uint32_t register_shift; // "reg-shift": register n lies at n << register_shift; 0..4
    uint32_t clock_hz;       // "clock-frequency"; 0: the baud rate stays as it is
    uint32_t baud;           // wanted; 0: it stays as it is
    uint8_t *transmit;       // the caller's until ns16550_stop; each a power of two of bytes, at
    size_t transmit_size;    // most 1 MiB
    uint8_t *receive;
    size_t receive_size;
};

struct ns16550_counters {
    uint64_t interrupts;          // ns16550_interrupt calls
    uint64_t spurious_interrupts; // of these, with nothing pending
    uint64_t stuck_interrupts;    // of these, given up because the device never fell silent
    uint64_t received;            // bytes put into the ring
    uint64_t transmitted;         // bytes given to the device
    uint64_t receive_dropped;     // bytes lost because the ring was full
    uint64_t overruns;            // line status: bytes lost in the device
    uint64_t parity_errors;       // line status: byte dropped
    uint64_t framing_errors;      // line status: byte dropped
    uint64_t breaks;              // line status: byte dropped
};

// A byte queue in caller memory. Positions run freely and are reduced modulo size at use.
struct ns16550_ring {
    uint8_t *bytes;
    uint32_t size;
    uint32_t head; // next position to put
    uint32_t tail; // next position to take
};

// One UART. The caller supplies the storage; all fields are the library's, counters may be read.
struct ns16550 {
    const struct ns16550_ops *ops; // constant after init, as the next three
    void *context;
    uint32_t register_shift;
    uint32_t fifo_depth;        // bytes the device takes when its transmitter is empty: 16 or 1
    uint8_t interrupts_enabled; // what the interrupt enable register holds
    bool watched;               // the transmit interrupt is wanted for the last bytes too
    uint64_t departed;          // bytes that are known to have left the line; at most `transmitted`
    struct ns16550_ring transmit;
    struct ns16550_ring receive;
    struct ns16550_counters counters;
};

// Takes possession of the UART: 8 data bits, no parity, 1 stop bit, FIFOs on and cleared, receive
// interrupts on. Overwrites *uart. Bytes the device had received before are dropped.
//   NX_ERR_INVALID_ARGUMENT  something is NULL; a ring size is no power of two, 0, or over 1 MiB;
//                            register_shift over 4; a baud rate without clock, 0 after division, or
//                            beyond 16 bits of divisor.
//   NX_ERR_NOT_FOUND         no UART answers: the scratch register does not keep a value.
NX_MUST_CHECK enum nx_status ns16550_init(struct ns16550 *uart, const struct ns16550_ops *ops,
                                          void *context, const struct ns16550_config *config);

// Serves one interrupt: moves received bytes to the ring, refills the transmit FIFO, counts line
// errors. Bounded, whatever the device says.
//   NX_ERR_DEVICE  the device asked for more attention than one interrupt may take: acknowledge it
//                  and go on; if this repeats, mask the interrupt.
NX_MUST_CHECK enum nx_status ns16550_interrupt(struct ns16550 *uart);

// Queues up to `length` bytes for output and returns how many were accepted.
size_t ns16550_write(struct ns16550 *uart, const void *bytes, size_t length);

// How many bytes ns16550_write would accept at least.
size_t ns16550_write_room(const struct ns16550 *uart);

// How many accepted bytes the device has not been given yet.
size_t ns16550_write_pending(const struct ns16550 *uart);

// How many bytes have been accepted since ns16550_init. What is accepted by now has left when
// ns16550_departed has come to this number.
uint64_t ns16550_accepted(const struct ns16550 *uart);

// How many of them are known to have left: neither in the ring, nor in the FIFO, nor in the shift
// register. Learnt from interrupts, writes and ns16550_look.
uint64_t ns16550_departed(const struct ns16550 *uart);

// While watched, the transmit interrupt also comes when the device has emptied its FIFO and the
// ring has nothing more for it.
void ns16550_watch(struct ns16550 *uart, bool watched);

// Whether all but the last accepted byte have left while that one is in the shift register. The
// device has no interrupt for its end, which is one character's time away: ns16550_look then.
bool ns16550_shifting(const struct ns16550 *uart);

// Reads the line status for what ns16550_departed says.
void ns16550_look(struct ns16550 *uart);

// Takes up to `length` received bytes and returns how many.
size_t ns16550_read(struct ns16550 *uart, void *bytes, size_t length);

// Drops the received bytes up to and including the last one that is `byte`. False: there is none,
// and nothing is dropped.
bool ns16550_read_past(struct ns16550 *uart, uint8_t byte);

// Switches all interrupts of the device off. Queued output is dropped; ns16550_init starts anew.
void ns16550_stop(struct ns16550 *uart);

#endif
