// SPDX-License-Identifier: Apache-2.0
// A virtio-mmio block device, device side: registers, STATUS, negotiation. See device_model.h.
//
// Section numbers are those of virtio 1.2. Offsets and bits are written out again from the spec on
// purpose: a mistake in the driver's headers must not repeat itself here.
#include "device_model_private.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

// 4.2.2, 4.2.4
enum {
    R_MAGIC = 0x000,
    R_VERSION = 0x004,
    R_DEVICE = 0x008,
    R_VENDOR = 0x00c,
    R_FEATURES = 0x010,
    R_FEATURES_SEL = 0x014,
    R_GUEST_FEATURES = 0x020,
    R_GUEST_FEATURES_SEL = 0x024,
    R_PAGE_SIZE = 0x028,
    R_QUEUE_SEL = 0x030,
    R_QUEUE_MAX = 0x034,
    R_QUEUE_NUM = 0x038,
    R_QUEUE_ALIGN = 0x03c,
    R_QUEUE_PFN = 0x040,
    R_QUEUE_READY = 0x044,
    R_NOTIFY = 0x050,
    R_ISR = 0x060,
    R_ACK = 0x064,
    R_STATUS = 0x070,
    R_DESC = 0x080,
    R_AVAIL = 0x090,
    R_USED = 0x0a0,
    R_GENERATION = 0x0fc,
    R_CONFIG = 0x100,
};

void model_complain(struct device_model *model, const char *format, ...)
{
    if (model->complaint[0] != 0) {
        return;
    }
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(model->complaint, sizeof(model->complaint), format, arguments);
    va_end(arguments);
}

void device_model_init(struct device_model *model, uint32_t version)
{
    memset(model, 0, sizeof(*model));
    model->version = version;
    model->feature_bits = BIT(F_SEG_MAX) | BIT(F_RO) | BIT(F_BLK_SIZE) | BIT(F_INDIRECT) |
                          BIT(F_EVENT) | BIT(4) /* geometry */ | BIT(9) /* flush */ | BIT(10);
    if (version == 2) {
        model->feature_bits |= BIT(F_V1) | BIT(33) | BIT(38);
    }
    model->capacity = 65536;
    model->seg_max = 254;
    model->blk_size = 512;
    model->queue_num_max = 256;
    model->bad_sector = UINT64_MAX;
}

void device_model_map(struct device_model *model, uint64_t bus, void *host, uint64_t length)
{
    for (size_t slot = 0; slot < sizeof(model->memory) / sizeof(model->memory[0]); slot++) {
        if (model->memory[slot].length == 0) {
            model->memory[slot].bus = bus;
            model->memory[slot].host = host;
            model->memory[slot].length = length;
            return;
        }
    }
    model_complain(model, "test: out of memory slots");
}

// --- registers -----------------------------------------------------------------------------------

// 5.2.4
static uint32_t config_read(struct device_model *model, uint32_t offset)
{
    if (model->config_restless) {
        model->capacity += 0x10;
        model->generation++;
    }
    if (model->config_reads++ == model->config_change_at && model->config_change_at != 0) {
        model->capacity = model->capacity_afterwards;
        model->generation++;
    }
    switch (offset) {
    case 0:
        return (uint32_t)model->capacity;
    case 4:
        return (uint32_t)(model->capacity >> 32);
    case 8:
        return model->size_max;
    case 12:
        return model->seg_max;
    case 20:
        return model->blk_size;
    default:
        model_complain(model, "reads configuration offset %u", offset);
        return 0;
    }
}

static void device_clear(struct device_model *model)
{
    model->status = 0;
    model->accepted = 0;
    model->page_size = 0;
    model->queue_num = 0;
    model->queue_align = 0;
    model->queue_pfn = 0;
    model->queue_ready = false;
    memset(model->queue_address, 0, sizeof(model->queue_address));
    model->interrupt_status = 0;
    model->seen_available = 0;
    model->used_index = 0;
    model->pending_count = 0;
}

