// SPDX-License-Identifier: Apache-2.0
// What a virtio block device answers: used elements, interrupts, deadlines, and the judgement on
// each. The contract is in virtio_blk.h; rings are virtio 1.2 section 2.7, answers section 5.2.6.
#include "virtio_blk_private.h"

#include <stdatomic.h>

// Judges one used element by what was posted, never by what the device says about itself.
static enum virtio_blk_fault answer_check(const struct virtio_blk_request *request, uint32_t length,
                                          uint8_t answer)
{
    uint32_t posted = request->part_bytes + 1; // the data and the status byte
    if (length == 0 || length > posted) {
        return VIRTIO_BLK_FAULT_USED_LENGTH;
    }
    if (answer == VIRTIO_BLK_STATUS_UNWRITTEN) {
        return VIRTIO_BLK_FAULT_STATUS_MISSING;
    }
    if (answer > VIRTIO_BLK_S_UNSUPP) {
        return VIRTIO_BLK_FAULT_STATUS_UNKNOWN;
    }
    // Success with a byte unwritten would hand old memory to the client as file content.
    if (answer == VIRTIO_BLK_S_OK && length != posted) {
        return VIRTIO_BLK_FAULT_USED_SHORT;
    }
    return VIRTIO_BLK_FAULT_NONE;
}

static enum nx_status answer_status(uint8_t answer)
{
    switch (answer) {
    case VIRTIO_BLK_S_OK:
        return NX_OK;
    case VIRTIO_BLK_S_IOERR:
        return NX_ERR_IO;
    default:
        return NX_ERR_UNSUPPORTED;
    }
}

// One chain came back: the request goes on with its next part, or returns.
static enum virtio_blk_fault completion_take(struct virtio_blk *device,
                                             const struct virtqueue_completion *completion)
{
    struct virtio_blk_request *request = device->requests[completion->head];
    // One load: the device can still write here.
    uint8_t answer =
        atomic_load_explicit(&device->slots[completion->head].status, memory_order_relaxed);
    enum virtio_blk_fault fault = answer_check(request, completion->length, answer);
    if (fault != VIRTIO_BLK_FAULT_NONE) {
        return fault;
    }
    if (answer == VIRTIO_BLK_S_OK && request->segment_index < request->segment_count) {
        request->bytes_done += request->part_bytes;
        virtio_blk_part_publish(device, request, completion->head);
        return VIRTIO_BLK_FAULT_NONE;
    }
    device->counters.completions++;
    if (answer != VIRTIO_BLK_S_OK) {
        device->counters.errors++;
    }
    virtqueue_release(&device->queue, completion->head);
    virtio_blk_request_return(device, completion->head, answer_status(answer));
    return VIRTIO_BLK_FAULT_NONE;
}

static enum virtio_blk_fault queue_fault(enum virtqueue_result result)
{
    switch (result) {
    case VIRTQUEUE_ID_RANGE:
        return VIRTIO_BLK_FAULT_USED_ID_RANGE;
    case VIRTQUEUE_NOT_IN_FLIGHT:
        return VIRTIO_BLK_FAULT_USED_ID_STALE;
    default:
        return VIRTIO_BLK_FAULT_USED_INDEX;
    }
}

// No more than there are in flight: else the interrupt never came.
static uint16_t chains_until_interrupt(const struct virtio_blk *device)
{
    uint16_t in_flight = device->queue.in_flight;
    if (device->interrupt_after <= in_flight) {
        return device->interrupt_after;
    }
    return in_flight > 1 ? in_flight : 1;
}

// Takes used elements until there are none and the next one will interrupt; *taken counts them.
// Bounded: every turn takes a chain in flight or ends, whatever the device does to used.idx.
static enum virtio_blk_fault used_drain(struct virtio_blk *device, uint32_t *taken)
{
    struct virtqueue_completion completion;
    bool promised = false; // rearm saw an element, so the queue cannot be empty
    *taken = 0;
    for (;;) {
        enum virtqueue_result result = virtqueue_take(&device->queue, &completion);
        if (result == VIRTQUEUE_EMPTY) {
            if (promised) {
                return VIRTIO_BLK_FAULT_USED_INDEX;
            }
            if (!virtqueue_rearm(&device->queue, chains_until_interrupt(device))) {
                return VIRTIO_BLK_FAULT_NONE;
            }
            promised = true;
            continue;
        }
        if (result != VIRTQUEUE_TAKEN) {
            return queue_fault(result);
        }
        promised = false;
        enum virtio_blk_fault fault = completion_take(device, &completion);
        if (fault != VIRTIO_BLK_FAULT_NONE) {
            return fault;
        }
        (*taken)++;
    }
}

