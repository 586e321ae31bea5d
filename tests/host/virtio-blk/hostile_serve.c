// SPDX-License-Identifier: Apache-2.0
// The catalogue of hostile devices, second part: one that lies while it serves three reads.
//
// Each lie is tolerated, or breaks the device with its reason; then a reset hands every read back,
// once. When the lie has ended the device must serve again, with right content.
#include "hostile.h"

#include <stdio.h>

struct serve_case {
    const char *name;
    unsigned int transports;
    struct model_used_lie lie;
    struct model_register_lie register_lie;
    enum virtio_blk_fault fault; // NONE: tolerated, and every read succeeds
};

// No lie, but no success either: the second read's answer, and the status it comes back with.
static const struct answer_case {
    const char *name;
    uint32_t answer;
    enum nx_status status;
} answer_cases[] = {
    {"answers that the sectors cannot be read", 1, NX_ERR_IO},
    {"answers that it knows no reads", 2, NX_ERR_UNSUPPORTED},
};
#define ANSWERED_READ 1u

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
    {"seg_max changes", BOTH, {USED_CONFIG_SEG_MAX, 0, 1, 1}, {0}, FAULT(CONFIG_CHANGED)},
    {"configuration never stands still again",
     BOTH,
     {USED_CONFIG_RESTLESS, 0, 1, 1},
     {0},
     FAULT(CONFIG_UNSTABLE)},
    {"disappears: all registers read all ones", BOTH, {USED_GONE_ONES, 0, 1, 1}, {0}, FAULT(GONE)},
    {"disappears: all registers read 0", BOTH, {USED_GONE_ZEROS, 0, 1, 1}, {0}, FAULT(STATUS_LOST)},
    {"STATUS reads all ones while it serves well",
     BOTH,
     {0},
     {.kind = REGISTER_REPLACE, .offset = 0x070, .value = UINT32_MAX},
     FAULT(NONE)},
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

static void serve_case_run(const void *of, uint32_t version)
{
    const struct serve_case *row = of;
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
        bench->model.gone = GONE_NOT;
        bench->model.config_restless = false;
        bench->model.capacity = 65536;
        bench->model.blk_size = 512;
        bench->model.seg_max = 254;
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

static void answer_case_run(const void *of, uint32_t version)
{
    const struct answer_case *row = of;
    struct bench *bench = bench_ready(version);
    struct read reads[READS];
    bench->model.used_lie = (struct model_used_lie){USED_STATUS, row->answer, ANSWERED_READ, 1};
    reads_drive(bench, reads);
    bench_collect(bench);
    assert_int_equal(bench->returned, READS);
    for (uint32_t index = 0; index < READS; index++) {
        assert_status(reads[index].request.status, index == ANSWERED_READ ? row->status : NX_OK);
    }
    assert_int_equal(bench->device.state, VIRTIO_BLK_READY);
    assert_int_equal(bench->device.counters.errors, 1);
    bench_destroy(bench);
}

#define SERVE_CASES  (sizeof(serve_cases) / sizeof(serve_cases[0]))
#define ANSWER_CASES (sizeof(answer_cases) / sizeof(answer_cases[0]))

size_t hostile_serve_cases(struct hostile_case *cases)
{
    for (size_t row = 0; row < SERVE_CASES; row++) {
        const struct serve_case *serve = &serve_cases[row];
        cases[row] = (struct hostile_case){
            .moment = "serve",
            .device = serve->name,
            .transports = serve->transports,
            .outcome = "tolerated; every read is right",
            .run = serve_case_run,
            .row = serve,
        };
        if (serve->fault != VIRTIO_BLK_FAULT_NONE) {
            snprintf(cases[row].outcome, sizeof(cases[row].outcome),
                     "broken: `%s`; reads come back once, by a reset",
                     virtio_blk_fault_name(serve->fault));
        }
    }
    for (size_t row = 0; row < ANSWER_CASES; row++) {
        struct hostile_case *answer = &cases[SERVE_CASES + row];
        *answer = (struct hostile_case){
            .moment = "serve",
            .device = answer_cases[row].name,
            .transports = BOTH,
            .run = answer_case_run,
            .row = &answer_cases[row],
        };
        snprintf(answer->outcome, sizeof(answer->outcome),
                 "that read fails: %s; the others are right",
                 answer_cases[row].status == NX_ERR_IO ? "NX_ERR_IO" : "NX_ERR_UNSUPPORTED");
    }
    return SERVE_CASES + ANSWER_CASES;
}
