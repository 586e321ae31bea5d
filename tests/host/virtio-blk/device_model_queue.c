// SPDX-License-Identifier: Apache-2.0
// A virtio-mmio block device, device side: guest memory, queue, requests, completions, and the lies
// of a hostile one. See device_model.h. Section numbers are those of virtio 1.2.
#include "device_model_private.h"

#include <string.h>

// Where the device finds a bus address; NULL, and a complaint, when that is not its memory.
static uint8_t *reach(struct device_model *model, uint64_t bus, uint64_t length)
{
    for (size_t slot = 0; slot < sizeof(model->memory) / sizeof(model->memory[0]); slot++) {
        uint64_t offset = bus - model->memory[slot].bus;
        if (bus >= model->memory[slot].bus && offset < model->memory[slot].length &&
            length <= model->memory[slot].length - offset) {
            return model->memory[slot].host + offset;
        }
    }
    model_complain(model, "DMA to unmapped %#llx+%#llx", (unsigned long long)bus,
                   (unsigned long long)length);
    return NULL;
}

static uint64_t load(struct device_model *model, uint64_t bus, unsigned int bytes)
{
    const uint8_t *from = reach(model, bus, bytes);
    uint64_t value = 0;
    for (unsigned int index = 0; from != NULL && index < bytes; index++) {
        value |= (uint64_t)from[index] << (8 * index);
    }
    return value;
}

static void store(struct device_model *model, uint64_t bus, uint64_t value, unsigned int bytes)
{
    uint8_t *to = reach(model, bus, bytes);
    for (unsigned int index = 0; to != NULL && index < bytes; index++) {
        to[index] = (uint8_t)(value >> (8 * index));
    }
}

// --- where the queue is --------------------------------------------------------------------------

static uint64_t descriptor_area(const struct device_model *model)
{
    return model->version == 1 ? (uint64_t)model->queue_pfn * model->page_size
                               : model->queue_address[0];
}

static uint64_t driver_area(const struct device_model *model)
{
    // 2.7.2: legacy, straight after the descriptors.
    return model->version == 1 ? descriptor_area(model) + 16u * (uint64_t)model->queue_num
                               : model->queue_address[1];
}

static uint64_t device_area(const struct device_model *model)
{
    if (model->version == 2) {
        return model->queue_address[2];
    }
    // 2.7.2: ALIGN(sizeof(struct virtq_desc)*qsz + sizeof(u16)*(3 + qsz))
    uint64_t offset = 16u * (uint64_t)model->queue_num + 2u * (3u + (uint64_t)model->queue_num);
    uint64_t align = model->queue_align;
    return descriptor_area(model) + (offset + align - 1) / align * align;
}

bool model_queue_live(const struct device_model *model)
{
    return model->version == 1 ? model->queue_pfn != 0 : model->queue_ready;
}

// --- the request ---------------------------------------------------------------------------------

struct raw_descriptor {
    uint64_t address;
    uint32_t length;
    uint16_t flags;
    uint16_t next;
};

static struct raw_descriptor descriptor_at(struct device_model *model, uint64_t table, uint32_t n)
{
    uint64_t at = table + 16u * (uint64_t)n;
    return (struct raw_descriptor){
        .address = load(model, at, 8),
        .length = (uint32_t)load(model, at + 8, 4),
        .flags = (uint16_t)load(model, at + 12, 2),
        .next = (uint16_t)load(model, at + 14, 2),
    };
}

