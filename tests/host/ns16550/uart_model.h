// SPDX-License-Identifier: Apache-2.0
// A small model of the PC16550D: two 16-byte FIFOs, interrupt priorities, line status, divisor.
//
// Shares no constant with the driver. Hostile switches are at the end of the struct.
#ifndef TESTS_NS16550_UART_MODEL_H
#define TESTS_NS16550_UART_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct uart_model {
    uint32_t shift; // register n answers at n << shift

    uint8_t ier, lcr, mcr, fcr, scratch;
    uint16_t divisor;
    uint8_t line_errors;   // sticky until LSR is read
    bool transmit_pending; // the THRE interrupt is raised and not yet seen
    struct {
        uint8_t byte;
        uint8_t errors;
    } receive[16];
    uint32_t receive_count;
    bool receive_timeout;
    uint8_t transmit[16];
    uint32_t transmit_count;
    bool shift_full; // the last byte of a drain has not left yet
    uint8_t shift_byte;

    uint8_t wire[1 << 16]; // everything sent
    size_t wire_length;
    uint32_t lost;         // bytes written to a full transmit FIFO
    uint32_t bad_accesses; // offsets that are no register

    bool absent; // every read answers `floating`
    uint8_t floating;
    bool without_fifo;  // an 8250: FCR is ignored
    bool stuck_receive; // data ready for ever
    bool stuck_cause;   // IIR says `cause` for ever
    uint8_t cause;
};

uint8_t uart_model_read(void *model, uint32_t offset);
void uart_model_write(void *model, uint32_t offset, uint8_t value);

// The line: one byte arrives, with LSR error bits of its own (0: a good byte).
void uart_model_receive(struct uart_model *model, uint8_t byte, uint8_t errors);
// The line falls silent for four characters: the FIFO timeout.
void uart_model_silence(struct uart_model *model);
// The transmitter sends everything it has.
void uart_model_drain(struct uart_model *model);
// The same, but the last byte is still in the shift register.
void uart_model_drain_to_last(struct uart_model *model);
bool uart_model_line(const struct uart_model *model);

#endif
