// SPDX-License-Identifier: Apache-2.0
// What a virtio block device and its driver say to each other: virtio 1.2 section 5.2 (device id,
// feature bits, configuration layout, request header and status byte).
#ifndef VIRTIO_BLK_FORMAT_H
#define VIRTIO_BLK_FORMAT_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#define VIRTIO_ID_BLOCK 2u

// Feature bits, section 5.2.3.
#define VIRTIO_BLK_F_SIZE_MAX (UINT64_C(1) << 1)
#define VIRTIO_BLK_F_SEG_MAX  (UINT64_C(1) << 2)
#define VIRTIO_BLK_F_RO       (UINT64_C(1) << 5)
#define VIRTIO_BLK_F_BLK_SIZE (UINT64_C(1) << 6)

// Offsets in the configuration space, section 5.2.4. A 64-bit field is read as two 32-bit halves.
#define VIRTIO_BLK_CONFIG_CAPACITY_LOW  0u
#define VIRTIO_BLK_CONFIG_CAPACITY_HIGH 4u
#define VIRTIO_BLK_CONFIG_SIZE_MAX      8u
#define VIRTIO_BLK_CONFIG_SEG_MAX       12u
#define VIRTIO_BLK_CONFIG_BLK_SIZE      20u

// Request, section 5.2.6: a device-readable header, the data, a device-writable status byte.
struct virtio_blk_req_header {
    uint32_t type;
    uint32_t reserved;
    uint64_t sector; // in units of 512 bytes, whatever blk_size is
};
static_assert(sizeof(struct virtio_blk_req_header) == 16, "legacy devices want exactly 16 bytes");
static_assert(offsetof(struct virtio_blk_req_header, sector) == 8, "section 5.2.6");

#define VIRTIO_BLK_T_IN     0u // read; the only type this driver has
#define VIRTIO_BLK_S_OK     0u
#define VIRTIO_BLK_S_IOERR  1u
#define VIRTIO_BLK_S_UNSUPP 2u

#endif
