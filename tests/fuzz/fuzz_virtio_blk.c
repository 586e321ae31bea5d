// SPDX-License-Identifier: Apache-2.0
// Fuzz target: the virtio-blk driver library against a device that the input drives.
//
// The input chooses what the device offers, then a sequence of steps: calls of the driver, answers
// of the device, lies in registers, scribbling over the rings, also in the middle of a driver call
// (at its memory fences). Checked:
//
// - no memory error, no endless loop; each request comes back exactly once;
// - none comes back through a reset before STATUS read 0;
// - memory whose request is back stays as its owner left it (unless the device scribbled over its
//   own descriptors: without an IOMMU it may then write anywhere);
// - as long as the device has not lied, the driver breaks no rule of the specification, and what
//   came back as a good read is what the disk holds;
// - in the end, with an honest device, a read returns right content.
//
// fuzz-options: -max_len=1024
// fuzz-sources: tests/host/virtio-blk/device_model.c tests/host/virtio-blk/device_model_queue.c
#include "storage/virtio-blk/virtio_blk.h"
#include "virtio-blk/device_model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAGE        4096u
#define RINGS_BUS   UINT64_C(0x80000000)
#define ARENA_BUS   UINT64_C(0x90000000)
#define REQUESTS    12u
#define ARENA_PAGES (REQUESTS * VIRTIO_BLK_MAX_SEGMENTS) // a page for each segment of each request
#define MOST_STEPS  400
// Says which promise was broken, and stops.
#define require(condition)                                                                         \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: broken promise: %s\n", __FILE__, __LINE__, #condition);        \
            abort();                                                                               \
        }                                                                                          \
    } while (0)
#define OWNERS_MARK UINT64_C(0x6d656d6f72792069) // in memory that no request is out for

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct scribble {
    bool armed;
    uint32_t offset;
    uint32_t value;
};

static struct {
    const uint8_t *data;
    size_t left;
    struct device_model model;
    struct virtio_blk device;
    uint8_t *rings;
    uint8_t *arena;
    uint64_t now;
    bool reset_confirmed; // STATUS has read 0 since it was last written 0
    bool scribbled;       // the device wrote to the rings what it should not have
    bool lied;            // that, or anything else that the specification does not allow
    struct scribble scribble;
    struct virtio_blk_request requests[REQUESTS];
    struct virtio_blk_segment segments[REQUESTS][VIRTIO_BLK_MAX_SEGMENTS];
    bool out[REQUESTS]; // submitted and not back
} world;

static uint32_t take(unsigned int bytes)
{
    uint32_t value = 0;
    while (bytes > 0 && world.left > 0) {
        value = value << 8 | *world.data;
        world.data++;
        world.left--;
        bytes--;
    }
    return value;
}

static uint32_t world_read32(void *context, uint32_t offset)
{
    (void)context;
    uint32_t value = device_model_read(&world.model, offset);
    if (offset == 0x070 && value == 0) {
        world.reset_confirmed = true;
    }
    return value;
}

static void world_write32(void *context, uint32_t offset, uint32_t value)
{
    (void)context;
    if (offset == 0x070 && value == 0) {
        world.reset_confirmed = false;
    }
    device_model_write(&world.model, offset, value);
}

// The driver is between two of its steps: the moment for a device to strike.
static void world_fence(void *context)
{
    (void)context;
    if (world.scribble.armed) {
        world.scribble.armed = false;
        world.scribbled = true;
        memcpy(world.rings + world.scribble.offset, &world.scribble.value, 4);
    }
}

static const struct virtio_blk_ops world_ops = {world_read32, world_write32, world_fence};

static enum nx_status world_attach(void)
{
    const struct virtio_blk_dma dma = {world.rings, RINGS_BUS, VIRTIO_BLK_DMA_BYTES};
    return virtio_blk_attach(&world.device, &world_ops, NULL, &dma, world.now);
}

static uint8_t *segment_memory(size_t index, uint32_t piece)
{
    return world.arena + (index * VIRTIO_BLK_MAX_SEGMENTS + piece) * PAGE;
}

