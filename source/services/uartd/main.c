// SPDX-License-Identifier: Apache-2.0
// uartd: owns the UART after boot, prints the kernel log, and serves the console (uart.capnp).
//
// This file brings the service up and waits for what comes next; uartd.h says how it works.
#include "nexus/log.h"
#include "nexus/memory.h"
#include "nexus/registry.h"
#include "uartd.h"
#include <stdlib.h>

#define BIT_INTERRUPT 1u
#define BIT_LOG       2u

// ---- Registers ----------------------------------------------------------------------------------

static uint8_t register_read(void *context, uint32_t offset)
{
    const struct uartd *uartd = context;
    uint8_t value = uartd->registers[offset];
    // Device accesses stay in program order among each other and before what follows.
    __asm__ volatile("fence i, ir" : : : "memory");
    return value;
}

static void register_write(void *context, uint32_t offset, uint8_t value)
{
    const struct uartd *uartd = context;
    __asm__ volatile("fence ow, o" : : : "memory");
    uartd->registers[offset] = value;
}

static const struct ns16550_ops register_ops = {.read = register_read, .write = register_write};

// ---- Bringing it up -----------------------------------------------------------------------------

static enum nx_status port_open(struct uartd *uartd)
{
    nx_handle device = nx_start_handle(NX_START_DEVICE);
    struct nx_memory_facts facts;
    void *window;
    // The firmware has set the line speed; the registers lie one byte apart unless told otherwise.
    struct ns16550_config config = {
        .transmit = uartd->transmit_memory,
        .transmit_size = TRANSMIT_BYTES,
        .receive = uartd->receive_memory,
        .receive_size = RECEIVE_BYTES,
    };

    enum nx_status status = nx_memory_info(device, &facts);
    if (status == NX_OK) {
        status = nx_map(device, 0, facts.size, NX_PROT_READ | NX_PROT_WRITE, &window);
    }
    if (status != NX_OK) {
        return status;
    }
    // The window starts at a page; the registers may lie further on.
    uartd->registers = (volatile uint8_t *)window + nx_start()->device_base % NX_PAGE_SIZE;
    return ns16550_init(&uartd->port, &register_ops, uartd, &config);
}

// The kernel says where to go on: behind what it has printed itself, or what the last uartd has
// read.
static enum nx_status log_attach(struct uartd *uartd)
{
    uartd->log = nx_start_handle(NX_START_LOG);
    uartd->drain.pending = true;
    return nx_log_bind(uartd->log, uartd->notification, BIT_LOG, &uartd->drain.cursor);
}

static enum nx_status sources_bind(struct uartd *uartd)
{
    uartd->service = nx_start_handle(NX_START_SERVICE);
    uartd->interrupt = nx_start_handle(NX_START_INTERRUPT);

    enum nx_status status = nx_notification_create(&uartd->notification);
    if (status == NX_OK) {
        status = nx_notification_bind(uartd->notification);
    }
    if (status == NX_OK) {
        status = nx_interrupt_bind(uartd->interrupt, uartd->notification, BIT_INTERRUPT);
    }
    if (status == NX_OK) {
        status = log_attach(uartd);
    }
    return status;
}

static enum nx_status uartd_start(struct uartd *uartd)
{
    uartd->look_deadline = NX_DEADLINE_NEVER;
    console_init(&uartd->console, uartd_echo, uartd);
    enum nx_status status = port_open(uartd);
    if (status == NX_OK) {
        status = sources_bind(uartd);
    }
    if (status == NX_OK) {
        nx_log("uartd: mmio=%#llx irq=%u", (unsigned long long)nx_start()->device_base,
               nx_start()->interrupt_number);
        status = nx_registry_ready(NX_OK);
    }
    if (status == NX_OK) {
        nx_log("uartd: ready");
    }
    return status;
}

// The one argument, if there is one, is the token of framed writes.
static void arguments_read(struct uartd *uartd, int argc, char **argv)
{
    if (argc > 1 && strlen(argv[1]) <= TOKEN_BYTES) {
        uartd->token = argv[1];
    }
}

// ---- Working ------------------------------------------------------------------------------------

static void interrupt_serve(struct uartd *uartd)
{
    uint64_t before = uartd->port.counters.transmitted;

    // A device that never falls silent is counted by the library; the interrupt comes again.
    (void)!ns16550_interrupt(&uartd->port);
    uartd->interrupt_transmitted += uartd->port.counters.transmitted - before;
    // The source is the only one bound here: acknowledging it cannot be refused.
    (void)!nx_interrupt_ack(uartd->interrupt);
}

// The console is attached when the kernel log has gone out, and bytes of it by interrupts.
static void attach_note(struct uartd *uartd)
{
    if (!uartd->attached && uartd->drain.bytes_printed > 0 && !uartd->drain.pending &&
        uartd->interrupt_transmitted > 0 && ns16550_write_pending(&uartd->port) == 0) {
        uartd->attached = true;
        nx_log("uartd: attach console ok");
    }
}

static void notified(struct uartd *uartd, uint64_t bits)
{
    if ((bits & BIT_INTERRUPT) != 0) {
        interrupt_serve(uartd);
    }
    if ((bits & BIT_LOG) != 0) {
        uartd->drain.pending = true;
    }
}

// Waits for the next thing to do. With all places for writes taken no further request is received:
// its caller waits in the endpoint, which costs nothing and loses nothing.
static enum nx_status wait_for_work(struct uartd *uartd, struct nx_message *message)
{
    uint64_t output = uartd_output_deadline(uartd);
    uint64_t flush = uartd_flush_deadline(uartd);
    uint64_t deadline = output < flush ? output : flush;

    if (uartd->writer_count < WRITERS_MAX) {
        return nx_endpoint_receive(uartd->service, deadline, message);
    }
    *message = (struct nx_message){.info = NX_INFO_NOTIFICATION};
    return nx_notification_wait(uartd->notification, deadline, &message->words[0]);
}

static enum nx_status uartd_run(struct uartd *uartd)
{
    for (;;) {
        struct nx_message message;

        uartd_input(uartd);
        uartd_output(uartd);
        attach_note(uartd); // before a flush lets its caller go on: the log keeps this order
        uartd_flush(uartd);
        enum nx_status status = wait_for_work(uartd, &message);
        if (status == NX_OK && (message.info & NX_INFO_NOTIFICATION) != 0) {
            notified(uartd, message.words[0]);
        } else if (status == NX_OK) {
            uartd_serve(uartd, &message);
        } else if (status != NX_ERR_TIMED_OUT && status != NX_ERR_CANCELLED) {
            return status; // cancelled: a caller whose message could not be delivered
        }
    }
}

int main(int argc, char **argv)
{
    static struct uartd uartd;

    arguments_read(&uartd, argc, argv);
    enum nx_status status = uartd_start(&uartd);
    if (status != NX_OK) {
        nx_log("uartd: FAIL reason=%s", nx_status_text(status));
        (void)!nx_registry_ready(status); // nexus-init sees the exit in any case
        return EXIT_FAILURE;
    }
    status = uartd_run(&uartd);
    nx_log("uartd: stopped reason=%s", nx_status_text(status));
    return EXIT_FAILURE;
}
