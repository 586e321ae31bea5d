// SPDX-License-Identifier: Apache-2.0
// What the files of the virtio-blk library share among themselves; not for its users.
#ifndef VIRTIO_BLK_VIRTIO_BLK_PRIVATE_H
#define VIRTIO_BLK_VIRTIO_BLK_PRIVATE_H

#include "virtio_blk.h"
#include "virtio_mmio.h"

static inline uint32_t register_read(const struct virtio_blk *device, uint32_t offset)
{
    return device->ops->read32(device->context, offset);
}

static inline void register_write(const struct virtio_blk *device, uint32_t offset, uint32_t value)
{
    device->ops->write32(device->context, offset, value);
}

// Where the device finds the slot of a descriptor head.
static inline uint64_t virtio_blk_slot_address(const struct virtio_blk *device, uint16_t head)
{
    return device->dma.bus_address + VIRTQUEUE_MAX_BYTES +
           (uint64_t)head * sizeof(struct virtio_blk_slot);
}

// What the driver takes from the configuration space, checked.
struct virtio_blk_config {
    uint64_t sectors;
    uint32_t block_size;
    uint32_t piece_limit;
    uint32_t segment_limit;
};

// virtio_blk_start.c: from a device whose STATUS reads 0 to one that takes requests.
enum virtio_blk_fault virtio_blk_identify(struct virtio_blk *device);
enum virtio_blk_fault virtio_blk_start(struct virtio_blk *device);
enum virtio_blk_fault virtio_blk_config_read(const struct virtio_blk *device,
                                             struct virtio_blk_config *config);

// No device writes this as a status byte, so finding it says that none was written.
#define VIRTIO_BLK_STATUS_UNWRITTEN 0xffu

// Off the usual path, and kept out of it so that it costs nothing there.
#define VIRTIO_BLK_SELDOM __attribute__((noinline, cold))

static inline bool virtio_blk_is_indirect(const struct virtio_blk *device)
{
    return (device->features & VIRTIO_F_INDIRECT_DESC) != 0;
}

// Point of no return: the request is the device's once it is published.
static inline void virtio_blk_request_accept(struct virtio_blk *device,
                                             struct virtio_blk_request *request, uint16_t head,
                                             uint64_t now_ns)
{
    request->submitted = true;
    request->overdue = false;
    request->deadline_ns =
        request->timeout_ns > UINT64_MAX - now_ns ? UINT64_MAX : now_ns + request->timeout_ns;
    if (request->deadline_ns < device->earliest_deadline_ns) {
        device->earliest_deadline_ns = request->deadline_ns;
    }
    device->requests[head] = request;
    device->counters.requests++;
}

// virtio_blk_parts.c: virtio_blk_submit for a request whose segments are not checked yet.
VIRTIO_BLK_SELDOM enum nx_status virtio_blk_submit_parts(struct virtio_blk *device,
                                                         struct virtio_blk_request *request,
                                                         uint64_t now_ns);

// virtio_blk_parts.c: fills the chain at `head` with the request's next part and hands it to the
// device.
VIRTIO_BLK_SELDOM void virtio_blk_part_publish(struct virtio_blk *device,
                                               struct virtio_blk_request *request, uint16_t head);

// virtio_blk_request.c: puts the request at `head` on the list of completed ones.
void virtio_blk_request_return(struct virtio_blk *device, uint16_t head, enum nx_status status);

// virtio_blk.c: records a protocol violation; READY becomes BROKEN.
void virtio_blk_break(struct virtio_blk *device, enum virtio_blk_fault fault);

#endif
