// SPDX-License-Identifier: Apache-2.0
// Life of a virtio block device: attach, reset, stop, time-outs, what is known about it.
// The contract is in virtio_blk.h; starting is in virtio_blk_start.c, requests and interrupts in
// virtio_blk_request.c.
#include "virtio_blk_private.h"

#include <string.h>

// Every fault's name and the status that a refusal for it returns.
static const struct {
    const char *name;
    enum nx_status status;
} fault_table[VIRTIO_BLK_FAULT_COUNT] = {
    [VIRTIO_BLK_FAULT_NONE] = {"none", NX_OK},
    [VIRTIO_BLK_FAULT_BAD_MAGIC] = {"bad-magic", NX_ERR_UNSUPPORTED},
    [VIRTIO_BLK_FAULT_BAD_VERSION] = {"bad-version", NX_ERR_UNSUPPORTED},
    [VIRTIO_BLK_FAULT_EMPTY_SLOT] = {"empty-slot", NX_ERR_NOT_FOUND},
    [VIRTIO_BLK_FAULT_NOT_BLOCK] = {"not-block", NX_ERR_UNSUPPORTED},
    [VIRTIO_BLK_FAULT_RESET_STUCK] = {"reset-stuck", NX_ERR_TIMED_OUT},
    [VIRTIO_BLK_FAULT_FEATURES_UNSTABLE] = {"features-unstable", NX_ERR_DEVICE},
    [VIRTIO_BLK_FAULT_NO_VERSION_1] = {"no-version-1", NX_ERR_UNSUPPORTED},
    [VIRTIO_BLK_FAULT_FEATURES_REFUSED] = {"features-refused", NX_ERR_UNSUPPORTED},
    [VIRTIO_BLK_FAULT_CONFIG_UNSTABLE] = {"config-unstable", NX_ERR_DEVICE},
    [VIRTIO_BLK_FAULT_CAPACITY_ZERO] = {"capacity-zero", NX_ERR_UNSUPPORTED},
    [VIRTIO_BLK_FAULT_CAPACITY_OVERFLOW] = {"capacity-overflow", NX_ERR_DEVICE},
    [VIRTIO_BLK_FAULT_CAPACITY_TOO_SMALL] = {"capacity-too-small", NX_ERR_UNSUPPORTED},
    [VIRTIO_BLK_FAULT_BAD_BLOCK_SIZE] = {"bad-block-size", NX_ERR_UNSUPPORTED},
    [VIRTIO_BLK_FAULT_BAD_SEGMENT_LIMITS] = {"bad-segment-limits", NX_ERR_UNSUPPORTED},
    [VIRTIO_BLK_FAULT_QUEUE_ABSENT] = {"queue-absent", NX_ERR_UNSUPPORTED},
    [VIRTIO_BLK_FAULT_QUEUE_TOO_SMALL] = {"queue-too-small", NX_ERR_UNSUPPORTED},
    [VIRTIO_BLK_FAULT_QUEUE_IN_USE] = {"queue-in-use", NX_ERR_DEVICE},
    [VIRTIO_BLK_FAULT_QUEUE_NOT_READY] = {"queue-not-ready", NX_ERR_DEVICE},
    [VIRTIO_BLK_FAULT_START_FAILED] = {"start-failed", NX_ERR_DEVICE},
    [VIRTIO_BLK_FAULT_USED_INDEX] = {"used-index", NX_ERR_DEVICE},
    [VIRTIO_BLK_FAULT_USED_ID_RANGE] = {"used-id-range", NX_ERR_DEVICE},
    [VIRTIO_BLK_FAULT_USED_ID_STALE] = {"used-id-stale", NX_ERR_DEVICE},
    [VIRTIO_BLK_FAULT_USED_LENGTH] = {"used-length", NX_ERR_DEVICE},
    [VIRTIO_BLK_FAULT_USED_SHORT] = {"used-short", NX_ERR_DEVICE},
    [VIRTIO_BLK_FAULT_STATUS_MISSING] = {"status-missing", NX_ERR_DEVICE},
    [VIRTIO_BLK_FAULT_STATUS_UNKNOWN] = {"status-unknown", NX_ERR_DEVICE},
    [VIRTIO_BLK_FAULT_NEEDS_RESET] = {"needs-reset", NX_ERR_DEVICE},
    [VIRTIO_BLK_FAULT_STATUS_LOST] = {"status-lost", NX_ERR_DEVICE},
    [VIRTIO_BLK_FAULT_CONFIG_CHANGED] = {"config-changed", NX_ERR_DEVICE},
    [VIRTIO_BLK_FAULT_INTERRUPT_STORM] = {"interrupt-storm", NX_ERR_DEVICE},
    [VIRTIO_BLK_FAULT_REQUEST_TIMEOUT] = {"request-timeout", NX_ERR_TIMED_OUT},
    [VIRTIO_BLK_FAULT_GONE] = {"gone", NX_ERR_DEVICE},
};

