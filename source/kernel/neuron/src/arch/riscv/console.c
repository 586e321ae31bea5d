// SPDX-License-Identifier: Apache-2.0
// Polled output on the boot UART (16550-compatible), for early boot and panics.
#include "arch_inline.h"
#include "core/machine.h"
#include "sbi.h"

// Registers of the 16550, by number; they lie 1 << uart_register_shift bytes apart.
#define UART_THR 0u // transmitter holding register
#define UART_LSR 5u // line status register

#define UART_LSR_THRE (1u << 5) // holding register empty

// A character waits at most this part of a second for the transmitter: text is dropped, never the
// boot.
#define UART_PATIENCE_DIVISOR 100
#define UART_PATIENCE_LEAST   10000 // ticks, while the timebase is unknown

static volatile uint8_t *uart_register(unsigned number)
{
    const uint64_t offset = (uint64_t)number << machine.uart_register_shift;

    return arch_direct_map(paddr(machine.uart.base.value + offset));
}

static bool wait_for_transmitter(void)
{
    const uint64_t patience = machine.timebase_hz / UART_PATIENCE_DIVISOR + UART_PATIENCE_LEAST;
    const uint64_t start = arch_time();

    while ((*uart_register(UART_LSR) & UART_LSR_THRE) == 0)
        if (arch_time() - start > patience)
            return false;
    return true;
}

static void write_through_firmware(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if (text[i] == '\n')
            sbi_console_putchar('\r');
        sbi_console_putchar(text[i]);
    }
}

void arch_console_write(const char *text, size_t length)
{
    if (!machine.has_uart) {
        write_through_firmware(text, length);
        return;
    }
    for (size_t i = 0; i < length; i++) {
        if (!wait_for_transmitter())
            return;
        if (text[i] == '\n') {
            *uart_register(UART_THR) = '\r';
            if (!wait_for_transmitter())
                return;
        }
        *uart_register(UART_THR) = (uint8_t)text[i];
    }
}