static uint32_t status_read(struct device_model *model)
{
    if (model->resetting && model->reset_delay > 0) {
        model->reset_delay -= model->reset_delay == UINT32_MAX ? 0 : 1;
        return S_ACK | S_DRIVER | S_DRIVER_OK;
    }
    if (model->resetting && model->resets_late) {
        device_clear(model);
    }
    model->resetting = false;
    return model->status;
}

static uint32_t register_truth(struct device_model *model, uint32_t offset)
{
    if (offset >= R_CONFIG) {
        return config_read(model, offset - R_CONFIG);
    }
    switch (offset) {
    case R_MAGIC:
        return 0x74726976;
    case R_VERSION:
        return model->version;
    case R_DEVICE:
        return 2;
    case R_VENDOR:
        return 0x554d4551;
    case R_FEATURES:
        return model->features_page > 1
                   ? 0
                   : (uint32_t)(model->feature_bits >> (32 * model->features_page));
    case R_QUEUE_MAX:
        return model->queue_num_max;
    case R_ISR:
        return model->interrupt_stuck ? 1 : model->interrupt_status;
    case R_STATUS:
        return status_read(model);
    default:
        break;
    }
    if (model->version == 1 && offset == R_QUEUE_PFN) {
        return model->queue_pfn;
    }
    if (model->version == 2 && offset == R_QUEUE_READY) {
        return model->queue_ready ? 1 : 0;
    }
    if (model->version == 2 && offset == R_GENERATION) {
        return model->generation;
    }
    model_complain(model, "reads register %#x", offset);
    return 0;
}

uint32_t device_model_read(struct device_model *model, uint32_t offset)
{
    const struct model_register_lie *lie = &model->register_lie;
    if (offset % 4 != 0 || offset >= 0x200) {
        model_complain(model, "reads at %#x", offset);
        return 0;
    }
    if (model->gone != GONE_NOT) {
        return model->gone == GONE_ALL_ONES ? UINT32_MAX : 0;
    }
    uint32_t value = register_truth(model, offset);
    uint32_t number = model->reads_of[offset / 4]++;
    bool due = lie->offset == offset && number >= lie->first_read &&
               (lie->every == 0 || (number - lie->first_read) % lie->every == 0) &&
               (!lie->after_start || (model->status & S_DRIVER_OK) != 0);
    if (!due) {
        return value;
    }
    switch (lie->kind) {
    case REGISTER_REPLACE:
        return lie->value;
    case REGISTER_SET_BITS:
        return value | lie->value;
    case REGISTER_CLEAR_BITS:
        return value & ~lie->value;
    default:
        return value;
    }
}

static void device_reset(struct device_model *model)
{
    model->resets++;
    model->resetting = true;
    if (!model->resets_late) {
        device_clear(model);
    }
}

static void status_write(struct device_model *model, uint32_t value)
{
    if (value == 0) {
        device_reset(model);
        return;
    }
    // 2.1.1: the driver never clears a bit.
    if ((model->status & ~value & ~(uint32_t)S_NEEDS_RESET) != 0) {
        model_complain(model, "clears a STATUS bit: %#x to %#x", model->status, value);
    }
    // 3.1.1: the order of steps.
    if ((value & S_DRIVER) != 0 && (model->status & S_ACK) == 0) {
        model_complain(model, "DRIVER before ACKNOWLEDGE");
    }
    if (model->version == 2 && (value & S_DRIVER_OK) != 0 && (model->status & S_FEATURES_OK) == 0) {
        model_complain(model, "DRIVER_OK before FEATURES_OK");
    }
    if (model->version == 1 && (value & S_FEATURES_OK) != 0) {
        model_complain(model, "FEATURES_OK on a legacy device");
    }
    if ((value & S_DRIVER_OK) != 0 && !model_queue_live(model)) {
        model_complain(model, "DRIVER_OK before the queue is set up");
    }
    model->status = value;
    if (model->rejects_features) {
        model->status &= ~(uint32_t)S_FEATURES_OK;
    }
}

