// SPDX-License-Identifier: Apache-2.0
// The catalogue of hostile devices, first part: what the driver meets when it attaches.
//
// Each device is refused with its reason, or is odd and usable all the same. Once the lie ends, the
// driver must get the device back and read right content.
#include "hostile.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct attach_case {
    const char *name;
    unsigned int transports;
    void (*arrange)(struct device_model *model);
    struct model_register_lie lie;
    enum virtio_blk_fault fault;
    enum nx_status expected;
};

// Odd, and usable all the same.
struct odd_case {
    const char *name;
    void (*arrange)(struct device_model *model);
    // What it is taken for; 0: not looked at.
    uint16_t queue_size;
    uint64_t sectors;
};

static void capacity_zero(struct device_model *model)
{
    model->capacity = 0;
}
static void capacity_overflows(struct device_model *model)
{
    model->capacity = UINT64_MAX / 512 + 1;
}
static void capacity_all_ones(struct device_model *model)
{
    model->capacity = UINT64_MAX;
}
static void capacity_below_a_block(struct device_model *model)
{
    model->blk_size = 4096;
    model->capacity = 7;
}
static void block_size_zero(struct device_model *model)
{
    model->blk_size = 0;
}
static void block_size_256(struct device_model *model)
{
    model->blk_size = 256;
}
static void block_size_8192(struct device_model *model)
{
    model->blk_size = 8192;
}
static void block_size_1000(struct device_model *model)
{
    model->blk_size = 1000;
}
static void seg_max_zero(struct device_model *model)
{
    model->seg_max = 0;
}
static void size_max_zero(struct device_model *model)
{
    model->feature_bits |= 2;
    model->size_max = 0;
}
static void no_block_fits_seg_max(struct device_model *model)
{
    model->feature_bits |= 2;
    model->size_max = 128;
    model->seg_max = 3;
}
static void no_block_fits_the_queue(struct device_model *model)
{
    model->feature_bits |= 2;
    model->size_max = 128;
    model->queue_num_max = 4;
}
static void queue_zero(struct device_model *model)
{
    model->queue_num_max = 0;
}
static void queue_two(struct device_model *model)
{
    model->queue_num_max = 2;
}
static void queue_three(struct device_model *model)
{
    model->queue_num_max = 3;
}
static void no_version_1(struct device_model *model)
{
    model->feature_bits &= ~(UINT64_C(1) << 32);
}
static void rejects_features(struct device_model *model)
{
    model->rejects_features = true;
}
static void config_restless(struct device_model *model)
{
    model->config_restless = true;
}
static void reset_never_takes(struct device_model *model)
{
    model->reset_delay = UINT32_MAX;
}

static void queue_five(struct device_model *model)
{
    model->queue_num_max = 5;
}
static void queue_one_hundred(struct device_model *model)
{
    model->queue_num_max = 100;
}
static void queue_enormous(struct device_model *model)
{
    model->queue_num_max = UINT32_MAX;
}
static void offers_everything(struct device_model *model)
{
    model->feature_bits = UINT64_MAX;
    model->size_max = 65536;
}
static void reset_takes_long(struct device_model *model)
{
    model->reset_delay = 900; // of the 1000 looks that a second has
}
// Half of the old capacity and half of the new one would be 0, or 2^33 - 1.
static void capacity_torn(struct device_model *model)
{
    model->capacity = UINT64_C(1) << 32;
    model->config_change_at = 1;
    model->capacity_afterwards = UINT32_MAX;
}
// size_max, which is not offered and does not exist then.
static void absent_field_restless(struct device_model *model)
{
    model->register_lie = (struct model_register_lie){
        .kind = REGISTER_REPLACE, .offset = 0x108, .value = 1, .every = 2};
}
static void disappeared(struct device_model *model)
{
    model->gone = GONE_ALL_ONES;
}

#define REPLACE(register_offset, answer)                                                           \
    {                                                                                              \
        .kind = REGISTER_REPLACE, .offset = (register_offset), .value = (answer)                   \
    }

