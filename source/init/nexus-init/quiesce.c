// SPDX-License-Identifier: Apache-2.0
// Resetting a device that nobody drives: see quiesce.h.
#include "quiesce.h"
#include "nexus/clock.h"
#include "nexus/log.h"
#include "nexus/memory.h"
#include "nexus/mmio.h"

// virtio 1.2, section 4.2.2
#define VIRTIO_MMIO_MAGIC_VALUE 0x000u
#define VIRTIO_MMIO_STATUS      0x070u
#define VIRTIO_MAGIC            0x74726976u

#define RESET_PATIENCE NX_SECOND
#define WINDOW_RIGHTS  (NX_PROT_READ | NX_PROT_WRITE)

// The device is there, and says that it is done. One whose registers have all come to read 0 says
// nothing.
static bool reset_is_done(const volatile void *window)
{
    return nx_mmio_read32(window, VIRTIO_MMIO_STATUS) == 0 &&
           nx_mmio_read32(window, VIRTIO_MMIO_MAGIC_VALUE) == VIRTIO_MAGIC;
}

// virtio 1.2, section 2.1: writing 0 to the status resets the device; it reads 0 when it is done.
static bool virtio_reset(const struct device *device)
{
    void *window;
    if (nx_map(device->window, 0, device->size, WINDOW_RIGHTS, &window) != NX_OK) {
        nx_log("init: cannot reset device mmio=0x%lx", device->base);
        return false;
    }
    uint64_t deadline = nx_deadline_after(RESET_PATIENCE);
    nx_mmio_write32(window, VIRTIO_MMIO_STATUS, 0);
    bool is_reset = reset_is_done(window);
    while (!is_reset && nx_clock_now() < deadline) {
        nx_sleep(NX_MILLISECOND);
        is_reset = reset_is_done(window);
    }
    if (!is_reset) {
        nx_log("init: device does not reset mmio=0x%lx", device->base);
    }
    nx_unmap(window);
    return is_reset;
}

bool device_quiesce(enum device_id id)
{
    const struct device *device = machine_device(id);
    if (device->presence != DEVICE_PRESENT) {
        return true;
    }
    bool still = id != DEVICE_BLOCK || virtio_reset(device);
    // Refused when nothing is pending, which is just as well.
    (void)!nx_interrupt_ack(device->interrupt);
    return still;
}