// Its owner has the request's memory, and marks it.
static void memory_mark(size_t index)
{
    const uint64_t mark = OWNERS_MARK;
    for (uint32_t piece = 0; piece < VIRTIO_BLK_MAX_SEGMENTS; piece++) {
        memcpy(segment_memory(index, piece), &mark, sizeof(mark));
    }
}

static void memory_check_marks(size_t index)
{
    const uint64_t mark = OWNERS_MARK;
    for (uint32_t piece = 0; !world.scribbled && piece < VIRTIO_BLK_MAX_SEGMENTS; piece++) {
        require(memcmp(segment_memory(index, piece), &mark, sizeof(mark)) == 0);
    }
}

// The first word of each segment is the disk's.
static void memory_check_content(size_t index)
{
    const struct virtio_blk_request *request = &world.requests[index];
    uint64_t sector = request->first_sector;
    for (uint32_t piece = 0; piece < request->segment_count; piece++) {
        uint64_t word;
        memcpy(&word, segment_memory(index, piece), sizeof(word));
        require(word == device_model_word(sector, 0));
        sector += request->segments[piece].length / VIRTIO_BLK_SECTOR_BYTES;
    }
}

static void request_is_back(const struct virtio_blk_request *request)
{
    size_t index = (size_t)(request - world.requests);
    require(index < REQUESTS && world.out[index]);
    world.out[index] = false;
    if (request->status == NX_OK && !world.lied && !world.scribbled) {
        memory_check_content(index);
    }
    memory_mark(index);
}

// Takes what came back; `by_reset` when only a reset can have caused it.
static void collect(bool by_reset)
{
    struct virtio_blk_request *request;
    while ((request = virtio_blk_completed(&world.device)) != NULL) {
        request_is_back(request);
        bool checked = request->status == NX_OK || request->status == NX_ERR_IO ||
                       request->status == NX_ERR_UNSUPPORTED;
        require(checked != by_reset);
        require(!by_reset || world.reset_confirmed);
    }
}

// Arguments are right most of the time; the choice's high bits say what is wrong with them.
static void arguments_spoil(uint32_t choice, size_t index, struct virtio_blk_request *request)
{
    struct virtio_blk_segment *segment = &world.segments[index][0];
    switch (choice >> 4) {
    case 1:
        request->first_sector = UINT64_MAX - take(1);
        return;
    case 2:
        request->sector_count = take(2);
        return;
    case 3:
        segment->length += take(1);
        return;
    case 4:
        segment->bus_address = UINT64_MAX - take(1);
        return;
    case 5:
        request->segment_count = take(1) % 2 * (VIRTIO_BLK_MAX_SEGMENTS + 1);
        return;
    default:
        return;
    }
}

static void submit(void)
{
    uint32_t choice = take(1);
    uint32_t index = choice % 16 % REQUESTS;
    struct virtio_blk_request *request = &world.requests[index];
    uint32_t pieces = take(1) % VIRTIO_BLK_MAX_SEGMENTS + 1;
    if (world.out[index]) {
        require(virtio_blk_submit(&world.device, request, world.now) != NX_OK);
        return;
    }
    memory_check_marks(index);
    memset(request, 0, sizeof(*request));
    for (uint32_t piece = 0; piece < pieces; piece++) {
        world.segments[index][piece].bus_address =
            ARENA_BUS + (uint64_t)(segment_memory(index, piece) - world.arena);
        world.segments[index][piece].length = 512 * (take(1) % 8 + 1);
        request->sector_count += world.segments[index][piece].length / 512;
    }
    request->first_sector = take(2);
    request->segments = world.segments[index];
    request->segment_count = pieces;
    request->timeout_ns = take(1) * UINT64_C(1000);
    arguments_spoil(choice, index, request);
    world.out[index] = virtio_blk_submit(&world.device, request, world.now) == NX_OK;
}

static void used_lie_set(void)
{
    world.model.used_lie.kind = take(1) % (USED_GONE_ZEROS + 1);
    world.model.used_lie.value = take(4);
    world.model.used_lie.at = (uint32_t)world.model.completions + take(1) % 4;
    world.model.used_lie.repeat = take(1) % 4;
}

static void register_lie_set(void)
{
    world.model.register_lie.kind = take(1) % (REGISTER_CLEAR_BITS + 1);
    world.model.register_lie.offset = take(2) % 0x120 & ~3u;
    world.model.register_lie.value = take(4);
    world.model.register_lie.first_read = take(1);
    world.model.register_lie.every = take(1) % 4;
}

