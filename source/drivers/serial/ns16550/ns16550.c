// SPDX-License-Identifier: Apache-2.0
// The NS16550 UART driver library. The contract is in ns16550.h; registers and bits are those of
// the PC16550D data sheet, section 8.
#include "ns16550.h"

#include <string.h>

// Registers. Number 0 and 1 are the divisor latch while LCR_DLAB is set.
enum {
    REGISTER_RBR = 0, // read: received byte
    REGISTER_THR = 0, // write: byte to transmit
    REGISTER_DLL = 0,
    REGISTER_IER = 1, // interrupt enable
    REGISTER_DLM = 1,
    REGISTER_IIR = 2, // read: what interrupts, the most urgent first
    REGISTER_FCR = 2, // write: FIFO control
    REGISTER_LCR = 3, // line control
    REGISTER_MCR = 4, // modem control
    REGISTER_LSR = 5, // line status; reading clears the error bits
    REGISTER_MSR = 6, // modem status; reading clears its interrupt
    REGISTER_SCR = 7, // scratch
};

#define IER_RECEIVED    0x01u
#define IER_TRANSMIT    0x02u
#define IER_LINE_STATUS 0x04u

#define IIR_NONE             0x01u
#define IIR_ID_MASK          0x0fu
#define IIR_LINE_STATUS      0x06u
#define IIR_RECEIVED         0x04u
#define IIR_RECEIVED_TIMEOUT 0x0cu
#define IIR_TRANSMIT         0x02u
#define IIR_MODEM            0x00u
#define IIR_FIFO_MASK        0xc0u

#define FCR_ENABLE         0x01u
#define FCR_CLEAR_TRANSMIT 0x04u
#define FCR_TRIGGER_8      0x80u // interrupt at 8 received bytes, or when the line falls silent

#define LCR_8N1  0x03u
#define LCR_DLAB 0x80u

#define MCR_DTR  0x01u
#define MCR_RTS  0x02u
#define MCR_OUT2 0x08u // gates the interrupt line on PC-style boards

#define LSR_DATA_READY    0x01u
#define LSR_OVERRUN       0x02u
#define LSR_PARITY        0x04u
#define LSR_FRAMING       0x08u
#define LSR_BREAK         0x10u
#define LSR_TRANSMIT_IDLE 0x20u // holding register, or the whole transmit FIFO, is empty
#define LSR_LINE_IDLE     0x40u // and the shift register behind it too

#define FIFO_DEPTH      16u
#define RING_SIZE_MAX   (1u << 20)
#define SCRATCH_PATTERN 0x5au
// One interrupt serves at most so many causes, and takes at most so many bytes for each: several
// times what an honest device has to say between two instructions of ours.
#define CAUSES_PER_INTERRUPT 32u
#define BYTES_PER_CAUSE      (4u * FIFO_DEPTH)

static uint8_t register_read(const struct ns16550 *uart, uint32_t number)
{
    return uart->ops->read(uart->context, number << uart->register_shift);
}

static void register_write(const struct ns16550 *uart, uint32_t number, uint32_t value)
{
    uart->ops->write(uart->context, number << uart->register_shift, (uint8_t)value);
}

static uint32_t ring_used(const struct ns16550_ring *ring)
{
    return ring->head - ring->tail;
}

static bool ring_put(struct ns16550_ring *ring, uint8_t byte)
{
    if (ring_used(ring) == ring->size) {
        return false;
    }
    ring->bytes[ring->head & (ring->size - 1)] = byte;
    ring->head++;
    return true;
}

static uint8_t ring_take(struct ns16550_ring *ring)
{
    uint8_t byte = ring->bytes[ring->tail & (ring->size - 1)];
    ring->tail++;
    return byte;
}

static bool ring_is_valid(const uint8_t *bytes, size_t size)
{
    return bytes != NULL && size != 0 && size <= RING_SIZE_MAX && (size & (size - 1)) == 0;
}

