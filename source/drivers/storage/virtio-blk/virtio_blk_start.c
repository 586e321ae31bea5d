// SPDX-License-Identifier: Apache-2.0
// Starting a virtio block device after its reset: identity, feature negotiation, configuration,
// queue. Follows virtio 1.2 sections 3.1.1 (order of steps), 4.2.3 and, for legacy, 4.2.4.
//
// Each step returns the fault that makes it refuse the device, or VIRTIO_BLK_FAULT_NONE.
#include "virtio_blk_private.h"

#include <string.h>

// Tries at reading a configuration that stands still.
#define CONFIG_TRIES 8

#define WANTED_FEATURES                                                                            \
    (VIRTIO_F_VERSION_1 | VIRTIO_F_INDIRECT_DESC | VIRTIO_F_EVENT_IDX | VIRTIO_BLK_F_RO |          \
     VIRTIO_BLK_F_SIZE_MAX | VIRTIO_BLK_F_SEG_MAX | VIRTIO_BLK_F_BLK_SIZE)

// The smallest read is a chain of header, one piece of data, status.
#define FRAME_DESCRIPTORS   2u
#define SMALLEST_QUEUE_SIZE 4u // the power of two that holds 3 descriptors

static bool is_legacy(const struct virtio_blk *device)
{
    return device->transport_version == VIRTIO_MMIO_VERSION_LEGACY;
}

enum virtio_blk_fault virtio_blk_identify(struct virtio_blk *device)
{
    if (register_read(device, VIRTIO_MMIO_MAGIC_VALUE) != VIRTIO_MMIO_MAGIC) {
        return VIRTIO_BLK_FAULT_BAD_MAGIC;
    }
    device->transport_version = register_read(device, VIRTIO_MMIO_VERSION);
    if (device->transport_version != VIRTIO_MMIO_VERSION_LEGACY &&
        device->transport_version != VIRTIO_MMIO_VERSION_MODERN) {
        return VIRTIO_BLK_FAULT_BAD_VERSION;
    }
    uint32_t id = register_read(device, VIRTIO_MMIO_DEVICE_ID);
    if (id == 0) {
        return VIRTIO_BLK_FAULT_EMPTY_SLOT;
    }
    if (id != VIRTIO_ID_BLOCK) {
        return VIRTIO_BLK_FAULT_NOT_BLOCK;
    }
    device->vendor = register_read(device, VIRTIO_MMIO_VENDOR_ID);
    return VIRTIO_BLK_FAULT_NONE;
}

static uint64_t offered_features(const struct virtio_blk *device)
{
    register_write(device, VIRTIO_MMIO_DEVICE_FEATURES_SEL, 0);
    uint64_t offered = register_read(device, VIRTIO_MMIO_DEVICE_FEATURES);
    if (!is_legacy(device)) {
        register_write(device, VIRTIO_MMIO_DEVICE_FEATURES_SEL, 1);
        offered |= (uint64_t)register_read(device, VIRTIO_MMIO_DEVICE_FEATURES) << 32;
    }
    return offered;
}

// Adds one step to STATUS and checks that the device still agrees with all steps so far.
static bool status_add(const struct virtio_blk *device, uint32_t *status, uint32_t step)
{
    *status |= step;
    register_write(device, VIRTIO_MMIO_STATUS, *status);
    return register_read(device, VIRTIO_MMIO_STATUS) == *status;
}

