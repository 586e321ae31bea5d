// SPDX-License-Identifier: Apache-2.0
// A small model of the PC16550D. See uart_model.h; tables are those of the data sheet.
#include "uart_model.h"

#include <string.h>

static bool fifo_on(const struct uart_model *model)
{
    return !model->without_fifo && (model->fcr & 1) != 0;
}

static uint32_t depth(const struct uart_model *model)
{
    return fifo_on(model) ? 16 : 1;
}

static uint32_t trigger(const struct uart_model *model)
{
    static const uint32_t levels[4] = {1, 4, 8, 14};
    return fifo_on(model) ? levels[model->fcr >> 6] : 1;
}

// What interrupts, by priority: line status, data, timeout, transmitter, modem (never here).
static uint8_t identification(const struct uart_model *model)
{
    uint8_t fifo_bits = fifo_on(model) ? 0xc0 : 0;
    uint8_t errors = model->receive_count > 0 ? model->receive[0].errors : 0;
    if (model->stuck_cause) {
        return (uint8_t)(fifo_bits | model->cause);
    }
    if ((model->ier & 4) != 0 && (model->line_errors | errors) != 0) {
        return fifo_bits | 0x06;
    }
    if ((model->ier & 1) != 0 && (model->receive_count >= trigger(model) || model->stuck_receive)) {
        return fifo_bits | 0x04;
    }
    if ((model->ier & 1) != 0 && model->receive_timeout) {
        return fifo_bits | 0x0c;
    }
    if ((model->ier & 2) != 0 && model->transmit_pending) {
        return fifo_bits | 0x02;
    }
    return fifo_bits | 0x01;
}

bool uart_model_line(const struct uart_model *model)
{
    return (identification(model) & 1) == 0 && (model->mcr & 8) != 0;
}

static uint8_t receive_take(struct uart_model *model)
{
    if (model->stuck_receive) {
        return 'x';
    }
    model->receive_timeout = false;
    if (model->receive_count == 0) {
        return 0;
    }
    uint8_t byte = model->receive[0].byte;
    model->receive_count--;
    memmove(&model->receive[0], &model->receive[1],
            model->receive_count * sizeof(model->receive[0]));
    return byte;
}

static uint8_t line_status(struct uart_model *model)
{
    uint8_t status = model->line_errors;
    model->line_errors = 0;
    if (model->receive_count > 0) {
        status |= model->receive[0].errors;
        model->receive[0].errors = 0;
    }
    if (model->receive_count > 0 || model->stuck_receive) {
        status |= 0x01;
    }
    if (model->transmit_count == 0) {
        status |= model->shift_full ? 0x20 : 0x60;
    }
    return status;
}

uint8_t uart_model_read(void *context, uint32_t offset)
{
    struct uart_model *model = context;
    uint8_t answer;
    if (model->absent) {
        return model->floating;
    }
    if (offset % (1u << model->shift) != 0) {
        model->bad_accesses++;
    }
    switch (offset >> model->shift) {
    case 0:
        return (model->lcr & 0x80) != 0 ? (uint8_t)model->divisor : receive_take(model);
    case 1:
        return (model->lcr & 0x80) != 0 ? (uint8_t)(model->divisor >> 8) : model->ier;
    case 2:
        answer = identification(model);
        if ((answer & 0x0f) == 0x02) {
            model->transmit_pending = false; // seen
        }
        return answer;
    case 3:
        return model->lcr;
    case 4:
        return model->mcr;
    case 5:
        return line_status(model);
    case 6:
        return 0xb0;
    case 7:
        return model->scratch;
    default:
        model->bad_accesses++;
        return 0;
    }
}

static void transmit_put(struct uart_model *model, uint8_t byte)
{
    model->transmit_pending = false;
    if (model->transmit_count == depth(model)) {
        model->lost++;
        return;
    }
    model->transmit[model->transmit_count] = byte;
    model->transmit_count++;
}

static void fifo_control(struct uart_model *model, uint8_t value)
{
    if (model->without_fifo) {
        return;
    }
    bool switched = ((value ^ model->fcr) & 1) != 0; // which empties both FIFOs
    model->fcr = value;
    if ((value & 2) != 0 || switched) {
        model->receive_count = 0;
        model->receive_timeout = false;
    }
    if ((value & 4) != 0 || switched) {
        model->transmit_count = 0;
    }
}

void uart_model_write(void *context, uint32_t offset, uint8_t value)
{
    struct uart_model *model = context;
    bool latch = (model->lcr & 0x80) != 0;
    if (offset % (1u << model->shift) != 0) {
        model->bad_accesses++;
    }
    switch (offset >> model->shift) {
    case 0:
        if (latch) {
            model->divisor = (uint16_t)((model->divisor & 0xff00) | value);
        } else {
            transmit_put(model, value);
        }
        return;
    case 1:
        if (latch) {
            model->divisor = (uint16_t)((model->divisor & 0x00ff) | value << 8);
            return;
        }
        // Enabling the interrupt while the transmitter is empty raises it.
        if ((value & ~model->ier & 2) != 0 && model->transmit_count == 0) {
            model->transmit_pending = true;
        }
        model->ier = value;
        return;
    case 2:
        fifo_control(model, value);
        return;
    case 3:
        model->lcr = value;
        return;
    case 4:
        model->mcr = value;
        return;
    case 7:
        model->scratch = value;
        return;
    default:
        model->bad_accesses++;
        return;
    }
}

void uart_model_receive(struct uart_model *model, uint8_t byte, uint8_t errors)
{
    if (model->receive_count == depth(model)) {
        model->line_errors |= 0x02; // overrun: the new byte is lost
        return;
    }
    model->receive[model->receive_count].byte = byte;
    model->receive[model->receive_count].errors = errors;
    model->receive_count++;
}

void uart_model_silence(struct uart_model *model)
{
    model->receive_timeout = fifo_on(model) && model->receive_count > 0;
}

static void shift_out(struct uart_model *model)
{
    if (model->shift_full) {
        model->wire[model->wire_length % sizeof(model->wire)] = model->shift_byte;
        model->wire_length++;
        model->shift_full = false;
    }
}

void uart_model_drain(struct uart_model *model)
{
    uart_model_drain_to_last(model);
    shift_out(model);
}

void uart_model_drain_to_last(struct uart_model *model)
{
    for (uint32_t index = 0; index < model->transmit_count; index++) {
        shift_out(model);
        model->shift_byte = model->transmit[index];
        model->shift_full = true;
    }
    if (model->transmit_count > 0) {
        model->transmit_pending = true;
    }
    model->transmit_count = 0;
}
