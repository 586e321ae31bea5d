// SPDX-License-Identifier: Apache-2.0
// The catalogue of hostile devices: one row, one check, for each transport it applies to.
//
// A row of the first table must be refused at attach; a row of the second lies while it serves
// reads. In both, once the lie ends, the driver must get the device back and read right content.
#include "fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BOTH 3u // transports: bit 0 legacy, bit 1 modern

#define FAULT(name) VIRTIO_BLK_FAULT_##name

// --- devices that cannot be driven ---------------------------------------------------------------

struct attach_case {
    const char *name;
    unsigned int transports;
    void (*arrange)(struct device_model *model);
    struct model_register_lie lie;
    enum virtio_blk_fault fault;
    enum nx_status expected;
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
};

// Attach meets the lie; then the device turns honest and must be usable again.
static void attach_case_run(const struct attach_case *row, uint32_t version)
{
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
        row->lie.kind != REGISTER_HONEST && row->lie.first_read == 0 && row->lie.offset <= 0x008;
    if (untouchable) {
        assert_int_equal(bench->device.state, VIRTIO_BLK_STOPPED);
        assert_status(virtio_blk_reset(&bench->device, bench->now), NX_ERR_BAD_STATE);
        assert_int_equal(bench->model.writes, 0); // who knows what would have been written to
    }

    struct device_model honest;
    device_model_init(&honest, version);
    memcpy(honest.memory, bench->model.memory, sizeof(honest.memory));
    memcpy(honest.complaint, bench->model.complaint, sizeof(honest.complaint));
    bench->model = honest;
    if (bench->device.state == VIRTIO_BLK_STOPPED) {
        assert_status(bench_attach(bench), NX_OK);
    } else {
        assert_status(bench_settle(bench, virtio_blk_reset(&bench->device, bench->now)), NX_OK);
    }
    assert_status(bench_read(bench, &read), NX_OK);
    assert_content(bench, &read);
    bench_destroy(bench);
}

// --- devices that lie while they serve -----------------------------------------------------------

struct serve_case {
    const char *name;
    unsigned int transports;
    struct model_used_lie lie;
    struct model_register_lie register_lie;
    enum virtio_blk_fault fault; // NONE: tolerated, and every read succeeds
};