static enum virtio_blk_fault status_check(const struct virtio_blk *device)
{
    uint32_t status = register_read(device, VIRTIO_MMIO_STATUS);
    if (status == UINT32_MAX) {
        return VIRTIO_BLK_FAULT_GONE; // what a bus answers for a device that has been taken out
    }
    if ((status & VIRTIO_STATUS_DEVICE_NEEDS_RESET) != 0) {
        return VIRTIO_BLK_FAULT_NEEDS_RESET;
    }
    if ((status & VIRTIO_STATUS_FAILED) != 0 || (status & VIRTIO_STATUS_DRIVER_OK) == 0) {
        return VIRTIO_BLK_FAULT_STATUS_LOST;
    }
    return VIRTIO_BLK_FAULT_NONE;
}

// The capacity may change under way. The other fields shape requests in flight, so a device that
// changes one is started anew.
static enum virtio_blk_fault config_refresh(struct virtio_blk *device)
{
    struct virtio_blk_config config;
    enum virtio_blk_fault fault = virtio_blk_config_read(device, &config);
    if (fault == VIRTIO_BLK_FAULT_CONFIG_UNSTABLE) {
        return fault;
    }
    uint32_t room = device->queue.size - 2u;
    uint32_t limit = config.segment_limit < room ? config.segment_limit : room;
    if (fault != VIRTIO_BLK_FAULT_NONE || config.block_size != device->block_size ||
        config.piece_limit != device->piece_limit || limit != device->data_limit) {
        return VIRTIO_BLK_FAULT_CONFIG_CHANGED;
    }
    device->sectors = config.sectors;
    return VIRTIO_BLK_FAULT_NONE;
}

// An interrupt that completed nothing: is the device still with us, and how often does it do this?
static enum virtio_blk_fault quiet_interrupt(struct virtio_blk *device, bool config_changed)
{
    device->quiet_interrupts++;
    if (!config_changed) {
        device->counters.spurious_interrupts++;
    }
    if (device->quiet_interrupts > VIRTIO_BLK_QUIET_INTERRUPT_LIMIT) {
        return VIRTIO_BLK_FAULT_INTERRUPT_STORM;
    }
    return status_check(device);
}

static enum virtio_blk_fault interrupt_serve(struct virtio_blk *device, uint32_t cause)
{
    bool config_changed = (cause & VIRTIO_MMIO_INTERRUPT_CONFIG_CHANGE) != 0;
    uint32_t taken;
    enum virtio_blk_fault fault = used_drain(device, &taken);
    if (taken > 0) {
        device->quiet_interrupts = 0;
    } else if (fault == VIRTIO_BLK_FAULT_NONE) {
        fault = quiet_interrupt(device, config_changed);
    }
    if (fault == VIRTIO_BLK_FAULT_NONE && config_changed) {
        fault = status_check(device);
    }
    if (fault == VIRTIO_BLK_FAULT_NONE && config_changed) {
        fault = config_refresh(device);
    }
    return fault;
}

enum nx_status virtio_blk_interrupt(struct virtio_blk *device)
{
    if (device->state == VIRTIO_BLK_STOPPED || device->ops == NULL) {
        return NX_ERR_BAD_STATE;
    }
    device->counters.interrupts++;
    uint32_t cause = register_read(device, VIRTIO_MMIO_INTERRUPT_STATUS) &
                     (VIRTIO_MMIO_INTERRUPT_USED_BUFFER | VIRTIO_MMIO_INTERRUPT_CONFIG_CHANGE);
    if (cause != 0) {
        register_write(device, VIRTIO_MMIO_INTERRUPT_ACK, cause);
    }
    // The acknowledgement reaches the device before used.idx is read: an element that we do not
    // see below was added after it, and raises the interrupt again.
    device->ops->fence(device->context);
    if (device->state == VIRTIO_BLK_BROKEN) {
        return NX_ERR_DEVICE;
    }
    if (device->state != VIRTIO_BLK_READY) {
        return NX_ERR_BAD_STATE;
    }
    enum virtio_blk_fault fault = interrupt_serve(device, cause);
    if (fault != VIRTIO_BLK_FAULT_NONE) {
        virtio_blk_break(device, fault);
        return NX_ERR_DEVICE;
    }
    virtio_blk_kick(device); // parts published by the drain
    return NX_OK;
}

