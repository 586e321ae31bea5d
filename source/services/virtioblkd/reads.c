// SPDX-License-Identifier: Apache-2.0
// Reads from acceptance to answer, wherever they came from: submission, completion, time-outs,
// recovery by reset.
//
// The device's states are the library's (virtio_blk.h). Here RESETTING means: reads wait, and the
// clock drives the reset forward. A reset hands back every read in flight; each is submitted again
// until it has had READ_ATTEMPTS. A device that is reset again and again without completing
// anything is given up: the process ends, and nexus-init, which restarts it a bounded number of
// times, decides.
#include "nexus/clock.h"
#include "nexus/log.h"
#include "virtioblkd.h"

#define READ_TIMEOUT         (10 * NX_SECOND) // of one attempt
#define READ_ATTEMPTS        3u
#define DEADLINE_GRAIN       (1ull << 30)   // nanoseconds; a power of two
#define RESET_STEP           NX_MILLISECOND // between two looks at a device being reset
#define FRUITLESS_RESETS_MAX 12u

void read_init(struct read *read, struct session *session, struct read **free)
{
    read->request.cookie = read;
    read->request.segments = read->segments;
    read->request.timeout_ns = READ_TIMEOUT;
    read->session = session;
    read->slot = SESSION_MEMORIES_MAX;
    read->next = *free;
    *free = read;
}

void reads_init(struct virtioblkd *service)
{
    for (uint32_t i = 0; i < READS_MAX; i++) {
        read_init(&service->reads[i], NULL, &service->free);
    }
}

// ---- The waiting list ---------------------------------------------------------------------------

static void waiting_append(struct virtioblkd *service, struct read *read)
{
    read->next = NULL;
    if (service->waiting_first == NULL) {
        service->waiting_first = read;
    } else {
        service->waiting_last->next = read;
    }
    service->waiting_last = read;
    if (read->session != NULL) {
        read->session->waiting++;
    }
}

static struct read *waiting_take(struct virtioblkd *service)
{
    struct read *read = service->waiting_first;
    if (read != NULL) {
        service->waiting_first = read->next;
        if (read->session != NULL) {
            read->session->waiting--;
        }
    }
    return read;
}

// ---- Answering ----------------------------------------------------------------------------------

// The memory is released and the caller told; the device no longer touches that memory. Apart, so
// that what a queued read passes through stays short.
static __attribute__((noinline)) void message_finish(struct virtioblkd *service, struct read *read,
                                                     enum nx_status status)
{
    uint32_t bytes =
        status == NX_OK ? read->request.sector_count * (uint32_t)VIRTIO_BLK_SECTOR_BYTES : 0;
    if (read->lender != NULL) {
        read->lender->in_flight--;
        read->lender = NULL;
        read->slot = SESSION_MEMORIES_MAX;
    } else {
        nx_handle_drop(read->memory);
    }
    if (read == service->held) {
        service->held = NULL;
        service->answer = ANSWER_READ;
        service->answer_status = status;
        service->answer_bytes = bytes;
    } else {
        serve_read_answer(read->reply, status, bytes);
    }
    service->messages--;
    read->next = service->free;
    service->free = read;
}

static inline void read_finish(struct virtioblkd *service, struct read *read, enum nx_status status)
{
    if (read->session != NULL) {
        queue_answer(read, status);
    } else {
        message_finish(service, read, status);
    }
}

// The device is LOST: callers are answered, but their memory stays pinned by its handle for ever.
static void reads_abandon(struct virtioblkd *service)
{
    struct virtio_blk_request *request;
    struct read *read;
    while ((request = virtio_blk_abandoned(&service->device)) != NULL) {
        read = request->cookie;
        read->memory = NX_HANDLE_NONE;
        read_finish(service, read, NX_ERR_DEVICE);
    }
    while ((read = waiting_take(service)) != NULL) {
        read_finish(service, read, NX_ERR_DEVICE);
    }
}

// ---- Submitting ---------------------------------------------------------------------------------

// Returns false when the device takes nothing at present: the read stays where it is.
static bool read_submit(struct virtioblkd *service, struct read *read)
{
    enum nx_status status = virtio_blk_submit(&service->device, &read->request, service->now);
    if (status == NX_ERR_BUSY || status == NX_ERR_BAD_STATE) {
        return false;
    }
    if (status != NX_OK) {
        read_finish(service, read, status);
    } else {
        read->attempts++;
    }
    return true;
}

static void waiting_submit(struct virtioblkd *service)
{
    while (service->waiting_first != NULL) {
        struct read *read = waiting_take(service);
        if (!read_submit(service, read)) {
            // Back to where it was: the first in line.
            read->next = service->waiting_first;
            service->waiting_first = read;
            if (read->next == NULL) {
                service->waiting_last = read;
            }
            if (read->session != NULL) {
                read->session->waiting++;
            }
            return;
        }
        if (read->session != NULL) {
            service->sessions_ready |= 1u << read->session->number; // its turn has come
        }
    }
}