static bool config_is_valid(const struct ns16550_config *config)
{
    return config->register_shift <= 4 && ring_is_valid(config->transmit, config->transmit_size) &&
           ring_is_valid(config->receive, config->receive_size);
}

// The divisor latch value nearest to the wanted rate; 0 when there is none.
static uint32_t divisor_of(const struct ns16550_config *config)
{
    uint64_t cycles = 16u * (uint64_t)config->baud; // one bit takes 16 cycles
    uint64_t divisor = (config->clock_hz + cycles / 2) / cycles;
    return divisor <= UINT16_MAX ? (uint32_t)divisor : 0;
}

static bool device_answers(const struct ns16550 *uart)
{
    register_write(uart, REGISTER_SCR, SCRATCH_PATTERN);
    return register_read(uart, REGISTER_SCR) == SCRATCH_PATTERN;
}

static void interrupts_enable(struct ns16550 *uart, uint32_t bits)
{
    if (uart->interrupts_enabled != bits) {
        uart->interrupts_enabled = (uint8_t)bits;
        register_write(uart, REGISTER_IER, bits);
    }
}

// Keeps the input that waits in the device: switching the FIFO on empties it.
static void receive_keep(struct ns16550 *uart)
{
    for (uint32_t taken = 0; taken < BYTES_PER_CAUSE; taken++) {
        uint8_t line_status = register_read(uart, REGISTER_LSR);
        if ((line_status & LSR_DATA_READY) == 0) {
            return;
        }
        uint8_t byte = register_read(uart, REGISTER_RBR);
        if ((line_status & (LSR_PARITY | LSR_FRAMING | LSR_BREAK)) != 0) {
            continue;
        }
        if (ring_put(&uart->receive, byte)) {
            uart->counters.received++;
        } else {
            uart->counters.receive_dropped++;
        }
    }
}

static void device_start(struct ns16550 *uart, uint32_t divisor)
{
    register_write(uart, REGISTER_IER, 0);
    if (divisor != 0) {
        register_write(uart, REGISTER_LCR, LCR_DLAB | LCR_8N1);
        register_write(uart, REGISTER_DLL, divisor & 0xff);
        register_write(uart, REGISTER_DLM, divisor >> 8);
    }
    register_write(uart, REGISTER_LCR, LCR_8N1);
    receive_keep(uart);
    register_write(uart, REGISTER_FCR, FCR_ENABLE | FCR_CLEAR_TRANSMIT | FCR_TRIGGER_8);
    register_write(uart, REGISTER_MCR, MCR_DTR | MCR_RTS | MCR_OUT2);
    // An 8250 or 16450 ignores FCR and shows no FIFO bits.
    bool has_fifo = (register_read(uart, REGISTER_IIR) & IIR_FIFO_MASK) == IIR_FIFO_MASK;
    uart->fifo_depth = has_fifo ? FIFO_DEPTH : 1;
    // Errors and modem changes from before are not ours.
    (void)register_read(uart, REGISTER_LSR);
    (void)register_read(uart, REGISTER_MSR);
    interrupts_enable(uart, IER_RECEIVED | IER_LINE_STATUS);
}

enum nx_status ns16550_init(struct ns16550 *uart, const struct ns16550_ops *ops, void *context,
                            const struct ns16550_config *config)
{
    uint32_t divisor = 0;
    if (uart == NULL || ops == NULL || ops->read == NULL || ops->write == NULL || config == NULL ||
        !config_is_valid(config)) {
        return NX_ERR_INVALID_ARGUMENT;
    }
    if (config->baud != 0) {
        divisor = divisor_of(config);
        if (divisor == 0) {
            return NX_ERR_INVALID_ARGUMENT;
        }
    }
    memset(uart, 0, sizeof(*uart));
    uart->ops = ops;
    uart->context = context;
    uart->register_shift = config->register_shift;
    uart->transmit.bytes = config->transmit;
    uart->transmit.size = (uint32_t)config->transmit_size;
    uart->receive.bytes = config->receive;
    uart->receive.size = (uint32_t)config->receive_size;
    if (!device_answers(uart)) {
        return NX_ERR_NOT_FOUND;
    }
    device_start(uart, divisor);
    return NX_OK;
}