static uint32_t ring_offset(void)
{
    uint32_t offset = take(3);
    if ((offset & 1) != 0) {
        return PAGE + (offset >> 1) % 40; // the head of the used ring, where it hurts
    }
    return (offset >> 1) % (uint32_t)(VIRTIO_BLK_DMA_BYTES - 4);
}

static void config_change(void)
{
    uint32_t choice = take(1);
    if ((choice & 1) != 0) {
        world.model.capacity = take(3);
        world.lied = true; // reads that are under way may end past it
    }
    if ((choice & 2) != 0) {
        world.model.blk_size = 512u << take(1) % 5;
        world.lied = true;
    }
    if ((choice & 4) != 0) {
        world.model.seg_max = take(1);
        world.lied = true;
    }
    world.model.generation++;
    device_model_raise(&world.model, 2);
}

// What a device may do.
static void device_step(uint32_t step)
{
    switch (step) {
    case 0:
        if (world.model.pending_count > 0) {
            device_model_complete(&world.model, take(1) % world.model.pending_count);
        }
        return;
    case 1:
        device_model_complete_all(&world.model);
        return;
    case 2:
        device_model_raise(&world.model, take(1) & 3);
        return;
    case 3:
        config_change();
        return;
    case 4:
        world.model.bad_sector = take(2);
        return;
    default:
        world.model.reset_delay = take(1) % 4;
        return;
    }
}

// What no device may do.
static void hostile_step(uint32_t step)
{
    uint32_t offset;
    uint32_t value;
    world.lied = true;
    switch (step) {
    case 0:
        used_lie_set();
        return;
    case 1:
        register_lie_set();
        return;
    case 2:
        world.scribble.offset = ring_offset();
        world.scribble.value = take(4);
        world.scribble.armed = true;
        return;
    case 3:
        offset = ring_offset();
        value = take(4);
        memcpy(world.rings + offset, &value, 4);
        world.scribbled = true;
        return;
    case 4:
        world.model.interrupt_stuck = !world.model.interrupt_stuck;
        return;
    default:
        world.model.reset_delay = UINT32_MAX; // it never resets
        return;
    }
}

// A device that ignores resets has its requests' memory for ever: their answers come, but no mark.
static void lost_step(void)
{
    struct virtio_blk_request *request = virtio_blk_abandoned(&world.device);
    if (request != NULL) {
        size_t index = (size_t)(request - world.requests);
        require(index < REQUESTS && world.out[index] && request->status == NX_ERR_DEVICE);
        world.out[index] = false;
        world.scribbled = true;
    }
}

static void driver_reset(bool stop)
{
    collect(false);
    enum nx_status status = stop ? virtio_blk_stop(&world.device, world.now)
                                 : virtio_blk_reset(&world.device, world.now);
    (void)status;
    collect(true);
    if (world.device.state == VIRTIO_BLK_STOPPED) {
        require(virtio_blk_in_flight(&world.device) == 0);
        (void)!world_attach();
    }
}

static void driver_step(uint32_t step)
{
    struct virtio_blk_info info;
    enum nx_status status = NX_OK;
    switch (step) {
    case 0:
    case 1:
        submit();
        return;
    case 2:
        virtio_blk_kick(&world.device);
        return;
    case 3:
    case 4:
        status = virtio_blk_interrupt(&world.device);
        break;
    case 5:
        world.now += take(2) * UINT64_C(1000000);
        status = virtio_blk_expire(&world.device, world.now);
        break;
    case 6:
        driver_reset(take(1) % 8 == 0);
        return;
    case 7:
        collect(false);
        status = virtio_blk_advance(&world.device, world.now);
        collect(true);
        break;
    case 8:
        status = virtio_blk_poll(&world.device);
        break;
    case 9:
        if (virtio_blk_interrupt_after(&world.device, take(1))) {
            status = virtio_blk_poll(&world.device);
        }
        break;
    case 10:
        // For as long as the device makes it, at most until it is called a storm.
        for (uint32_t turn = 0; turn <= VIRTIO_BLK_QUIET_INTERRUPT_LIMIT + 1u &&
                                device_model_line(&world.model) && status == NX_OK;
             turn++) {
            status = virtio_blk_interrupt(&world.device);
        }
        break;
    default:
        virtio_blk_interrupt_was_none(&world.device);
        lost_step();
        virtio_blk_info(&world.device, &info);
        require(info.in_flight <= REQUESTS);
        require(virtio_blk_next_deadline(&world.device) >= world.device.earliest_deadline_ns ||
                world.device.state != VIRTIO_BLK_READY);
        return;
    }
    (void)status;
    collect(false);
}