static const char *const state_names[] = {
    [VIRTIO_BLK_STOPPED] = "stopped", [VIRTIO_BLK_RESETTING] = "resetting",
    [VIRTIO_BLK_READY] = "ready",     [VIRTIO_BLK_BROKEN] = "broken",
    [VIRTIO_BLK_REFUSED] = "refused", [VIRTIO_BLK_LOST] = "lost",
};

static uint64_t time_add(uint64_t time_ns, uint64_t delay_ns)
{
    return delay_ns > UINT64_MAX - time_ns ? UINT64_MAX : time_ns + delay_ns;
}

static enum nx_status device_refuse(struct virtio_blk *device, enum virtio_blk_fault fault)
{
    device->state = VIRTIO_BLK_REFUSED;
    device->fault = fault;
    device->counters.faults++;
    return fault_table[fault].status;
}

void virtio_blk_break(struct virtio_blk *device, enum virtio_blk_fault fault)
{
    device->state = VIRTIO_BLK_BROKEN;
    device->fault = fault;
    device->counters.faults++;
}

// STATUS reads 0, and by a device that is still there: where everything has come to read 0 nobody
// says what becomes of its transfers.
static bool reset_is_done(const struct virtio_blk *device)
{
    return register_read(device, VIRTIO_MMIO_STATUS) == 0 &&
           register_read(device, VIRTIO_MMIO_MAGIC_VALUE) == VIRTIO_MMIO_MAGIC;
}

// The reset is done: the device has let go of everything, so requests in flight go back.
static void requests_return(struct virtio_blk *device)
{
    for (uint16_t head = 0; head < VIRTQUEUE_MAX_SIZE; head++) {
        struct virtio_blk_request *request = device->requests[head];
        if (request != NULL) {
            device->counters.returned_by_reset++;
            virtio_blk_request_return(device, head,
                                      request->overdue ? NX_ERR_TIMED_OUT : device->return_status);
        }
    }
    device->earliest_deadline_ns = UINT64_MAX;
}

static enum nx_status device_lost(struct virtio_blk *device)
{
    device->state = VIRTIO_BLK_LOST;
    device->fault = VIRTIO_BLK_FAULT_RESET_STUCK;
    device->counters.faults++;
    return NX_ERR_TIMED_OUT;
}

enum nx_status virtio_blk_advance(struct virtio_blk *device, uint64_t now_ns)
{
    if (device->state != VIRTIO_BLK_RESETTING) {
        return NX_ERR_BAD_STATE;
    }
    if (!reset_is_done(device)) {
        return now_ns >= device->reset_deadline_ns ? device_lost(device) : NX_ERR_BUSY;
    }
    // What the device wrote before it let go is visible before anybody reuses the memory.
    device->ops->fence(device->context);
    requests_return(device);
    if (device->stopping) {
        device->state = VIRTIO_BLK_STOPPED;
        return NX_OK;
    }
    device->quiet_interrupts = 0;
    enum virtio_blk_fault fault = virtio_blk_start(device);
    if (fault != VIRTIO_BLK_FAULT_NONE) {
        return device_refuse(device, fault);
    }
    device->state = VIRTIO_BLK_READY;
    return NX_OK;
}

static enum nx_status reset_begin(struct virtio_blk *device, uint64_t now_ns, bool stopping)
{
    // What a request in flight comes back with depends on what led here, not on older faults.
    if (device->state == VIRTIO_BLK_BROKEN && device->fault != VIRTIO_BLK_FAULT_REQUEST_TIMEOUT) {
        device->return_status = NX_ERR_DEVICE;
    } else if (device->state == VIRTIO_BLK_BROKEN || device->state == VIRTIO_BLK_READY) {
        device->return_status = NX_ERR_CANCELLED;
    }
    device->state = VIRTIO_BLK_RESETTING;
    device->stopping = stopping;
    device->reset_deadline_ns = time_add(now_ns, VIRTIO_BLK_RESET_TIMEOUT_NS);
    register_write(device, VIRTIO_MMIO_STATUS, 0);
    return virtio_blk_advance(device, now_ns);
}