// A read that the device does not take now.
static __attribute__((noinline, cold)) void read_wait(struct virtioblkd *service, struct read *read)
{
    if (service->device.state == VIRTIO_BLK_LOST) {
        read_finish(service, read, NX_ERR_DEVICE);
    } else {
        waiting_append(service, read);
    }
}

void read_start(struct virtioblkd *service, struct read *read)
{
    read->attempts = 0;
    if (!reads_flow(service) || !read_submit(service, read)) {
        read_wait(service, read);
    }
}

// ---- Completion and recovery --------------------------------------------------------------------

// Takes what came back. A read that a reset has handed back is tried again while it may be.
static void reads_collect(struct virtioblkd *service)
{
    struct virtio_blk_request *request;
    while ((request = virtio_blk_completed(&service->device)) != NULL) {
        struct read *read = request->cookie;
        enum nx_status status = request->status;
        bool by_reset =
            status == NX_ERR_TIMED_OUT || status == NX_ERR_DEVICE || status == NX_ERR_CANCELLED;
        if (!by_reset) {
            service->fruitless_resets = 0;
            read_finish(service, read, status);
        } else if (read->attempts < READ_ATTEMPTS) {
            waiting_append(service, read);
        } else {
            read_finish(service, read, status == NX_ERR_TIMED_OUT ? status : NX_ERR_IO);
        }
    }
}

static enum nx_status device_give_up(struct virtioblkd *service)
{
    struct read *read;
    while ((read = waiting_take(service)) != NULL) {
        read_finish(service, read, NX_ERR_IO);
    }
    nx_log("virtioblkd: device given up reason=%s", virtio_blk_fault_name(service->device.fault));
    return NX_ERR_DEVICE;
}

// Goes on after a step of a reset, whose result is `status`.
static enum nx_status reset_continue(struct virtioblkd *service, enum nx_status status)
{
    if (status == NX_ERR_BUSY) {
        service->reset_look = service->now + RESET_STEP;
        return NX_OK;
    }
    if (status == NX_ERR_TIMED_OUT) {
        reads_abandon(service);
        nx_log("virtioblkd: device lost reason=%s", virtio_blk_fault_name(service->device.fault));
        return NX_OK;
    }
    reads_collect(service);
    return status != NX_OK || service->fruitless_resets > FRUITLESS_RESETS_MAX
               ? device_give_up(service)
               : NX_OK;
}

static enum nx_status device_reset(struct virtioblkd *service)
{
    nx_log("virtioblkd: device reset reason=%s", virtio_blk_fault_name(service->device.fault));
    service->fruitless_resets++;
    return reset_continue(service, virtio_blk_reset(&service->device, service->now));
}

// Goes on after the library has looked at the device, with result `status`.
static enum nx_status device_continue(struct virtioblkd *service, enum nx_status status)
{
    reads_collect(service);
    return status == NX_ERR_TIMED_OUT || status == NX_ERR_DEVICE ? device_reset(service) : NX_OK;
}

enum nx_status reads_interrupt(struct virtioblkd *service)
{
    enum nx_status status = virtio_blk_interrupt(&service->device);
    // Refused when there was none: a client can signal this bit, too.
    if (nx_interrupt_ack(service->interrupt) != NX_OK) {
        virtio_blk_interrupt_was_none(&service->device);
    }
    return device_continue(service, status);
}

enum nx_status reads_expire(struct virtioblkd *service)
{
    if (service->device.state == VIRTIO_BLK_RESETTING) {
        return reset_continue(service, virtio_blk_advance(&service->device, service->now));
    }
    return device_continue(service, virtio_blk_expire(&service->device, service->now));
}

enum nx_status reads_settle(struct virtioblkd *service)
{
    enum nx_status status = NX_OK;
    bool again = true;

    while (status == NX_OK && again) {
        waiting_submit(service);
        queues_take(service);
        virtio_blk_kick(&service->device);
        queues_publish(service);
        again = virtio_blk_interrupt_after(&service->device, queues_patience(service));
        if (again) {
            status = device_continue(service, virtio_blk_poll(&service->device));
        }
    }
    return status;
}

uint64_t reads_deadline(const struct virtioblkd *service)
{
    if (service->device.state == VIRTIO_BLK_RESETTING) {
        return service->reset_look;
    }
    // A later moment does as well for a time-out, and one that stays the same from wait to wait
    // leaves the hart's timer as it is armed.
    return virtio_blk_next_deadline(&service->device) | (DEADLINE_GRAIN - 1);
}