static const struct attach_case attach_cases[] = {
    {"magic is 0", BOTH, NULL, REPLACE(0x000, 0), FAULT(BAD_MAGIC), NX_ERR_UNSUPPORTED},
    {"magic is all ones", BOTH, NULL, REPLACE(0x000, UINT32_MAX), FAULT(BAD_MAGIC),
     NX_ERR_UNSUPPORTED},
    {"magic is byte-swapped", BOTH, NULL, REPLACE(0x000, 0x76697274), FAULT(BAD_MAGIC),
     NX_ERR_UNSUPPORTED},
    {"version 0", BOTH, NULL, REPLACE(0x004, 0), FAULT(BAD_VERSION), NX_ERR_UNSUPPORTED},
    {"version 3", BOTH, NULL, REPLACE(0x004, 3), FAULT(BAD_VERSION), NX_ERR_UNSUPPORTED},
    {"empty slot", BOTH, NULL, REPLACE(0x008, 0), FAULT(EMPTY_SLOT), NX_ERR_NOT_FOUND},
    {"a network card", BOTH, NULL, REPLACE(0x008, 1), FAULT(NOT_BLOCK), NX_ERR_UNSUPPORTED},
    {"id is all ones", BOTH, NULL, REPLACE(0x008, UINT32_MAX), FAULT(NOT_BLOCK),
     NX_ERR_UNSUPPORTED},
    {"id changes after the reset",
     BOTH,
     NULL,
     {.kind = REGISTER_REPLACE, .offset = 0x008, .value = 1, .first_read = 1},
     FAULT(NOT_BLOCK),
     NX_ERR_UNSUPPORTED},
    {"reset does not take", BOTH, reset_never_takes, {0}, FAULT(RESET_STUCK), NX_ERR_TIMED_OUT},
    {"STATUS reads all ones", BOTH, NULL, REPLACE(0x070, UINT32_MAX), FAULT(RESET_STUCK),
     NX_ERR_TIMED_OUT},
    {"STATUS reads 0 always", BOTH, NULL, REPLACE(0x070, 0), FAULT(START_FAILED), NX_ERR_DEVICE},
    {"FAILED after the reset",
     BOTH,
     NULL,
     {.kind = REGISTER_SET_BITS, .offset = 0x070, .value = 0x80, .first_read = 1},
     FAULT(START_FAILED),
     NX_ERR_DEVICE},
    {"DEVICE_NEEDS_RESET after the reset",
     BOTH,
     NULL,
     {.kind = REGISTER_SET_BITS, .offset = 0x070, .value = 0x40, .first_read = 1},
     FAULT(START_FAILED),
     NX_ERR_DEVICE},
    {"DRIVER_OK does not stay",
     BOTH,
     NULL,
     {.kind = REGISTER_CLEAR_BITS, .offset = 0x070, .value = 4, .after_start = true},
     FAULT(START_FAILED),
     NX_ERR_DEVICE},
    {"feature bits change between reads",
     BOTH,
     NULL,
     {.kind = REGISTER_CLEAR_BITS, .offset = 0x010, .value = 0x20, .every = 3},
     FAULT(FEATURES_UNSTABLE),
     NX_ERR_DEVICE},
    {"feature bits change later",
     BOTH,
     NULL,
     {.kind = REGISTER_SET_BITS, .offset = 0x010, .value = 2, .first_read = 1},
     FAULT(FEATURES_UNSTABLE),
     NX_ERR_DEVICE},
    {"modern without VERSION_1", 2, no_version_1, {0}, FAULT(NO_VERSION_1), NX_ERR_UNSUPPORTED},
    {"FEATURES_OK is taken back",
     2,
     rejects_features,
     {0},
     FAULT(FEATURES_REFUSED),
     NX_ERR_UNSUPPORTED},
    {"configuration changes at each read",
     BOTH,
     config_restless,
     {0},
     FAULT(CONFIG_UNSTABLE),
     NX_ERR_DEVICE},
    {"generation changes at every other read",
     2,
     NULL,
     {.kind = REGISTER_REPLACE, .offset = 0x0fc, .value = 99, .every = 2},
     FAULT(CONFIG_UNSTABLE),
     NX_ERR_DEVICE},
    {"capacity 0", BOTH, capacity_zero, {0}, FAULT(CAPACITY_ZERO), NX_ERR_UNSUPPORTED},
    {"capacity overflows by one",
     BOTH,
     capacity_overflows,
     {0},
     FAULT(CAPACITY_OVERFLOW),
     NX_ERR_DEVICE},
    {"capacity all ones", BOTH, capacity_all_ones, {0}, FAULT(CAPACITY_OVERFLOW), NX_ERR_DEVICE},
    {"capacity is less than a block",
     BOTH,
     capacity_below_a_block,
     {0},
     FAULT(CAPACITY_TOO_SMALL),
     NX_ERR_UNSUPPORTED},
    {"block size 0", BOTH, block_size_zero, {0}, FAULT(BAD_BLOCK_SIZE), NX_ERR_UNSUPPORTED},
    {"block size 256", BOTH, block_size_256, {0}, FAULT(BAD_BLOCK_SIZE), NX_ERR_UNSUPPORTED},
    {"block size 8192", BOTH, block_size_8192, {0}, FAULT(BAD_BLOCK_SIZE), NX_ERR_UNSUPPORTED},
    {"block size 1000", BOTH, block_size_1000, {0}, FAULT(BAD_BLOCK_SIZE), NX_ERR_UNSUPPORTED},
    {"seg_max 0", BOTH, seg_max_zero, {0}, FAULT(BAD_SEGMENT_LIMITS), NX_ERR_UNSUPPORTED},
    {"size_max 0", BOTH, size_max_zero, {0}, FAULT(BAD_SEGMENT_LIMITS), NX_ERR_UNSUPPORTED},
    {"no block fits seg_max",
     BOTH,
     no_block_fits_seg_max,
     {0},
     FAULT(BAD_SEGMENT_LIMITS),
     NX_ERR_UNSUPPORTED},
    {"no block fits the queue",
     BOTH,
     no_block_fits_the_queue,
     {0},
     FAULT(BAD_SEGMENT_LIMITS),
     NX_ERR_UNSUPPORTED},
    {"queue size 0", BOTH, queue_zero, {0}, FAULT(QUEUE_ABSENT), NX_ERR_UNSUPPORTED},
    {"queue size 2", BOTH, queue_two, {0}, FAULT(QUEUE_TOO_SMALL), NX_ERR_UNSUPPORTED},
    {"queue size 3", BOTH, queue_three, {0}, FAULT(QUEUE_TOO_SMALL), NX_ERR_UNSUPPORTED},
    {"queue in use after reset (legacy)", 1, NULL, REPLACE(0x040, 77), FAULT(QUEUE_IN_USE),
     NX_ERR_DEVICE},
    {"queue in use after reset (modern)", 2, NULL, REPLACE(0x044, 1), FAULT(QUEUE_IN_USE),
     NX_ERR_DEVICE},
    {"queue does not become ready (legacy)", 1, NULL, REPLACE(0x040, 0), FAULT(QUEUE_NOT_READY),
     NX_ERR_DEVICE},
    {"queue does not become ready (modern)", 2, NULL, REPLACE(0x044, 0), FAULT(QUEUE_NOT_READY),
     NX_ERR_DEVICE},
    {"nothing is there: all registers read all ones",
     BOTH,
     disappeared,
     {0},
     FAULT(BAD_MAGIC),
     NX_ERR_UNSUPPORTED},
};