static void world_begin(void)
{
    uint32_t shape = take(1);
    memset(&world.scribble, 0, sizeof(world.scribble));
    memset(world.requests, 0, sizeof(world.requests));
    memset(world.out, 0, sizeof(world.out));
    memset(world.rings, (int)take(1), VIRTIO_BLK_DMA_BYTES);
    world.now = 0;
    world.scribbled = false;
    world.lied = false;
    for (size_t index = 0; index < REQUESTS; index++) {
        memory_mark(index);
    }
    device_model_init(&world.model, 1 + (shape & 1));
    world.model.automatic = (shape & 2) != 0;
    world.model.feature_bits ^= (uint64_t)take(1) << 28 & (UINT64_C(3) << 28);
    world.model.feature_bits ^= take(1) & 0x46;
    world.model.capacity = (shape & 4) != 0 ? take(2) : 65536;
    world.model.size_max = (shape & 8) != 0 ? take(2) : 4096;
    world.model.seg_max = (shape & 16) != 0 ? take(1) : 126;
    world.model.blk_size = (shape & 32) != 0 ? 1u << take(1) % 14 : 512;
    world.model.queue_num_max = (shape & 64) != 0 ? take(2) : 128;
    device_model_map(&world.model, RINGS_BUS, world.rings, VIRTIO_BLK_DMA_BYTES);
    device_model_map(&world.model, ARENA_BUS, world.arena, ARENA_PAGES * PAGE);
}

// The device turns honest: the driver must get it back and read.
static void world_end(void)
{
    uint32_t version = world.model.version;
    collect(false);
    world.scribble.armed = false;
    require(world.lied || world.scribbled || world.model.complaint[0] == 0);
    device_model_init(&world.model, version);
    device_model_map(&world.model, RINGS_BUS, world.rings, VIRTIO_BLK_DMA_BYTES);
    device_model_map(&world.model, ARENA_BUS, world.arena, ARENA_PAGES * PAGE);
    world.model.automatic = true;
    enum nx_status status = world.device.state == VIRTIO_BLK_STOPPED
                                ? world_attach()
                                : virtio_blk_reset(&world.device, world.now);
    require(status == NX_OK);
    collect(true);
    for (size_t index = 0; index < REQUESTS; index++) {
        require(!world.out[index]);
        memory_check_marks(index);
    }
    struct virtio_blk_segment segment = {ARENA_BUS, PAGE};
    struct virtio_blk_request read = {
        .first_sector = 8, .sector_count = 8, .segment_count = 1, .segments = &segment};
    require(virtio_blk_submit(&world.device, &read, world.now) == NX_OK);
    virtio_blk_kick(&world.device);
    require(virtio_blk_interrupt(&world.device) == NX_OK);
    require(virtio_blk_completed(&world.device) == &read && read.status == NX_OK);
    uint64_t word;
    memcpy(&word, world.arena + 512, sizeof(word));
    require(word == device_model_word(9, 0));
    require(world.model.complaint[0] == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (world.rings == NULL) {
        world.rings = aligned_alloc(PAGE, VIRTIO_BLK_DMA_BYTES);
        world.arena = aligned_alloc(PAGE, ARENA_PAGES * PAGE);
        require(world.rings != NULL && world.arena != NULL);
    }
    world.data = data;
    world.left = size;
    world_begin();
    (void)!world_attach();
    for (int step = 0; step < MOST_STEPS && world.left > 0; step++) {
        uint32_t choice = take(1) % 24;
        if (choice < 12) {
            driver_step(choice);
        } else if (choice < 18) {
            device_step(choice - 12);
        } else {
            hostile_step(choice - 18);
        }
    }
    world_end();
    return 0;
}
