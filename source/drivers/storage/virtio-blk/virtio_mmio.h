// SPDX-License-Identifier: Apache-2.0
// Registers of the virtio-mmio transport: virtio 1.2 sections 4.2.2 (version 2) and 4.2.4 (legacy,
// version 1), and the device status bits of section 2.1.
//
// All control registers are 32 bits wide, little-endian, and accessed by aligned 32-bit reads and
// writes only. Names are the spec's, in capitals.
#ifndef VIRTIO_BLK_VIRTIO_MMIO_H
#define VIRTIO_BLK_VIRTIO_MMIO_H

// Both versions.
#define VIRTIO_MMIO_MAGIC_VALUE         0x000u
#define VIRTIO_MMIO_VERSION             0x004u
#define VIRTIO_MMIO_DEVICE_ID           0x008u
#define VIRTIO_MMIO_VENDOR_ID           0x00cu
#define VIRTIO_MMIO_DEVICE_FEATURES     0x010u // legacy name: HostFeatures
#define VIRTIO_MMIO_DEVICE_FEATURES_SEL 0x014u
#define VIRTIO_MMIO_DRIVER_FEATURES     0x020u // legacy name: GuestFeatures
#define VIRTIO_MMIO_DRIVER_FEATURES_SEL 0x024u
#define VIRTIO_MMIO_QUEUE_SEL           0x030u
#define VIRTIO_MMIO_QUEUE_NUM_MAX       0x034u
#define VIRTIO_MMIO_QUEUE_NUM           0x038u
#define VIRTIO_MMIO_QUEUE_NOTIFY        0x050u
#define VIRTIO_MMIO_INTERRUPT_STATUS    0x060u
#define VIRTIO_MMIO_INTERRUPT_ACK       0x064u
#define VIRTIO_MMIO_STATUS              0x070u
#define VIRTIO_MMIO_CONFIG              0x100u

// Version 1 (legacy) only, section 4.2.4.
#define VIRTIO_MMIO_GUEST_PAGE_SIZE 0x028u
#define VIRTIO_MMIO_QUEUE_ALIGN     0x03cu
#define VIRTIO_MMIO_QUEUE_PFN       0x040u

// Version 2 only, section 4.2.2.
#define VIRTIO_MMIO_QUEUE_READY       0x044u
#define VIRTIO_MMIO_QUEUE_DESC_LOW    0x080u
#define VIRTIO_MMIO_QUEUE_DESC_HIGH   0x084u
#define VIRTIO_MMIO_QUEUE_DRIVER_LOW  0x090u
#define VIRTIO_MMIO_QUEUE_DRIVER_HIGH 0x094u
#define VIRTIO_MMIO_QUEUE_DEVICE_LOW  0x0a0u
#define VIRTIO_MMIO_QUEUE_DEVICE_HIGH 0x0a4u
#define VIRTIO_MMIO_CONFIG_GENERATION 0x0fcu

#define VIRTIO_MMIO_MAGIC          0x74726976u // "virt"
#define VIRTIO_MMIO_VERSION_LEGACY 1u
#define VIRTIO_MMIO_VERSION_MODERN 2u

// InterruptStatus and InterruptACK.
#define VIRTIO_MMIO_INTERRUPT_USED_BUFFER   0x1u
#define VIRTIO_MMIO_INTERRUPT_CONFIG_CHANGE 0x2u

// Device status field, section 2.1.
#define VIRTIO_STATUS_ACKNOWLEDGE        0x01u
#define VIRTIO_STATUS_DRIVER             0x02u
#define VIRTIO_STATUS_DRIVER_OK          0x04u
#define VIRTIO_STATUS_FEATURES_OK        0x08u
#define VIRTIO_STATUS_DEVICE_NEEDS_RESET 0x40u
#define VIRTIO_STATUS_FAILED             0x80u

// Device-independent feature bits, section 6.
#define VIRTIO_F_INDIRECT_DESC (UINT64_C(1) << 28)
#define VIRTIO_F_EVENT_IDX     (UINT64_C(1) << 29)
#define VIRTIO_F_VERSION_1     (UINT64_C(1) << 32)

#endif