// Collects the descriptors of a chain, following 2.7.5 and 2.7.5.3. Returns how many.
static uint32_t chain_walk(struct device_model *model, struct model_request *request,
                           struct raw_descriptor *chain, uint32_t room)
{
    uint64_t table = descriptor_area(model);
    uint32_t entries = model->queue_num;
    uint32_t at = request->head;
    struct raw_descriptor first = descriptor_at(model, table, at);
    request->second = (first.flags & 1) != 0 ? first.next : request->head;
    if ((first.flags & 4) != 0) {
        if (!model_has(model, F_INDIRECT)) {
            model_complain(model, "indirect descriptor without the feature");
        }
        if (first.flags != 4 || first.length == 0 || first.length % 16 != 0) {
            model_complain(model, "indirect descriptor flags %u length %u", first.flags,
                           first.length);
        }
        table = first.address;
        entries = first.length / 16;
        at = 0;
        if (entries > model->queue_num) {
            model_complain(model, "indirect table longer than the queue");
        }
    }
    uint32_t count = 0;
    for (;;) {
        if (at >= entries || count >= room || count >= model->queue_num) {
            model_complain(model, "chain leaves its table or is too long at %u", at);
            return count;
        }
        chain[count] = descriptor_at(model, table, at);
        if ((chain[count].flags & ~3u) != 0) {
            model_complain(model, "descriptor flags %#x", chain[count].flags);
        }
        count++;
        if ((chain[count - 1].flags & 1) == 0) {
            return count;
        }
        at = chain[count - 1].next;
    }
}

// 5.2.6: a 16-byte header to read, then for T_IN data to write, then one status byte to write.
static void request_parse(struct device_model *model, struct model_request *request)
{
    struct raw_descriptor chain[64];
    uint32_t count = chain_walk(model, request, chain, 64);
    if (count < 3 || chain[0].length != 16 || (chain[0].flags & 2) != 0) {
        model_complain(model, "bad request header");
        return;
    }
    if (load(model, chain[0].address, 4) != 0 || load(model, chain[0].address + 4, 4) != 0) {
        model_complain(model, "request type is not a read, or reserved is not 0");
    }
    request->sector = load(model, chain[0].address + 8, 8);
    for (uint32_t index = 1; index + 1 < count; index++) {
        if ((chain[index].flags & 2) == 0 || chain[index].length == 0) {
            model_complain(model, "data descriptor %u is read-only or empty", index);
        }
        if (model_has(model, F_SIZE_MAX) && chain[index].length > model->size_max) {
            model_complain(model, "segment of %u bytes over size_max", chain[index].length);
        }
        request->segments[request->segment_count].address = chain[index].address;
        request->segments[request->segment_count].length = chain[index].length;
        request->segment_count++;
        request->data_length += chain[index].length;
    }
    if (model_has(model, F_SEG_MAX) && request->segment_count > model->seg_max) {
        model_complain(model, "%u segments over seg_max", request->segment_count);
    }
    uint32_t unit = model_has(model, F_BLK_SIZE) && model->blk_size != 0 ? model->blk_size : 512;
    if (request->data_length % unit != 0 || request->sector * 512 % unit != 0) {
        model_complain(model, "request is not whole blocks");
    }
    if (request->sector > model->capacity ||
        request->data_length / 512 > model->capacity - request->sector) {
        model_complain(model, "request past the end");
    }
    struct raw_descriptor *last = &chain[count - 1];
    if (last->length != 1 || (last->flags & 2) == 0) {
        model_complain(model, "bad status descriptor");
    }
    request->status_address = last->address;
}

void model_queue_fetch(struct device_model *model)
{
    if (!model_queue_live(model) || (model->status & S_DRIVER_OK) == 0) {
        model_complain(model, "notified while the queue is not live or DRIVER_OK is not set");
        return;
    }
    uint16_t available = (uint16_t)load(model, driver_area(model) + 2, 2);
    while (model->seen_available != available) {
        if (model->pending_count == MODEL_MAX_PENDING) {
            model_complain(model, "more requests than the queue has room for");
            return;
        }
        struct model_request *request = &model->pending[model->pending_count];
        memset(request, 0, sizeof(*request));
        uint64_t slot = 4u + 2u * (uint64_t)(model->seen_available % model->queue_num);
        request->head = (uint16_t)load(model, driver_area(model) + slot, 2);
        request_parse(model, request);
        model->pending_count++;
        model->fetched++;
        model->seen_available++;
    }
    if (model_has(model, F_EVENT)) {
        // 2.7.10: avail_event follows the used ring.
        store(model, device_area(model) + 4u + 8u * (uint64_t)model->queue_num,
              model->seen_available, 2);
    }
}

