// SPDX-License-Identifier: Apache-2.0
// The first read: before virtioblkd says that it is ready, a block of the disk has come in by DMA
// and its interrupt has arrived.
#include "nexus/clock.h"
#include "nexus/memory.h"
#include "virtioblkd.h"

#define PROBE_PATIENCE (5 * NX_SECOND)
#define RESET_INTERVAL NX_MILLISECOND

// Waits for the interrupt that brings the request back.
static enum nx_status probe_wait(struct virtioblkd *service,
                                 const struct virtio_blk_request *request)
{
    uint64_t deadline = nx_deadline_after(PROBE_PATIENCE);
    enum nx_status status = NX_OK;

    while (status == NX_OK && virtio_blk_completed(&service->device) != request) {
        uint64_t bits;
        status = nx_notification_wait(service->notification, deadline, &bits);
        if (status == NX_OK) {
            status = virtio_blk_interrupt(&service->device);
            // The source is the only one bound here: acknowledging it cannot be refused.
            (void)!nx_interrupt_ack(service->interrupt);
        }
    }
    return status == NX_OK ? request->status : status;
}

// The memory is about to go: the device must not write there any more. One that ignores the reset
// is LOST afterwards.
static void probe_abort(struct virtioblkd *service)
{
    enum nx_status status = virtio_blk_reset(&service->device, nx_clock_now());
    while (status == NX_ERR_BUSY) {
        nx_sleep(RESET_INTERVAL);
        status = virtio_blk_advance(&service->device, nx_clock_now());
    }
}

static enum nx_status probe_read(struct virtioblkd *service, nx_handle memory, uint32_t bytes)
{
    // Static: where the device ignores the reset, it is still known to the library.
    static struct virtio_blk_segment segments[VIRTIO_BLK_MAX_SEGMENTS];
    static struct virtio_blk_request request;

    request.segments = segments;
    request.sector_count = bytes / VIRTIO_BLK_SECTOR_BYTES;
    request.timeout_ns = PROBE_PATIENCE;
    enum nx_status status = memory_segments(service->machine, memory, 0, bytes, segments,
                                            VIRTIO_BLK_MAX_SEGMENTS, &request.segment_count);
    if (status == NX_OK) {
        status = virtio_blk_submit(&service->device, &request, nx_clock_now());
    }
    if (status != NX_OK) {
        return status;
    }
    virtio_blk_kick(&service->device);
    status = probe_wait(service, &request);
    if (status != NX_OK) {
        probe_abort(service);
    }
    return status;
}

enum nx_status probe(struct virtioblkd *service)
{
    struct virtio_blk_info info;
    nx_handle memory;
    void *address;

    virtio_blk_info(&service->device, &info);
    if (info.sectors == 0) {
        return NX_OK; // there is nothing to read
    }
    enum nx_status status = nx_memory_new(NX_PAGE_ROUND_UP(info.block_size), 0, &memory, &address);
    if (status != NX_OK) {
        return status;
    }
    status = probe_read(service, memory, info.block_size);
    nx_unmap(address);
    if (service->device.state != VIRTIO_BLK_LOST) {
        nx_handle_drop(memory);
    }
    return status;
}