enum nx_status virtio_blk_attach(struct virtio_blk *device, const struct virtio_blk_ops *ops,
                                 void *context, const struct virtio_blk_dma *dma, uint64_t now_ns)
{
    if (device == NULL || ops == NULL || ops->read32 == NULL || ops->write32 == NULL ||
        ops->fence == NULL || dma == NULL || dma->address == NULL) {
        return NX_ERR_INVALID_ARGUMENT;
    }
    if (dma->length < VIRTIO_BLK_DMA_BYTES || (uintptr_t)dma->address % VIRTQUEUE_ALIGN != 0 ||
        dma->bus_address % VIRTQUEUE_ALIGN != 0 ||
        dma->bus_address > UINT64_MAX - VIRTIO_BLK_DMA_BYTES) {
        return NX_ERR_INVALID_ARGUMENT;
    }
    memset(device, 0, sizeof(*device));
    device->ops = ops;
    device->context = context;
    device->dma = *dma;
    device->slots =
        (struct virtio_blk_slot *)(void *)((unsigned char *)dma->address + VIRTQUEUE_MAX_BYTES);
    device->earliest_deadline_ns = UINT64_MAX;
    // Writing to something that is not a virtio block device could do anything: look first.
    enum virtio_blk_fault fault = virtio_blk_identify(device);
    if (fault != VIRTIO_BLK_FAULT_NONE) {
        enum nx_status status = device_refuse(device, fault);
        device->state = VIRTIO_BLK_STOPPED; // no reset either: it would be a write
        return status;
    }
    return reset_begin(device, now_ns, false);
}

enum nx_status virtio_blk_reset(struct virtio_blk *device, uint64_t now_ns)
{
    if (device->state == VIRTIO_BLK_STOPPED) {
        return NX_ERR_BAD_STATE;
    }
    device->counters.resets++;
    return reset_begin(device, now_ns, false);
}

enum nx_status virtio_blk_stop(struct virtio_blk *device, uint64_t now_ns)
{
    if (device->state == VIRTIO_BLK_STOPPED) {
        return NX_ERR_BAD_STATE;
    }
    return reset_begin(device, now_ns, true);
}

uint64_t virtio_blk_next_deadline(const struct virtio_blk *device)
{
    switch (device->state) {
    case VIRTIO_BLK_READY:
        // What ended before its deadline is taken out of it only by virtio_blk_expire.
        return virtio_blk_in_flight(device) > 0 ? device->earliest_deadline_ns : UINT64_MAX;
    case VIRTIO_BLK_RESETTING:
        return device->reset_deadline_ns;
    default:
        return UINT64_MAX;
    }
}

struct virtio_blk_request *virtio_blk_completed(struct virtio_blk *device)
{
    struct virtio_blk_request *request = device->completed_first;
    if (request == NULL) {
        return NULL;
    }
    device->completed_first = request->next;
    if (device->completed_first == NULL) {
        device->completed_last = NULL;
    }
    request->next = NULL;
    request->submitted = false;
    return request;
}

struct virtio_blk_request *virtio_blk_abandoned(struct virtio_blk *device)
{
    if (device->state != VIRTIO_BLK_LOST) {
        return NULL;
    }
    for (uint16_t head = 0; head < VIRTQUEUE_MAX_SIZE; head++) {
        struct virtio_blk_request *request = device->requests[head];
        if (request != NULL) {
            device->requests[head] = NULL;
            device->counters.abandoned++;
            request->status = NX_ERR_DEVICE;
            request->submitted = false;
            return request;
        }
    }
    return NULL;
}

void virtio_blk_info(const struct virtio_blk *device, struct virtio_blk_info *info)
{
    *info = (struct virtio_blk_info){
        .state = device->state,
        .fault = device->fault,
        .sectors = device->sectors,
        .block_size = device->block_size,
        .transport_version = device->transport_version,
        .vendor = device->vendor,
        .features = device->features,
        .read_only = (device->features & VIRTIO_BLK_F_RO) != 0,
        .queue_size = device->queue.size,
        .in_flight = (uint16_t)virtio_blk_in_flight(device),
        .counters = device->counters,
    };
}

const char *virtio_blk_fault_name(enum virtio_blk_fault fault)
{
    return (unsigned int)fault < VIRTIO_BLK_FAULT_COUNT ? fault_table[fault].name : "unknown";
}

const char *virtio_blk_state_name(enum virtio_blk_state state)
{
    size_t count = sizeof(state_names) / sizeof(state_names[0]);
    return (unsigned int)state < count ? state_names[state] : "unknown";
}
