// SPDX-License-Identifier: Apache-2.0
// virtioblkd: owns the disk and reads it for others, straight into their memory (virtio_blk.capnp).
//
// This file brings the device up and waits for what comes next; virtioblkd.h says how it works.
#include "nexus/clock.h"
#include "nexus/log.h"
#include "nexus/memory.h"
#include "nexus/mmio.h"
#include "nexus/registry.h"
#include "virtioblkd.h"
#include <stdlib.h>

#define REGISTER_BYTES  0x200u // virtio-mmio registers and the block device's configuration
#define RINGS_SEGMENTS  1u     // they are contiguous
#define ATTACH_INTERVAL NX_MILLISECOND

// ---- What the driver library asks for -----------------------------------------------------------

static uint32_t register_read(void *context, uint32_t offset)
{
    const struct virtioblkd *service = context;
    return nx_mmio_read32(service->registers, offset);
}

static void register_write(void *context, uint32_t offset, uint32_t value)
{
    const struct virtioblkd *service = context;
    nx_mmio_write32(service->registers, offset, value);
}

static void device_fence(void *context)
{
    (void)context;
    __asm__ volatile("fence iorw, iorw" : : : "memory");
}

static const struct virtio_blk_ops device_ops = {
    .read32 = register_read,
    .write32 = register_write,
    .fence = device_fence,
};

// ---- Bringing it up -----------------------------------------------------------------------------

static enum nx_status registers_map(struct virtioblkd *service)
{
    // The window is whole pages; slots of virtio-mmio need not start at one.
    uint64_t skip = nx_start()->device_base % NX_PAGE_SIZE;
    nx_handle window = nx_start_handle(NX_START_DEVICE);
    struct nx_memory_facts facts;
    void *address;

    enum nx_status status = nx_memory_info(window, &facts);
    if (status == NX_OK && facts.size < skip + REGISTER_BYTES) {
        status = NX_ERR_OUT_OF_RANGE;
    }
    if (status == NX_OK) {
        status = nx_map(window, 0, facts.size, NX_PROT_READ | NX_PROT_WRITE, &address);
    }
    if (status == NX_OK) {
        service->registers = (volatile uint8_t *)address + skip;
    }
    return status;
}

static enum nx_status rings_create(struct virtioblkd *service, struct virtio_blk_dma *dma)
{
    struct virtio_blk_segment segment;
    uint32_t count;

    enum nx_status status =
        nx_memory_new(VIRTIO_BLK_DMA_BYTES, NX_MEMORY_CONTIGUOUS, &service->rings, &dma->address);
    if (status == NX_OK) {
        status = memory_segments(service->machine, service->rings, 0, VIRTIO_BLK_DMA_BYTES,
                                 &segment, RINGS_SEGMENTS, &count);
    }
    if (status == NX_OK) {
        dma->bus_address = segment.bus_address;
        dma->length = VIRTIO_BLK_DMA_BYTES;
    }
    return status;
}

// Resets and starts the device. The only wait here is for its reset, bounded by the library.
static enum nx_status device_attach(struct virtioblkd *service, const struct virtio_blk_dma *dma)
{
    enum nx_status status =
        virtio_blk_attach(&service->device, &device_ops, service, dma, nx_clock_now());
    while (status == NX_ERR_BUSY) {
        nx_sleep(ATTACH_INTERVAL);
        status = virtio_blk_advance(&service->device, nx_clock_now());
    }
    return status;
}

static enum nx_status interrupt_bind(struct virtioblkd *service)
{
    enum nx_status status = nx_notification_create(&service->notification);
    if (status == NX_OK) {
        status = nx_notification_bind(service->notification);
    }
    if (status == NX_OK) {
        status = nx_interrupt_bind(service->interrupt, service->notification, BIT_INTERRUPT);
    }
    if (status == NX_OK) {
        status = nx_handle_duplicate(service->notification, NX_RIGHT_SIGNAL | NX_RIGHT_TRANSFER, 0,
                                     &service->doorbell);
    }
    return status;
}

static enum nx_status service_start(struct virtioblkd *service)
{
    struct virtio_blk_dma dma = {0};

    service->service = nx_start_handle(NX_START_SERVICE);
    service->machine = nx_start_handle(NX_START_MACHINE);
    service->interrupt = nx_start_handle(NX_START_INTERRUPT);
    reads_init(service);
    enum nx_status status = registers_map(service);
    if (status == NX_OK) {
        status = rings_create(service, &dma);
    }
    if (status == NX_OK) {
        status = device_attach(service, &dma);
    }
    if (status == NX_OK) {
        status = interrupt_bind(service);
    }
    if (status == NX_OK) {
        status = probe(service);
    }
    return status;
}