static enum virtio_blk_fault features_negotiate(struct virtio_blk *device, uint32_t *status)
{
    uint64_t offered = offered_features(device);
    if (offered != offered_features(device)) {
        return VIRTIO_BLK_FAULT_FEATURES_UNSTABLE;
    }
    if (!is_legacy(device) && (offered & VIRTIO_F_VERSION_1) == 0) {
        return VIRTIO_BLK_FAULT_NO_VERSION_1;
    }
    device->features = offered & WANTED_FEATURES;
    register_write(device, VIRTIO_MMIO_DRIVER_FEATURES_SEL, 0);
    register_write(device, VIRTIO_MMIO_DRIVER_FEATURES, (uint32_t)device->features);
    if (is_legacy(device)) {
        return VIRTIO_BLK_FAULT_NONE; // no FEATURES_OK in a legacy device (section 3.1.2)
    }
    register_write(device, VIRTIO_MMIO_DRIVER_FEATURES_SEL, 1);
    register_write(device, VIRTIO_MMIO_DRIVER_FEATURES, (uint32_t)(device->features >> 32));
    if (!status_add(device, status, VIRTIO_STATUS_FEATURES_OK)) {
        return VIRTIO_BLK_FAULT_FEATURES_REFUSED;
    }
    return VIRTIO_BLK_FAULT_NONE;
}

struct raw_config {
    uint32_t capacity_low;
    uint32_t capacity_high;
    uint32_t size_max;
    uint32_t seg_max;
    uint32_t blk_size;
};

static uint32_t config_field(const struct virtio_blk *device, uint32_t offset, uint64_t feature)
{
    // A field whose feature is not negotiated does not exist.
    if ((device->features & feature) != feature) {
        return 0;
    }
    return register_read(device, VIRTIO_MMIO_CONFIG + offset);
}

static struct raw_config config_sample(const struct virtio_blk *device)
{
    return (struct raw_config){
        .capacity_low = config_field(device, VIRTIO_BLK_CONFIG_CAPACITY_LOW, 0),
        .capacity_high = config_field(device, VIRTIO_BLK_CONFIG_CAPACITY_HIGH, 0),
        .size_max = config_field(device, VIRTIO_BLK_CONFIG_SIZE_MAX, VIRTIO_BLK_F_SIZE_MAX),
        .seg_max = config_field(device, VIRTIO_BLK_CONFIG_SEG_MAX, VIRTIO_BLK_F_SEG_MAX),
        .blk_size = config_field(device, VIRTIO_BLK_CONFIG_BLK_SIZE, VIRTIO_BLK_F_BLK_SIZE),
    };
}

// One snapshot of all fields. Version 2 has a generation counter that changes with them (section
// 2.5.2); legacy devices do not, there two equal samples in a row have to do.
static bool config_snapshot(const struct virtio_blk *device, struct raw_config *config)
{
    for (int attempt = 0; attempt < CONFIG_TRIES; attempt++) {
        if (is_legacy(device)) {
            *config = config_sample(device);
            struct raw_config again = config_sample(device);
            if (memcmp(config, &again, sizeof(again)) == 0) {
                return true;
            }
            continue;
        }
        uint32_t generation = register_read(device, VIRTIO_MMIO_CONFIG_GENERATION);
        *config = config_sample(device);
        if (register_read(device, VIRTIO_MMIO_CONFIG_GENERATION) == generation) {
            return true;
        }
    }
    return false;
}

static bool block_size_is_usable(uint32_t size)
{
    return size >= VIRTIO_BLK_SECTOR_BYTES && size <= 4096 && (size & (size - 1)) == 0;
}

enum virtio_blk_fault virtio_blk_config_read(const struct virtio_blk *device,
                                             struct virtio_blk_config *config)
{
    struct raw_config raw;
    if (!config_snapshot(device, &raw)) {
        return VIRTIO_BLK_FAULT_CONFIG_UNSTABLE;
    }
    *config = (struct virtio_blk_config){
        .sectors = (uint64_t)raw.capacity_high << 32 | raw.capacity_low,
        .block_size = VIRTIO_BLK_SECTOR_BYTES,
        .piece_limit = UINT32_MAX,
        .segment_limit = VIRTIO_BLK_MAX_SEGMENTS,
    };
    if (config->sectors == 0) {
        return VIRTIO_BLK_FAULT_CAPACITY_ZERO;
    }
    if (config->sectors > UINT64_MAX / VIRTIO_BLK_SECTOR_BYTES) {
        return VIRTIO_BLK_FAULT_CAPACITY_OVERFLOW;
    }
    if ((device->features & VIRTIO_BLK_F_BLK_SIZE) != 0) {
        config->block_size = raw.blk_size;
    }
    if (!block_size_is_usable(config->block_size)) {
        return VIRTIO_BLK_FAULT_BAD_BLOCK_SIZE;
    }
    if (config->sectors < config->block_size / VIRTIO_BLK_SECTOR_BYTES) {
        return VIRTIO_BLK_FAULT_CAPACITY_TOO_SMALL;
    }
    if ((device->features & VIRTIO_BLK_F_SIZE_MAX) != 0) {
        config->piece_limit = raw.size_max;
    }
    if ((device->features & VIRTIO_BLK_F_SEG_MAX) != 0 && raw.seg_max < config->segment_limit) {
        config->segment_limit = raw.seg_max;
    }
    return VIRTIO_BLK_FAULT_NONE;
}

