// SPDX-License-Identifier: Apache-2.0
// Arguments that virtio_blk refuses: each with its named error, before the device sees anything.
#include "fixture.h"

#include <stdlib.h>
#include <string.h>

// A read that is right but for one thing.
struct refusal {
    const char *name;
    uint64_t first_sector;
    uint32_t sector_count;
    uint32_t segment_count;
    struct virtio_blk_segment segments[3];
    enum nx_status expected;
};

#define AT(page, bytes)                                                                            \
    {                                                                                              \
        ARENA_BUS + (page)*PAGE, (bytes)                                                           \
    }

static const struct refusal refusals[] = {
    {"control: a good read", 0, 8, 1, {AT(0, 4096)}, NX_OK},
    {"control: the last sector", 65535, 1, 1, {AT(0, 512)}, NX_OK},
    {"no sectors", 0, 0, 1, {AT(0, 512)}, NX_ERR_INVALID_ARGUMENT},
    {"no sectors past the end", UINT64_MAX, 0, 1, {AT(0, 512)}, NX_ERR_INVALID_ARGUMENT},
    {"257 sectors", 0, 257, 1, {AT(0, 257 * 512)}, NX_ERR_TOO_LARGE},
    {"4 Gi sectors", 0, UINT32_MAX, 1, {AT(0, 512)}, NX_ERR_TOO_LARGE},
    {"sector and count wrap", UINT64_MAX, 2, 1, {AT(0, 1024)}, NX_ERR_OVERFLOW},
    {"sector and count wrap to 0", UINT64_MAX, 1, 1, {AT(0, 512)}, NX_ERR_OVERFLOW},
    {"sector and count just fit", UINT64_MAX - 1, 1, 1, {AT(0, 512)}, NX_ERR_OUT_OF_RANGE},
    {"begins at the end", 65536, 1, 1, {AT(0, 512)}, NX_ERR_OUT_OF_RANGE},
    {"ends past the end", 65535, 2, 1, {AT(0, 1024)}, NX_ERR_OUT_OF_RANGE},
    {"begins past the end", 70000, 1, 1, {AT(0, 512)}, NX_ERR_OUT_OF_RANGE},
    {"no segments", 0, 1, 0, {AT(0, 512)}, NX_ERR_INVALID_ARGUMENT},
    {"34 segments", 0, 34, 34, {AT(0, 512)}, NX_ERR_TOO_LARGE},
    {"an empty segment", 0, 2, 2, {AT(0, 1024), AT(4, 0)}, NX_ERR_INVALID_ARGUMENT},
    {"half a sector", 0, 1, 2, {AT(0, 256), AT(4, 256)}, NX_ERR_INVALID_ARGUMENT},
    {"an odd length", 0, 1, 1, {AT(0, 511)}, NX_ERR_INVALID_ARGUMENT},
    {"too little memory", 0, 8, 2, {AT(0, 2048), AT(4, 1536)}, NX_ERR_INVALID_ARGUMENT},
    {"too much memory", 0, 8, 2, {AT(0, 2048), AT(4, 4096)}, NX_ERR_INVALID_ARGUMENT},
    {"lengths that wrap to the right sum",
     0,
     8,
     3,
     {AT(0, 4096), {0, 0x80000000}, {0, 0x80000000}},
     NX_ERR_INVALID_ARGUMENT},
    {"a segment that wraps", 0, 8, 1, {{UINT64_MAX - 511, 4096}}, NX_ERR_OVERFLOW},
};

static void test_refusal(void **state)
{
    const struct refusal *row = *state;
    for (uint32_t version = 1; version <= 2; version++) {
        struct bench *bench = bench_ready(version);
        struct read read;
        read_prepare(&read, row->first_sector, row->sector_count, 0);
        memcpy(read.segments, row->segments, sizeof(row->segments));
        read.request.segment_count = row->segment_count;
        uint64_t writes = bench->model.writes;
        assert_status(virtio_blk_submit(&bench->device, &read.request, bench->now), row->expected);
        if (row->expected != NX_OK) {
            virtio_blk_kick(&bench->device);
            assert_int_equal(bench->model.writes, writes);
            assert_int_equal(bench->device.counters.requests, 0);
            assert_int_equal(virtio_blk_in_flight(&bench->device), 0);
        }
        // The driver goes on, and the request is still the caller's.
        if (row->expected == NX_OK) {
            assert_status(virtio_blk_reset(&bench->device, bench->now), NX_OK);
            bench_collect(bench);
        }
        read_prepare(&read, 0, 8, 0);
        assert_status(bench_read(bench, &read), NX_OK);
        bench_destroy(bench);
    }
}