static const struct serve_case serve_cases[] = {
    {"used.id is the queue size", BOTH, {USED_ID, 128, 1, 1}, {0}, FAULT(USED_ID_RANGE)},
    {"used.id has a high bit", BOTH, {USED_ID, 0x10000, 1, 1}, {0}, FAULT(USED_ID_RANGE)},
    {"used.id is all ones", BOTH, {USED_ID, UINT32_MAX, 1, 1}, {0}, FAULT(USED_ID_RANGE)},
    {"used.id was never in flight", BOTH, {USED_ID, 100, 1, 1}, {0}, FAULT(USED_ID_STALE)},
    {"used.id of the last completion",
     BOTH,
     {USED_ID_PREVIOUS, 0, 1, 1},
     {0},
     FAULT(USED_ID_STALE)},
    {"used.id twice", BOTH, {USED_ID_REPEAT, 0, 1, 1}, {0}, FAULT(USED_INDEX)},
    {"used.id twice at the end", BOTH, {USED_ID_REPEAT, 0, 2, 1}, {0}, FAULT(USED_INDEX)},
    {"used.len 0", BOTH, {USED_LENGTH, 0, 1, 1}, {0}, FAULT(USED_LENGTH)},
    {"used.len one too large", BOTH, {USED_LENGTH_ADD, 1, 1, 1}, {0}, FAULT(USED_LENGTH)},
    {"used.len all ones", BOTH, {USED_LENGTH, UINT32_MAX, 1, 1}, {0}, FAULT(USED_LENGTH)},
    {"used.len one too small", BOTH, {USED_LENGTH_ADD, UINT32_MAX, 1, 1}, {0}, FAULT(USED_SHORT)},
    {"used.len 1 with success", BOTH, {USED_LENGTH, 1, 1, 1}, {0}, FAULT(USED_SHORT)},
    {"no status byte", BOTH, {USED_NO_STATUS, 0, 1, 1}, {0}, FAULT(STATUS_MISSING)},
    {"status byte in another request",
     BOTH,
     {USED_STATUS_IN_SLOT, 0, 1, 1},
     {0},
     FAULT(STATUS_MISSING)},
    {"status byte 3", BOTH, {USED_STATUS, 3, 1, 1}, {0}, FAULT(STATUS_UNKNOWN)},
    {"status byte 254", BOTH, {USED_STATUS, 254, 1, 1}, {0}, FAULT(STATUS_UNKNOWN)},
    {"used.idx jumps past what is in flight",
     BOTH,
     {USED_INDEX_ADD, 4, 1, 1},
     {0},
     FAULT(USED_INDEX)},
    {"used.idx jumps by half the range",
     BOTH,
     {USED_INDEX_ADD, 0x8000, 1, 1},
     {0},
     FAULT(USED_INDEX)},
    {"used.idx goes back", BOTH, {USED_INDEX_ADD, 0xfffd, 2, 1}, {0}, FAULT(USED_INDEX)},
    {"used.idx moves without an element",
     BOTH,
     {USED_EARLY_INDEX, 0, 1, 1},
     {0},
     FAULT(USED_ID_STALE)},
    {"used.idx does not move", BOTH, {USED_INDEX_ADD, 0, 0, 9}, {0}, FAULT(REQUEST_TIMEOUT)},
    {"one request never completes", BOTH, {USED_NEVER, 0, 1, 1}, {0}, FAULT(REQUEST_TIMEOUT)},
    {"no request ever completes", BOTH, {USED_NEVER, 0, 0, 3}, {0}, FAULT(REQUEST_TIMEOUT)},
    {"completions without interrupt", BOTH, {USED_NO_INTERRUPT, 0, 0, 3}, {0}, FAULT(NONE)},
    {"one completion without interrupt", BOTH, {USED_NO_INTERRUPT, 0, 2, 1}, {0}, FAULT(NONE)},
    {"DEVICE_NEEDS_RESET", BOTH, {USED_NEEDS_RESET, 0, 1, 1}, {0}, FAULT(NEEDS_RESET)},
    {"FAILED", BOTH, {USED_FAILED, 0, 1, 1}, {0}, FAULT(STATUS_LOST)},
    {"resets itself", BOTH, {USED_STATUS_CLEARED, 0, 0, 1}, {0}, FAULT(STATUS_LOST)},
    {"capacity becomes 0", BOTH, {USED_CONFIG_CAPACITY_ZERO, 0, 1, 1}, {0}, FAULT(CONFIG_CHANGED)},
    {"capacity becomes absurd",
     BOTH,
     {USED_CONFIG_CAPACITY_HUGE, 0, 1, 1},
     {0},
     FAULT(CONFIG_CHANGED)},
    {"block size changes", BOTH, {USED_CONFIG_BLOCK_SIZE, 0, 1, 1}, {0}, FAULT(CONFIG_CHANGED)},
    {"InterruptStatus reads 0",
     BOTH,
     {0},
     {.kind = REGISTER_REPLACE, .offset = 0x060, .value = 0},
     FAULT(NONE)},
    {"InterruptStatus reads all ones",
     BOTH,
     {0},
     {.kind = REGISTER_REPLACE, .offset = 0x060, .value = UINT32_MAX},
     FAULT(NONE)},
    {"InterruptStatus has unknown bits only",
     BOTH,
     {0},
     {.kind = REGISTER_REPLACE, .offset = 0x060, .value = 0xfffffffc},
     FAULT(NONE)},
};

#define READS 3

static void reads_drive(struct bench *bench, struct read *reads)
{
    for (uint32_t index = 0; index < READS; index++) {
        read_prepare_scattered(&reads[index], 50 + 16 * index, 16, 2);
        reads[index].segments[0].bus_address = ARENA_BUS + (4 * index) * PAGE;
        reads[index].segments[1].bus_address = ARENA_BUS + (4 * index + 2) * PAGE;
        read_submit(bench, &reads[index]);
    }
    virtio_blk_kick(&bench->device);
    assert_int_equal(bench->model.pending_count, READS);
    while (bench->model.pending_count > 0) {
        device_model_complete(&bench->model, 0);
    }
    for (int turn = 0; turn < 3 && device_model_line(&bench->model); turn++) {
        if (virtio_blk_interrupt(&bench->device) != NX_OK) {
            return;
        }
    }
    bench->now += READ_TIMEOUT;
    enum nx_status status = virtio_blk_expire(&bench->device, bench->now);
    assert_true(status == NX_OK || status == NX_ERR_TIMED_OUT || status == NX_ERR_DEVICE);
}