// --- completion ----------------------------------------------------------------------------------

uint64_t device_model_word(uint64_t sector, uint32_t word)
{
    return (sector * 64 + word + 1) * UINT64_C(0x9e3779b97f4a7c15);
}

static void data_fill(struct device_model *model, const struct model_request *request)
{
    uint64_t done = 0;
    for (uint32_t index = 0; index < request->segment_count; index++) {
        uint64_t length = request->segments[index].length;
        uint8_t *to = reach(model, request->segments[index].address, length);
        if (to == NULL) {
            continue;
        }
        for (uint64_t offset = 0; offset < length;) {
            // A piece may begin and end in the middle of a word when size_max is odd.
            uint64_t word = device_model_word(request->sector + done / 512, done % 512 / 8);
            uint64_t left = 8 - done % 8;
            uint64_t count = left < length - offset ? left : length - offset;
            memcpy(to + offset, (const uint8_t *)&word + done % 8, count);
            offset += count;
            done += count;
        }
    }
}

void model_line_raise(struct device_model *model, uint32_t bits)
{
    if (model->interrupt_status == 0 && bits != 0) {
        model->interrupts++;
    }
    model->interrupt_status |= bits;
}

// 2.7.7 and 2.7.10: does the driver want an interrupt for used elements old..new?
static bool interrupt_wanted(struct device_model *model, uint16_t before, uint16_t after)
{
    if (!model_has(model, F_EVENT)) {
        return (load(model, driver_area(model), 2) & 1) == 0;
    }
    uint64_t at = driver_area(model) + 4u + 2u * (uint64_t)model->queue_num;
    uint16_t event = (uint16_t)load(model, at, 2);
    return (uint16_t)(after - event - 1) < (uint16_t)(after - before);
}

static void used_append(struct device_model *model, uint32_t id, uint32_t length)
{
    uint64_t slot = device_area(model) + 4u + 8u * (uint64_t)(model->used_index % model->queue_num);
    store(model, slot, id, 4);
    store(model, slot + 4, length, 4);
    model->used_index++;
    store(model, device_area(model) + 2, model->used_index, 2);
}

// The lies that swallow a request and touch the device's registers. True: this was one.
static bool lie_about_device(struct device_model *model)
{
    switch (model->used_lie.kind) {
    case USED_NEVER:
        return true;
    case USED_NEEDS_RESET:
        model->status |= S_NEEDS_RESET;
        break;
    case USED_FAILED:
        model->status |= S_FAILED;
        break;
    case USED_STATUS_CLEARED:
        model->status = 0;
        model_line_raise(model, 1);
        return true;
    case USED_CONFIG_CAPACITY_ZERO:
        model->capacity = 0;
        break;
    case USED_CONFIG_CAPACITY_HUGE:
        model->capacity = UINT64_MAX;
        break;
    case USED_CONFIG_BLOCK_SIZE:
        model->blk_size = 4096;
        break;
    case USED_CONFIG_SEG_MAX:
        model->seg_max = 2;
        break;
    case USED_CONFIG_RESTLESS:
        model->config_restless = true;
        break;
    case USED_GONE_ONES:
        model->gone = GONE_ALL_ONES;
        return true;
    case USED_GONE_ZEROS:
        model->gone = GONE_ZEROS;
        return true;
    default:
        return false;
    }
    model->generation++;
    model_line_raise(model, 2);
    return true;
}