static void test_a_null_segment_list_is_refused(void **state)
{
    (void)state;
    struct bench *bench = bench_ready(2);
    struct read read;
    read_prepare(&read, 0, 8, 0);
    read.request.segments = NULL;
    assert_status(virtio_blk_submit(&bench->device, &read.request, 0), NX_ERR_INVALID_ARGUMENT);
    bench_destroy(bench);
}

static void test_a_request_in_flight_is_not_accepted_twice(void **state)
{
    (void)state;
    struct bench *bench = bench_ready(2);
    struct read read;
    read_prepare(&read, 0, 8, 0);
    read_submit(bench, &read);
    assert_status(virtio_blk_submit(&bench->device, &read.request, 0), NX_ERR_ALREADY_EXISTS);
    virtio_blk_kick(&bench->device);
    device_model_complete_all(&bench->model);
    assert_status(bench_serve(bench), NX_OK);
    // Completed, but not taken yet: its list link is in use.
    assert_status(virtio_blk_submit(&bench->device, &read.request, 0), NX_ERR_ALREADY_EXISTS);
    bench_collect(bench);
    assert_status(bench_read(bench, &read), NX_OK);
    bench_destroy(bench);
}

static void test_parts_of_a_block_are_refused(void **state)
{
    (void)state;
    struct bench *bench = bench_create(2);
    struct read read;
    bench->model.blk_size = 4096;
    bench->model.capacity = 1001; // the last sector is no whole block
    assert_status(bench_attach(bench), NX_OK);
    read_prepare(&read, 1, 8, 0);
    assert_status(virtio_blk_submit(&bench->device, &read.request, 0), NX_ERR_INVALID_ARGUMENT);
    read_prepare(&read, 8, 7, 0);
    assert_status(virtio_blk_submit(&bench->device, &read.request, 0), NX_ERR_INVALID_ARGUMENT);
    read_prepare(&read, 1000, 8, 0);
    assert_status(virtio_blk_submit(&bench->device, &read.request, 0), NX_ERR_OUT_OF_RANGE);
    read_prepare(&read, 992, 8, 0);
    assert_status(bench_read(bench, &read), NX_OK);
    assert_content(bench, &read);
    bench_destroy(bench);
}

static void test_a_block_in_more_pieces_than_the_device_takes_is_too_large(void **state)
{
    (void)state;
    struct bench *bench = bench_create(2);
    struct read read;
    bench->model.blk_size = 4096;
    bench->model.seg_max = 4;
    assert_status(bench_attach(bench), NX_OK);
    read_prepare_scattered(&read, 0, 8, 8); // eight sectors, each elsewhere
    assert_status(virtio_blk_submit(&bench->device, &read.request, 0), NX_ERR_TOO_LARGE);
    assert_int_equal(bench->device.queue.free_count, bench->device.queue.size);
    read_prepare_scattered(&read, 0, 8, 4);
    assert_status(bench_read(bench, &read), NX_OK);
    bench_destroy(bench);
}