// The largest power of two that neither the device nor the driver exceeds (section 2.7: always a
// power of two; QueueNumMax itself need not be one).
static uint16_t queue_size_choose(uint32_t maximum)
{
    uint32_t size = VIRTQUEUE_MAX_SIZE;
    while (size > maximum) {
        size /= 2;
    }
    return (uint16_t)size;
}

// Section 4.2.4: the page size comes first, or the device multiplies QueuePFN by something else.
static enum virtio_blk_fault queue_enable_legacy(const struct virtio_blk *device)
{
    uint64_t frame = device->dma.bus_address / VIRTQUEUE_ALIGN;
    if (frame > UINT32_MAX) {
        return VIRTIO_BLK_FAULT_QUEUE_NOT_READY;
    }
    register_write(device, VIRTIO_MMIO_QUEUE_NUM, device->queue.size);
    register_write(device, VIRTIO_MMIO_QUEUE_ALIGN, VIRTQUEUE_ALIGN);
    // The cleared rings are in memory before the device gets their address.
    device->ops->fence(device->context);
    register_write(device, VIRTIO_MMIO_QUEUE_PFN, (uint32_t)frame);
    if (register_read(device, VIRTIO_MMIO_QUEUE_PFN) != (uint32_t)frame) {
        return VIRTIO_BLK_FAULT_QUEUE_NOT_READY;
    }
    return VIRTIO_BLK_FAULT_NONE;
}

static void address_write(const struct virtio_blk *device, uint32_t low_register, uint64_t address)
{
    register_write(device, low_register, (uint32_t)address);
    register_write(device, low_register + 4, (uint32_t)(address >> 32));
}

static enum virtio_blk_fault queue_enable_modern(const struct virtio_blk *device)
{
    struct virtqueue_layout layout = virtqueue_layout(device->queue.size);
    uint64_t base = device->dma.bus_address;

    register_write(device, VIRTIO_MMIO_QUEUE_NUM, device->queue.size);
    address_write(device, VIRTIO_MMIO_QUEUE_DESC_LOW, base + layout.descriptors);
    address_write(device, VIRTIO_MMIO_QUEUE_DRIVER_LOW, base + layout.available);
    address_write(device, VIRTIO_MMIO_QUEUE_DEVICE_LOW, base + layout.used);
    // The cleared rings are in memory before the device may look.
    device->ops->fence(device->context);
    register_write(device, VIRTIO_MMIO_QUEUE_READY, 1);
    if (register_read(device, VIRTIO_MMIO_QUEUE_READY) != 1) {
        return VIRTIO_BLK_FAULT_QUEUE_NOT_READY;
    }
    return VIRTIO_BLK_FAULT_NONE;
}

// What of a request's descriptors is the same each time. A part of a request that has to be split
// writes the same again.
static void slots_prepare(struct virtio_blk *device)
{
    for (uint16_t head = 0; head < device->queue.size; head++) {
        struct virtio_blk_slot *slot = &device->slots[head];
        uint64_t address = virtio_blk_slot_address(device, head);
        slot->header = (struct virtio_blk_req_header){.type = VIRTIO_BLK_T_IN};
        if ((device->features & VIRTIO_F_INDIRECT_DESC) != 0) {
            slot->table[0] = (struct virtq_desc){
                .addr = address,
                .len = sizeof(slot->header),
                .flags = VIRTQ_DESC_F_NEXT,
                .next = 1,
            };
            device->queue.descriptors[head] = (struct virtq_desc){
                .addr = address + offsetof(struct virtio_blk_slot, table),
                .flags = VIRTQ_DESC_F_INDIRECT,
            };
        }
    }
}