static void lie_in_ring(struct device_model *model, const struct model_request *request,
                        uint32_t length)
{
    const struct model_used_lie *lie = &model->used_lie;
    uint16_t index = model->used_index;
    uint16_t jump = (uint16_t)lie->value;
    switch (lie->kind) {
    case USED_ID:
        used_append(model, lie->value, length);
        break;
    case USED_ID_REPEAT:
        used_append(model, request->head, length);
        used_append(model, request->head, length);
        break;
    case USED_ID_PREVIOUS:
        used_append(model, model->previous_head, length);
        break;
    case USED_ID_NOT_HEAD:
        used_append(model, request->second, length);
        break;
    case USED_LENGTH:
        used_append(model, request->head, lie->value);
        break;
    case USED_LENGTH_ADD:
        used_append(model, request->head, length + lie->value);
        break;
    case USED_INDEX_ADD:
        used_append(model, request->head, length);
        model->used_index = (uint16_t)(index + jump);
        store(model, device_area(model) + 2, model->used_index, 2);
        break;
    case USED_EARLY_INDEX:
        model->used_index++;
        store(model, device_area(model) + 2, model->used_index, 2);
        break;
    default:
        used_append(model, request->head, length);
        break;
    }
}

static uint8_t answer_of(const struct device_model *model, const struct model_request *request)
{
    bool touches_bad = model->bad_sector >= request->sector &&
                       model->bad_sector - request->sector < request->data_length / 512;
    return touches_bad ? 1 : 0;
}

// Returns true when the driver may be interrupted for it.
static bool request_answer(struct device_model *model, const struct model_request *request)
{
    const struct model_used_lie honest = {.kind = USED_HONEST};
    struct model_used_lie saved = model->used_lie;
    uint64_t number = model->completions++;
    uint64_t repeat = saved.repeat == 0 ? 1 : saved.repeat;
    bool lying = number >= saved.at && number - saved.at < repeat;
    if (!lying) {
        model->used_lie = honest;
    }
    bool audible = model->used_lie.kind != USED_NO_INTERRUPT;
    if (lie_about_device(model)) {
        model->used_lie = saved;
        return false;
    }
    uint8_t answer = answer_of(model, request);
    if (answer == 0) {
        data_fill(model, request);
    }
    if (model->used_lie.kind == USED_STATUS) {
        answer = (uint8_t)model->used_lie.value;
    }
    if (model->used_lie.kind == USED_STATUS_IN_SLOT && model->pending_count > 0) {
        store(model, model->pending[0].status_address, answer, 1);
    } else if (model->used_lie.kind != USED_NO_STATUS) {
        store(model, request->status_address, answer, 1);
    }
    // 2.7.8: len counts every byte written, the status byte among them.
    lie_in_ring(model, request, (answer == 1 ? 0 : request->data_length) + 1);
    model->previous_head = request->head;
    model->used_lie = saved;
    return audible;
}

static void complete_range(struct device_model *model, uint32_t which, uint32_t count)
{
    uint16_t before = model->used_index;
    bool audible = false;
    if (which >= model->pending_count) {
        model_complain(model, "test: request %u is not pending", which);
        return;
    }
    for (uint32_t done = 0; done < count; done++) {
        struct model_request request = model->pending[which];
        model->pending_count--;
        memmove(&model->pending[which], &model->pending[which + 1],
                (model->pending_count - which) * sizeof(request));
        audible = request_answer(model, &request) || audible;
    }
    if (audible && before != model->used_index &&
        interrupt_wanted(model, before, model->used_index)) {
        model_line_raise(model, 1);
    }
}

void device_model_complete(struct device_model *model, uint32_t which)
{
    complete_range(model, which, 1);
}

void device_model_complete_all(struct device_model *model)
{
    if (model->pending_count > 0) {
        complete_range(model, 0, model->pending_count);
    }
}

void device_model_write_early(struct device_model *model, uint32_t which)
{
    if (which >= model->pending_count) {
        model_complain(model, "test: request %u is not pending", which);
        return;
    }
    data_fill(model, &model->pending[which]);
}

bool device_model_line(const struct device_model *model)
{
    return model->interrupt_status != 0 || model->interrupt_stuck;
}

void device_model_raise(struct device_model *model, uint32_t bits)
{
    model_line_raise(model, bits);
}