static const struct odd_case odd_cases[] = {
    {"queue size 5, no power of two", queue_five, 4, 0},
    {"queue size 100, no power of two", queue_one_hundred, 64, 0},
    {"queue size all ones", queue_enormous, 128, 0},
    {"offers every feature bit", offers_everything, 0, 0},
    {"reset takes 900 ms", reset_takes_long, 0, 0},
    {"capacity changes in the middle of its reading", capacity_torn, 0, UINT32_MAX},
    {"a field of a feature that it does not offer changes at each read", absent_field_restless, 0,
     0},
};

// The device turns honest: it must be usable again.
static void honest_again(struct bench *bench, uint32_t version)
{
    struct device_model honest;
    struct read read;
    device_model_init(&honest, version);
    memcpy(honest.memory, bench->model.memory, sizeof(honest.memory));
    memcpy(honest.complaint, bench->model.complaint, sizeof(honest.complaint));
    bench->model = honest;
    if (bench->device.state == VIRTIO_BLK_STOPPED) {
        assert_status(bench_attach(bench), NX_OK);
    } else {
        assert_status(bench_settle(bench, virtio_blk_reset(&bench->device, bench->now)), NX_OK);
    }
    read_prepare(&read, 0, 8, 0);
    assert_status(bench_read(bench, &read), NX_OK);
    assert_content(bench, &read);
}