void virtio_blk_interrupt_was_none(struct virtio_blk *device)
{
    if (device->counters.interrupts > 0) {
        device->counters.interrupts--;
    }
    if (device->quiet_interrupts > 0) {
        device->quiet_interrupts--;
    }
}

enum nx_status virtio_blk_poll(struct virtio_blk *device)
{
    uint32_t taken;
    if (device->state == VIRTIO_BLK_BROKEN) {
        return NX_ERR_DEVICE;
    }
    if (device->state != VIRTIO_BLK_READY) {
        return NX_ERR_BAD_STATE;
    }
    enum virtio_blk_fault fault = used_drain(device, &taken);
    if (fault != VIRTIO_BLK_FAULT_NONE) {
        virtio_blk_break(device, fault);
        return NX_ERR_DEVICE;
    }
    if (taken > 0) {
        device->quiet_interrupts = 0;
    }
    virtio_blk_kick(device); // parts published by the drain
    return NX_OK;
}

bool virtio_blk_interrupt_after(struct virtio_blk *device, uint32_t requests)
{
    if (requests > VIRTQUEUE_MAX_SIZE) {
        requests = VIRTQUEUE_MAX_SIZE;
    }
    device->interrupt_after = (uint16_t)(requests > 1 ? requests : 1);
    if (device->state != VIRTIO_BLK_READY || !device->queue.event_index) {
        return false;
    }
    uint16_t after = chains_until_interrupt(device);
    if (device->queue.armed_index == (uint16_t)(device->queue.used_index + after - 1u)) {
        return false; // it stands so, and what came since has interrupted or will
    }
    return virtqueue_rearm(&device->queue, after);
}

// Marks what is overdue and finds the earliest deadline of the rest. Returns how many are overdue.
static uint32_t deadlines_scan(struct virtio_blk *device, uint64_t now_ns)
{
    uint32_t overdue = 0;
    device->earliest_deadline_ns = UINT64_MAX;
    for (uint16_t head = 0; head < device->queue.size; head++) {
        struct virtio_blk_request *request = device->requests[head];
        if (request == NULL) {
            continue;
        }
        if (request->deadline_ns <= now_ns) {
            request->overdue = true;
            overdue++;
        } else if (request->deadline_ns < device->earliest_deadline_ns) {
            device->earliest_deadline_ns = request->deadline_ns;
        }
    }
    return overdue;
}

enum nx_status virtio_blk_expire(struct virtio_blk *device, uint64_t now_ns)
{
    uint32_t rescued;
    if (device->state == VIRTIO_BLK_BROKEN) {
        return NX_ERR_DEVICE;
    }
    if (device->state != VIRTIO_BLK_READY) {
        return NX_ERR_BAD_STATE;
    }
    if (now_ns < device->earliest_deadline_ns) {
        return NX_OK;
    }
    enum virtio_blk_fault fault = used_drain(device, &rescued);
    device->counters.rescued += rescued;
    if (fault != VIRTIO_BLK_FAULT_NONE) {
        virtio_blk_break(device, fault);
        return NX_ERR_DEVICE;
    }
    virtio_blk_kick(device);
    uint32_t overdue = deadlines_scan(device, now_ns);
    if (overdue == 0) {
        return NX_OK;
    }
    device->counters.timeouts += overdue;
    fault = status_check(device);
    virtio_blk_break(device,
                     fault != VIRTIO_BLK_FAULT_NONE ? fault : VIRTIO_BLK_FAULT_REQUEST_TIMEOUT);
    return fault != VIRTIO_BLK_FAULT_NONE ? NX_ERR_DEVICE : NX_ERR_TIMED_OUT;
}