static void features_write(struct device_model *model, uint32_t value)
{
    if ((model->status & S_DRIVER) == 0 || (model->status & (S_FEATURES_OK | S_DRIVER_OK)) != 0) {
        model_complain(model, "features written at status %#x", model->status);
    }
    uint64_t part = model->driver_features_page == 0 ? value : (uint64_t)value << 32;
    if ((part & ~model->feature_bits) != 0) {
        model_complain(model, "accepts features that were not offered");
    }
    model->accepted |= part;
}

static void queue_write(struct device_model *model, uint32_t offset, uint32_t value)
{
    if (model_queue_live(model)) {
        model_complain(model, "changes a live queue");
    }
    switch (offset) {
    case R_QUEUE_NUM:
        if (value == 0 || value > model->queue_num_max || (value & (value - 1)) != 0) {
            model_complain(model, "queue size %u", value);
        }
        model->queue_num = value;
        return;
    case R_QUEUE_ALIGN:
        model->queue_align = value;
        return;
    case R_QUEUE_PFN:
        if (model->page_size == 0 || model->queue_align == 0 || model->queue_num == 0) {
            model_complain(model, "QueuePFN before page size, align or size");
        }
        model->queue_pfn = value;
        return;
    default: // R_QUEUE_READY
        if (model->queue_num == 0 || model->queue_address[0] % 16 != 0 ||
            model->queue_address[1] % 2 != 0 || model->queue_address[2] % 4 != 0) {
            model_complain(model, "queue made ready without size or misaligned");
        }
        model->queue_ready = value == 1;
        return;
    }
}

static void address_write(struct device_model *model, uint32_t offset, uint32_t value)
{
    uint64_t *address = &model->queue_address[(offset - R_DESC) / 16];
    if (offset % 8 == 0) {
        *address = (*address & ~UINT64_C(0xffffffff)) | value;
    } else {
        *address = (*address & UINT64_C(0xffffffff)) | (uint64_t)value << 32;
    }
}

static bool known_to_version(const struct device_model *model, uint32_t offset)
{
    bool legacy_only = offset == R_PAGE_SIZE || offset == R_QUEUE_ALIGN || offset == R_QUEUE_PFN;
    bool modern_only = offset == R_QUEUE_READY || offset >= R_DESC;
    return model->version == 1 ? !modern_only : !legacy_only;
}

void device_model_write(struct device_model *model, uint32_t offset, uint32_t value)
{
    if (model->gone != GONE_NOT) {
        return;
    }
    model->writes++;
    if (offset % 4 != 0 || offset >= R_CONFIG || !known_to_version(model, offset)) {
        model_complain(model, "writes register %#x", offset);
        return;
    }
    switch (offset) {
    case R_FEATURES_SEL:
        model->features_page = value;
        return;
    case R_GUEST_FEATURES_SEL:
        model->driver_features_page = value;
        return;
    case R_GUEST_FEATURES:
        features_write(model, value);
        return;
    case R_PAGE_SIZE:
        model->page_size = value;
        return;
    case R_QUEUE_SEL:
        if (value != 0) {
            model_complain(model, "selects queue %u", value);
        }
        return;
    case R_QUEUE_NUM:
    case R_QUEUE_ALIGN:
    case R_QUEUE_PFN:
    case R_QUEUE_READY:
        queue_write(model, offset, value);
        return;
    case R_NOTIFY:
        model->notifications++;
        model_queue_fetch(model);
        if (model->automatic) {
            device_model_complete_all(model);
        }
        return;
    case R_ACK:
        if ((value & ~3u) != 0) {
            model_complain(model, "acknowledges %#x", value);
        }
        model->interrupt_status &= ~value;
        return;
    case R_STATUS:
        status_write(model, value);
        return;
    default:
        if (offset >= R_DESC && offset <= R_USED + 4) {
            address_write(model, offset, value);
            return;
        }
        model_complain(model, "writes register %#x", offset);
        return;
    }
}