static void attach_case_run(const void *of, uint32_t version)
{
    const struct attach_case *row = of;
    struct bench *bench = bench_create(version);
    struct read read;
    if (row->arrange != NULL) {
        row->arrange(&bench->model);
    }
    bench->model.register_lie = row->lie;
    assert_status(bench_attach(bench), row->expected);
    assert_fault(bench, row->fault);
    assert_int_not_equal(bench->device.state, VIRTIO_BLK_READY);
    read_prepare(&read, 0, 8, 0);
    assert_status(virtio_blk_submit(&bench->device, &read.request, 0), NX_ERR_BAD_STATE);
    virtio_blk_kick(&bench->device);
    assert_int_equal(bench->model.notifications, 0);
    bool untouchable =
        bench->model.gone != GONE_NOT ||
        (row->lie.kind != REGISTER_HONEST && row->lie.first_read == 0 && row->lie.offset <= 0x008);
    if (untouchable) {
        assert_int_equal(bench->device.state, VIRTIO_BLK_STOPPED);
        assert_status(virtio_blk_reset(&bench->device, bench->now), NX_ERR_BAD_STATE);
        assert_int_equal(bench->model.writes, 0); // who knows what would have been written to
    }
    honest_again(bench, version);
    bench_destroy(bench);
}

static void odd_case_run(const void *of, uint32_t version)
{
    const struct odd_case *row = of;
    struct bench *bench = bench_create(version);
    struct virtio_blk_info info;
    struct read read;
    row->arrange(&bench->model);
    assert_status(bench_attach(bench), NX_OK);
    virtio_blk_info(&bench->device, &info);
    assert_int_equal(info.state, VIRTIO_BLK_READY);
    assert_true(row->queue_size == 0 || info.queue_size == row->queue_size);
    assert_true(row->sectors == 0 || info.sectors == row->sectors);
    read_prepare(&read, 0, 8, 0);
    assert_status(bench_read(bench, &read), NX_OK);
    assert_content(bench, &read);
    honest_again(bench, version);
    bench_destroy(bench);
}

#define ATTACH_CASES (sizeof(attach_cases) / sizeof(attach_cases[0]))
#define ODD_CASES    (sizeof(odd_cases) / sizeof(odd_cases[0]))

size_t hostile_attach_cases(struct hostile_case *cases)
{
    for (size_t row = 0; row < ATTACH_CASES; row++) {
        const struct attach_case *attach = &attach_cases[row];
        cases[row] = (struct hostile_case){
            .moment = "attach",
            .device = attach->name,
            .transports = attach->transports,
            .run = attach_case_run,
            .row = attach,
        };
        snprintf(cases[row].outcome, sizeof(cases[row].outcome), "%s: `%s`",
                 attach->fault == VIRTIO_BLK_FAULT_RESET_STUCK ? "lost" : "refused",
                 virtio_blk_fault_name(attach->fault));
    }
    for (size_t row = 0; row < ODD_CASES; row++) {
        cases[ATTACH_CASES + row] = (struct hostile_case){
            .moment = "attach",
            .device = odd_cases[row].name,
            .transports = BOTH,
            .outcome = "used; reads are right",
            .run = odd_case_run,
            .row = &odd_cases[row],
        };
    }
    return ATTACH_CASES + ODD_CASES;
}