static void test_attach_checks_its_arguments(void **state)
{
    (void)state;
    struct bench *bench = bench_ready(2);
    struct virtio_blk device;
    const struct virtio_blk_ops *ops = bench->device.ops;
    struct virtio_blk_ops half = *ops;
    const struct virtio_blk_dma good = bench->device.dma;
    struct virtio_blk_dma bad[] = {good, good, good, good, good};
    bad[0].address = NULL;
    bad[1].address = (uint8_t *)good.address + 16;
    bad[2].bus_address += 512;
    bad[3].length -= 1;
    bad[4].bus_address = UINT64_MAX - 4095;
    for (size_t row = 0; row < sizeof(bad) / sizeof(bad[0]); row++) {
        assert_status(virtio_blk_attach(&device, ops, bench, &bad[row], 0),
                      NX_ERR_INVALID_ARGUMENT);
    }
    half.fence = NULL;
    assert_status(virtio_blk_attach(NULL, ops, bench, &good, 0), NX_ERR_INVALID_ARGUMENT);
    assert_status(virtio_blk_attach(&device, NULL, bench, &good, 0), NX_ERR_INVALID_ARGUMENT);
    assert_status(virtio_blk_attach(&device, &half, bench, &good, 0), NX_ERR_INVALID_ARGUMENT);
    assert_status(virtio_blk_attach(&device, ops, bench, NULL, 0), NX_ERR_INVALID_ARGUMENT);
    bench_destroy(bench);
}

static void test_a_legacy_queue_above_16_tib_is_refused(void **state)
{
    (void)state;
    struct bench *bench = bench_ready(1);
    struct virtio_blk device;
    struct virtio_blk_dma high = bench->device.dma;
    high.bus_address = UINT64_C(1) << 44;
    assert_status(virtio_blk_attach(&device, bench->device.ops, bench, &high, 0), NX_ERR_DEVICE);
    assert_int_equal(device.fault, VIRTIO_BLK_FAULT_QUEUE_NOT_READY);
    bench_destroy(bench);
}

static void test_every_fault_and_state_has_a_name(void **state)
{
    (void)state;
    for (int fault = 0; fault < VIRTIO_BLK_FAULT_COUNT; fault++) {
        const char *name = virtio_blk_fault_name((enum virtio_blk_fault)fault);
        assert_non_null(name);
        for (int other = 0; other < fault; other++) {
            assert_string_not_equal(name, virtio_blk_fault_name((enum virtio_blk_fault)other));
        }
    }
    assert_string_equal(virtio_blk_fault_name(VIRTIO_BLK_FAULT_COUNT), "unknown");
    assert_string_equal(virtio_blk_state_name(VIRTIO_BLK_LOST), "lost");
    assert_string_equal(virtio_blk_state_name((enum virtio_blk_state)99), "unknown");
}

#define STATUS_FAILED 0x80u // virtio 1.2, section 2.1

static void test_a_device_that_is_refused_is_told_so(void **state)
{
    (void)state;
    for (uint32_t version = 1; version <= 2; version++) {
        struct bench *bench = bench_create(version);
        bench->model.capacity = 0;
        assert_status(bench_attach(bench), NX_ERR_UNSUPPORTED);
        assert_int_equal(bench->model.status & STATUS_FAILED, STATUS_FAILED);
        bench_destroy(bench);
    }
}

#define ROWS (sizeof(refusals) / sizeof(refusals[0]))

int run_refusals(void)
{
    const struct CMUnitTest others[] = {
        cmocka_unit_test(test_a_null_segment_list_is_refused),
        cmocka_unit_test(test_a_request_in_flight_is_not_accepted_twice),
        cmocka_unit_test(test_parts_of_a_block_are_refused),
        cmocka_unit_test(test_a_block_in_more_pieces_than_the_device_takes_is_too_large),
        cmocka_unit_test(test_attach_checks_its_arguments),
        cmocka_unit_test(test_a_legacy_queue_above_16_tib_is_refused),
        cmocka_unit_test(test_every_fault_and_state_has_a_name),
        cmocka_unit_test(test_a_device_that_is_refused_is_told_so),
    };
    struct CMUnitTest rows[ROWS];
    for (size_t row = 0; row < ROWS; row++) {
        rows[row] = (struct CMUnitTest){
            .name = refusals[row].name,
            .test_func = test_refusal,
            .initial_state = (void *)(uintptr_t)&refusals[row],
        };
    }
    int failed = cmocka_run_group_tests_name("virtio-blk refusals", rows, NULL, NULL);
    return failed + cmocka_run_group_tests_name("virtio-blk other refusals", others, NULL, NULL);
}