// With the FIFO empty, all bytes but the one in the shift register have left the line; no interrupt
// tells when that one has. A byte of whoever had the device before may be the one that is in there.
static void departures_note(struct ns16550 *uart, uint8_t line_status)
{
    uint64_t given = uart->counters.transmitted;
    if ((line_status & LSR_TRANSMIT_IDLE) == 0 || uart->departed == given) {
        return;
    }
    uart->departed = (line_status & LSR_LINE_IDLE) != 0 ? given : given - 1;
}

static uint8_t line_status_read(struct ns16550 *uart)
{
    uint8_t line_status = register_read(uart, REGISTER_LSR);
    departures_note(uart, line_status);
    return line_status;
}

// Counts what a read of LSR says. True: the byte at the head of the receive FIFO is garbage.
static bool line_errors_count(struct ns16550 *uart, uint8_t line_status)
{
    if ((line_status & LSR_OVERRUN) != 0) {
        uart->counters.overruns++; // bytes before it are lost, the byte itself is good
    }
    if ((line_status & LSR_PARITY) != 0) {
        uart->counters.parity_errors++;
    }
    if ((line_status & LSR_BREAK) != 0) {
        uart->counters.breaks++; // a break looks like a framing error too: count it once
    } else if ((line_status & LSR_FRAMING) != 0) {
        uart->counters.framing_errors++;
    }
    return (line_status & (LSR_PARITY | LSR_FRAMING | LSR_BREAK)) != 0;
}

// Empties the receive FIFO. LSR is read before each byte: its error bits belong to that byte.
static void receive_drain(struct ns16550 *uart)
{
    for (uint32_t taken = 0; taken < BYTES_PER_CAUSE; taken++) {
        uint8_t line_status = line_status_read(uart);
        bool garbage = line_errors_count(uart, line_status);
        if ((line_status & LSR_DATA_READY) == 0) {
            return;
        }
        uint8_t byte = register_read(uart, REGISTER_RBR);
        if (garbage) {
            continue;
        }
        if (ring_put(&uart->receive, byte)) {
            uart->counters.received++;
        } else {
            uart->counters.receive_dropped++;
        }
    }
}

// Looking costs the error bits of the byte that waits in the receive FIFO, so this is the moment to
// drop it if it is garbage.
static bool transmitter_is_idle(struct ns16550 *uart)
{
    uint8_t line_status = line_status_read(uart);
    if (line_errors_count(uart, line_status) && (line_status & LSR_DATA_READY) != 0) {
        (void)register_read(uart, REGISTER_RBR);
    }
    return (line_status & LSR_TRANSMIT_IDLE) != 0;
}

// The transmitter is empty: it takes fifo_depth bytes without a look at its status in between.
static void transmit_fill(struct ns16550 *uart)
{
    uint32_t given = 0;
    while (given < uart->fifo_depth && ring_used(&uart->transmit) > 0) {
        register_write(uart, REGISTER_THR, ring_take(&uart->transmit));
        uart->counters.transmitted++;
        given++;
    }
    uint32_t enabled = IER_RECEIVED | IER_LINE_STATUS;
    // Whoever watches the line wants to hear of these last bytes too.
    if (ring_used(&uart->transmit) > 0 || (uart->watched && given > 0)) {
        enabled |= IER_TRANSMIT;
    }
    interrupts_enable(uart, enabled);
}