// The marker, and the report to nexus-init.
static enum nx_status service_report(const struct virtioblkd *service)
{
    nx_log("virtioblkd: mmio=%#llx irq=%u sectors=%llu",
           (unsigned long long)nx_start()->device_base, nx_start()->interrupt_number,
           (unsigned long long)service->device.sectors);
    enum nx_status status = nx_registry_ready(NX_OK);
    if (status == NX_OK) {
        nx_log("virtioblkd: ready");
    }
    return status;
}

static void failure_report(const struct virtioblkd *service, enum nx_status status)
{
    enum virtio_blk_fault fault = service->device.fault;
    nx_log("virtioblkd: FAIL reason=%s mmio=%#llx",
           fault != VIRTIO_BLK_FAULT_NONE ? virtio_blk_fault_name(fault) : nx_status_text(status),
           (unsigned long long)nx_start()->device_base);
    (void)!nx_registry_ready(status); // nexus-init sees the exit in any case
}

// ---- Working ------------------------------------------------------------------------------------

// Answers and waits in one system call, which goes straight back to the caller.
static enum nx_status answer_and_wait(struct virtioblkd *service, uint64_t deadline,
                                      struct nx_message *message)
{
    *message = serve_answer(service);
    if (deadline != NX_DEADLINE_NEVER) {
        nx_page()->deadline = deadline;
        message->info |= NX_INFO_DEADLINE;
    }
    return nx_endpoint_reply_receive(service->service, message);
}

// The held read's caller makes room for another one. Without room for a saved right it stays, and
// the others wait until it is answered.
static bool held_save(struct virtioblkd *service)
{
    if (nx_reply_save(&service->held->reply) != NX_OK) {
        return false;
    }
    service->held = NULL;
    return true;
}

static enum nx_status wait_for_work(struct virtioblkd *service, uint64_t deadline,
                                    struct nx_message *message)
{
    bool room = service->free != NULL;

    if (room && service->answer != ANSWER_NONE) {
        return answer_and_wait(service, deadline, message);
    }
    if (room && service->held != NULL) {
        enum nx_status status = nx_endpoint_receive_keeping(service->service, deadline, message);
        if (status != NX_ERR_BUSY) {
            return status;
        }
        room = held_save(service);
    }
    if (room) {
        return nx_endpoint_receive(service->service, deadline, message);
    }
    if (service->answer != ANSWER_NONE) {
        *message = serve_answer(service);
        (void)!nx_endpoint_reply(NX_HANDLE_NONE, message); // refused only when the caller has gone
    }
    *message = (struct nx_message){.info = NX_INFO_NOTIFICATION};
    return nx_notification_wait(service->notification, deadline, &message->words[0]);
}

static enum nx_status serve_bits(struct virtioblkd *service, uint64_t bits)
{
    uint32_t rung = (uint32_t)(bits >> BIT_DOORBELL_FIRST) & ((1u << SESSIONS_MAX) - 1);

    service->sessions_ending |= (bits & BIT_CLIENT_GONE) != 0;
    if (rung != 0) {
        service->sessions_ready |= rung;
        service->counters.doorbells += (uint32_t)__builtin_popcount(rung);
    }
    return (bits & BIT_INTERRUPT) != 0 ? reads_interrupt(service) : NX_OK;
}

static enum nx_status service_run(struct virtioblkd *service)
{
    enum nx_status status = NX_OK;

    while (status == NX_OK) {
        struct nx_message message;
        uint64_t deadline = reads_deadline(service);
        status = wait_for_work(service, deadline, &message);
        bool is_message = status == NX_OK && (message.info & NX_INFO_NOTIFICATION) == 0;
        if (is_message) {
            serve_message(service, &message);
            if (service->answer == ANSWER_INFO && deadline == NX_DEADLINE_NEVER) {
                continue; // nothing has changed
            }
        }
        if (!is_message || deadline != NX_DEADLINE_NEVER) {
            service->now = nx_clock_now();
        }
        if (status == NX_OK && !is_message) {
            status = serve_bits(service, message.words[0]);
        } else if (status == NX_ERR_CANCELLED || status == NX_ERR_TIMED_OUT) {
            status = NX_OK; // the caller knows that its message could not be taken over; see below
        }
        // By the clock: who calls or rings without end does not keep time from passing.
        if (status == NX_OK && service->now >= deadline) {
            status = reads_expire(service);
        }
        if (status == NX_OK) {
            status = reads_settle(service);
        }
        if (service->sessions_ending) {
            sessions_reap(service);
        }
    }
    return status;
}

int main(void)
{
    static struct virtioblkd service;

    enum nx_status status = service_start(&service);
    if (status == NX_OK) {
        status = service_report(&service);
    }
    if (status != NX_OK) {
        failure_report(&service, status);
        return EXIT_FAILURE;
    }
    status = service_run(&service);
    nx_log("virtioblkd: stopped reason=%s", nx_status_text(status));
    return EXIT_FAILURE;
}