// Queue 0 is the only one: section 5.2.2.
static enum virtio_blk_fault queue_start(struct virtio_blk *device)
{
    if (is_legacy(device)) {
        register_write(device, VIRTIO_MMIO_GUEST_PAGE_SIZE, VIRTQUEUE_ALIGN);
    }
    register_write(device, VIRTIO_MMIO_QUEUE_SEL, 0);
    uint32_t live_register = is_legacy(device) ? VIRTIO_MMIO_QUEUE_PFN : VIRTIO_MMIO_QUEUE_READY;
    if (register_read(device, live_register) != 0) {
        return VIRTIO_BLK_FAULT_QUEUE_IN_USE;
    }
    uint32_t maximum = register_read(device, VIRTIO_MMIO_QUEUE_NUM_MAX);
    if (maximum == 0) {
        return VIRTIO_BLK_FAULT_QUEUE_ABSENT;
    }
    if (maximum < SMALLEST_QUEUE_SIZE) {
        return VIRTIO_BLK_FAULT_QUEUE_TOO_SMALL;
    }
    virtqueue_init(&device->queue, queue_size_choose(maximum), device->dma.address,
                   (device->features & VIRTIO_F_EVENT_IDX) != 0);
    slots_prepare(device);
    device->interrupt_after = 1;
    return is_legacy(device) ? queue_enable_legacy(device) : queue_enable_modern(device);
}

static void limits_take(struct virtio_blk *device, const struct virtio_blk_config *config)
{
    // No chain is longer than the queue, the one in an indirect table neither (section 2.7.5.3.1).
    uint32_t room = device->queue.size - FRAME_DESCRIPTORS;
    uint32_t limit = config->segment_limit < room ? config->segment_limit : room;

    device->sectors = config->sectors;
    device->block_size = config->block_size;
    device->piece_limit = config->piece_limit;
    device->data_limit = (uint16_t)limit;
}

enum virtio_blk_fault virtio_blk_start(struct virtio_blk *device)
{
    struct virtio_blk_config config;
    uint32_t status = 0;
    enum virtio_blk_fault fault = virtio_blk_identify(device);
    if (fault != VIRTIO_BLK_FAULT_NONE) {
        return fault; // not a device that we may write to
    }
    fault = VIRTIO_BLK_FAULT_START_FAILED;
    if (!status_add(device, &status, VIRTIO_STATUS_ACKNOWLEDGE) ||
        !status_add(device, &status, VIRTIO_STATUS_DRIVER)) {
        goto give_up;
    }
    fault = features_negotiate(device, &status);
    if (fault == VIRTIO_BLK_FAULT_NONE) {
        fault = virtio_blk_config_read(device, &config);
    }
    if (fault == VIRTIO_BLK_FAULT_NONE) {
        fault = queue_start(device);
    }
    if (fault != VIRTIO_BLK_FAULT_NONE) {
        goto give_up;
    }
    limits_take(device, &config);
    // Both are at most 32 bits wide: their product fits 64.
    if ((uint64_t)device->piece_limit * device->data_limit < device->block_size) {
        fault = VIRTIO_BLK_FAULT_BAD_SEGMENT_LIMITS;
        goto give_up;
    }
    if (!status_add(device, &status, VIRTIO_STATUS_DRIVER_OK)) {
        fault = VIRTIO_BLK_FAULT_START_FAILED;
        goto give_up;
    }
    return VIRTIO_BLK_FAULT_NONE;

give_up:
    register_write(device, VIRTIO_MMIO_STATUS, status | VIRTIO_STATUS_FAILED);
    return fault;
}