static void cause_serve(struct ns16550 *uart, uint8_t identification)
{
    switch (identification & IIR_ID_MASK) {
    case IIR_LINE_STATUS:
    case IIR_RECEIVED:
    case IIR_RECEIVED_TIMEOUT:
        receive_drain(uart); // reads LSR, which clears a line status interrupt
        return;
    case IIR_TRANSMIT:
        // Trust the line status rather than the cause: a FIFO that is not empty would lose bytes.
        if (transmitter_is_idle(uart)) {
            transmit_fill(uart);
        }
        return;
    default:
        (void)register_read(uart, REGISTER_MSR);
        return;
    }
}

enum nx_status ns16550_interrupt(struct ns16550 *uart)
{
    uart->counters.interrupts++;
    for (uint32_t served = 0; served < CAUSES_PER_INTERRUPT; served++) {
        uint8_t identification = register_read(uart, REGISTER_IIR);
        if ((identification & IIR_NONE) != 0) {
            if (served == 0) {
                uart->counters.spurious_interrupts++;
            }
            return NX_OK;
        }
        cause_serve(uart, identification);
    }
    uart->counters.stuck_interrupts++;
    return NX_ERR_DEVICE;
}

size_t ns16550_write(struct ns16550 *uart, const void *bytes, size_t length)
{
    const uint8_t *from = bytes;
    size_t accepted = 0;
    while (accepted < length && ring_put(&uart->transmit, from[accepted])) {
        accepted++;
    }
    // With the transmit interrupt enabled the device calls when it wants more.
    if (accepted == 0 || (uart->interrupts_enabled & IER_TRANSMIT) != 0) {
        return accepted;
    }
    if (transmitter_is_idle(uart)) {
        transmit_fill(uart);
    } else {
        interrupts_enable(uart, IER_RECEIVED | IER_LINE_STATUS | IER_TRANSMIT);
    }
    return accepted;
}

size_t ns16550_write_room(const struct ns16550 *uart)
{
    return uart->transmit.size - ring_used(&uart->transmit);
}

size_t ns16550_write_pending(const struct ns16550 *uart)
{
    return ring_used(&uart->transmit);
}

uint64_t ns16550_accepted(const struct ns16550 *uart)
{
    return uart->counters.transmitted + ring_used(&uart->transmit);
}

uint64_t ns16550_departed(const struct ns16550 *uart)
{
    return uart->departed;
}

void ns16550_watch(struct ns16550 *uart, bool watched)
{
    bool starts = watched && !uart->watched;
    uart->watched = watched;
    if (starts && uart->departed != ns16550_accepted(uart)) {
        // Raised at once when the FIFO is empty already.
        interrupts_enable(uart, IER_RECEIVED | IER_LINE_STATUS | IER_TRANSMIT);
    }
}

bool ns16550_shifting(const struct ns16550 *uart)
{
    return uart->departed + 1 == ns16550_accepted(uart) && ring_used(&uart->transmit) == 0 &&
           (uart->interrupts_enabled & IER_TRANSMIT) == 0;
}

void ns16550_look(struct ns16550 *uart)
{
    (void)transmitter_is_idle(uart);
}

size_t ns16550_read(struct ns16550 *uart, void *bytes, size_t length)
{
    uint8_t *to = bytes;
    size_t taken = 0;
    while (taken < length && ring_used(&uart->receive) > 0) {
        to[taken] = ring_take(&uart->receive);
        taken++;
    }
    return taken;
}

bool ns16550_read_past(struct ns16550 *uart, uint8_t byte)
{
    struct ns16550_ring *ring = &uart->receive;
    for (uint32_t at = ring->head; at != ring->tail; at--) {
        if (ring->bytes[(at - 1) & (ring->size - 1)] == byte) {
            ring->tail = at;
            return true;
        }
    }
    return false;
}

void ns16550_stop(struct ns16550 *uart)
{
    interrupts_enable(uart, 0);
    uart->watched = false;
    uart->transmit.tail = uart->transmit.head;
}