static void serve_case_run(const struct serve_case *row, uint32_t version)
{
    struct bench *bench = bench_ready(version);
    struct read reads[READS];
    bench->model.used_lie = row->lie;
    bench->model.register_lie = row->register_lie;
    reads_drive(bench, reads);
    bench_collect(bench);
    bool tolerated = row->fault == VIRTIO_BLK_FAULT_NONE;
    assert_int_equal(bench->device.state, tolerated ? VIRTIO_BLK_READY : VIRTIO_BLK_BROKEN);
    assert_fault(bench, row->fault);
    assert_int_equal(bench->returned + virtio_blk_in_flight(&bench->device), READS);

    if (!tolerated) {
        assert_int_not_equal(virtio_blk_in_flight(&bench->device), 0);
        assert_status(virtio_blk_interrupt(&bench->device), NX_ERR_DEVICE);
        assert_null(virtio_blk_completed(&bench->device)); // nothing comes back before the reset
        bench->model.capacity = 65536;
        bench->model.blk_size = 512;
        assert_status(bench_settle(bench, virtio_blk_reset(&bench->device, bench->now)), NX_OK);
        bench_collect(bench);
    }
    for (uint32_t index = 0; index < READS; index++) {
        assert_int_equal(reads[index].times_returned, 1);
        if (reads[index].request.status == NX_OK) {
            assert_content(bench, &reads[index]);
        }
        assert_true(!tolerated || reads[index].request.status == NX_OK);
    }
    bench->model.used_lie = (struct model_used_lie){.kind = USED_HONEST};
    bench->model.register_lie = (struct model_register_lie){.kind = REGISTER_HONEST};
    bench->model.interrupt_status = 0;
    arena_poison(bench);
    for (uint32_t index = 0; index < READS; index++) {
        assert_status(bench_read(bench, &reads[index]), NX_OK);
        assert_content(bench, &reads[index]);
    }
    bench_destroy(bench);
}

// --- one check per row and transport
// ---------------------------------------------------------------

struct row_check {
    const struct attach_case *attach;
    const struct serve_case *serve;
    uint32_t version;
    char name[96];
};

static void test_row(void **state)
{
    const struct row_check *check = *state;
    if (check->attach != NULL) {
        attach_case_run(check->attach, check->version);
    } else {
        serve_case_run(check->serve, check->version);
    }
}

#define ATTACH_ROWS (sizeof(attach_cases) / sizeof(attach_cases[0]))
#define SERVE_ROWS  (sizeof(serve_cases) / sizeof(serve_cases[0]))
#define MOST_CHECKS (2 * (ATTACH_ROWS + SERVE_ROWS))

static struct row_check checks[MOST_CHECKS];
static struct CMUnitTest row_tests[MOST_CHECKS];

static size_t checks_build(void)
{
    size_t count = 0;
    for (size_t row = 0; row < ATTACH_ROWS + SERVE_ROWS; row++) {
        const struct attach_case *attach = row < ATTACH_ROWS ? &attach_cases[row] : NULL;
        const struct serve_case *serve = attach == NULL ? &serve_cases[row - ATTACH_ROWS] : NULL;
        unsigned int transports = attach != NULL ? attach->transports : serve->transports;
        for (uint32_t version = 1; version <= 2; version++) {
            if ((transports & version) == 0) {
                continue;
            }
            struct row_check *check = &checks[count];
            *check = (struct row_check){.attach = attach, .serve = serve, .version = version};
            snprintf(check->name, sizeof(check->name), "%s, %s: %s",
                     version == 1 ? "legacy" : "modern", attach != NULL ? "attach" : "serve",
                     attach != NULL ? attach->name : serve->name);
            row_tests[count] = (struct CMUnitTest){
                .name = check->name, .test_func = test_row, .initial_state = check};
            count++;
        }
    }
    return count;
}

int run_hostile(void)
{
    return _cmocka_run_group_tests("virtio-blk hostile devices", row_tests, checks_build(), NULL,
                                   NULL);
}
