// SPDX-License-Identifier: Apache-2.0
// Reads through a device that keeps the rules: content, counts, order, limits, wrap-around.
#include "fixture.h"

#include <stdlib.h>
#include <string.h>

#define F_SIZE_MAX (UINT64_C(1) << 1)
#define F_SEG_MAX  (UINT64_C(1) << 2)
#define F_RO       (UINT64_C(1) << 5)
#define F_INDIRECT (UINT64_C(1) << 28)
#define F_EVENT    (UINT64_C(1) << 29)

static void test_info_tells_what_was_negotiated(void **state)
{
    (void)state;
    for (uint32_t version = 1; version <= 2; version++) {
        struct bench *bench = bench_ready(version);
        struct virtio_blk_info info;
        virtio_blk_info(&bench->device, &info);
        assert_int_equal(info.sectors, 65536);
        assert_int_equal(info.block_size, 512);
        assert_int_equal(info.transport_version, version);
        assert_int_equal(info.vendor, 0x554d4551);
        assert_int_equal(info.queue_size, 128);
        assert_true(info.read_only);
        // What the driver uses and nothing else: the device offers more.
        uint64_t used = F_SEG_MAX | F_RO | (UINT64_C(1) << 6) | F_INDIRECT | F_EVENT;
        assert_true(info.features == (version == 1 ? used : used | UINT64_C(1) << 32));
        assert_true(bench->model.accepted == info.features);
        bench_destroy(bench);
    }
}

static void test_a_writable_device_is_accepted_and_said_to_be_writable(void **state)
{
    (void)state;
    struct bench *bench = bench_create(2);
    struct virtio_blk_info info;
    bench->model.feature_bits &= ~F_RO;
    assert_status(bench_attach(bench), NX_OK);
    virtio_blk_info(&bench->device, &info);
    assert_false(info.read_only);
    bench_destroy(bench);
}

static void test_queue_size_is_the_largest_power_of_two_in_bounds(void **state)
{
    (void)state;
    static const struct {
        uint32_t maximum;
        uint16_t expected;
    } rows[] = {{4, 4}, {5, 4}, {7, 4}, {8, 8}, {100, 64}, {127, 64}, {128, 128}, {32768, 128}};
    for (size_t row = 0; row < sizeof(rows) / sizeof(rows[0]); row++) {
        struct bench *bench = bench_create(1 + row % 2);
        struct read read;
        bench->model.queue_num_max = rows[row].maximum;
        assert_status(bench_attach(bench), NX_OK);
        assert_int_equal(bench->device.queue.size, rows[row].expected);
        read_prepare(&read, 9, 8, 0);
        assert_status(bench_read(bench, &read), NX_OK);
        assert_content(bench, &read);
        bench_destroy(bench);
    }
}

// Zero copy: the device is given the client's own addresses, so there is nothing to copy from.
static void test_128_kib_scattered_is_one_device_request_one_interrupt_no_copy(void **state)
{
    (void)state;
    for (uint32_t variant = 0; variant < 8; variant++) {
        struct bench *bench = bench_create(1 + variant % 2);
        struct read read;
        bench->model.feature_bits &= (variant & 2) != 0 ? ~F_INDIRECT : ~UINT64_C(0);
        bench->model.feature_bits &= (variant & 4) != 0 ? ~F_EVENT : ~UINT64_C(0);
        assert_status(bench_attach(bench), NX_OK);
        read_prepare_scattered(&read, 1000, 256, 32);
        read_submit(bench, &read);
        virtio_blk_kick(&bench->device);
        assert_int_equal(bench->model.pending_count, 1);
        assert_int_equal(bench->model.pending[0].segment_count, 32);
        for (uint32_t index = 0; index < 32; index++) {
            assert_true(bench->model.pending[0].segments[index].address ==
                        read.segments[index].bus_address);
        }
        device_model_complete_all(&bench->model);
        assert_status(bench_serve(bench), NX_OK);
        bench_collect(bench);
        assert_status(read.request.status, NX_OK);
        assert_int_equal(read.times_returned, 1);
        assert_content(bench, &read);
        assert_int_equal(bench->model.fetched, 1);
        assert_int_equal(bench->model.notifications, 1);
        assert_int_equal(bench->model.interrupts, 1);
        assert_int_equal(bench->device.counters.interrupts, 1);
        assert_int_equal(bench->device.counters.device_requests, 1);
        bench_destroy(bench);
    }
}

static void test_128_kib_that_begins_in_the_middle_of_a_page_is_one_device_request(void **state)
{
    (void)state;
    struct bench *bench = bench_ready(2);
    struct read read;
    read_prepare_scattered(&read, 77, 256, 32);
    read.request.segment_count = 33;
    read.segments[0].bus_address += 512;
    read.segments[0].length = PAGE - 512;
    read.segments[32].bus_address = ARENA_BUS;
    read.segments[32].length = 512;
    assert_status(bench_read(bench, &read), NX_OK);
    assert_content(bench, &read);
    assert_int_equal(bench->model.fetched, 1);
    bench_destroy(bench);
}

static void test_completions_out_of_order_reach_the_right_request(void **state)
{
    (void)state;
    for (uint32_t version = 1; version <= 2; version++) {
        struct bench *bench = bench_ready(version);
        struct read reads[5];
        static const uint32_t order[5] = {3, 0, 2, 1, 0}; // positions among those still pending
        for (uint32_t index = 0; index < 5; index++) {
            read_prepare(&reads[index], 100 * index, 8, 2 * index);
            read_submit(bench, &reads[index]);
        }
        virtio_blk_kick(&bench->device);
        assert_int_equal(bench->model.notifications, 1);
        for (uint32_t step = 0; step < 5; step++) {
            device_model_complete(&bench->model, order[step]);
            assert_status(bench_serve(bench), NX_OK);
            bench_collect(bench);
            assert_int_equal(bench->returned, step + 1);
        }
        for (uint32_t index = 0; index < 5; index++) {
            assert_int_equal(reads[index].times_returned, 1);
            assert_content(bench, &reads[index]);
        }
        assert_int_equal(reads[3].times_returned, 1);
        bench_destroy(bench);
    }
}

static void test_a_batch_is_one_kick_and_one_interrupt(void **state)
{
    (void)state;
    struct bench *bench = bench_ready(2);
    struct read reads[64];
    for (uint32_t index = 0; index < 64; index++) {
        read_prepare(&reads[index], 8 * index, 8, index);
        read_submit(bench, &reads[index]);
    }
    virtio_blk_kick(&bench->device);
    virtio_blk_kick(&bench->device); // nothing is new: not a second one
    device_model_complete_all(&bench->model);
    assert_status(bench_serve(bench), NX_OK);
    bench_collect(bench);
    assert_int_equal(bench->returned, 64);
    assert_int_equal(bench->model.notifications, 1);
    assert_int_equal(bench->model.interrupts, 1);
    assert_int_equal(bench->device.counters.spurious_interrupts, 0);
    bench_destroy(bench);
}

static void test_a_full_queue_says_busy_and_goes_on_after_a_completion(void **state)
{
    (void)state;
    static const struct {
        bool indirect;
        uint32_t fits;
    } rows[] = {{true, 128}, {false, 128 / 3}};
    for (size_t row = 0; row < 2; row++) {
        struct bench *bench = bench_create(2);
        struct read *reads = calloc(129, sizeof(*reads));
        bench->model.feature_bits &= rows[row].indirect ? ~UINT64_C(0) : ~F_INDIRECT;
        assert_status(bench_attach(bench), NX_OK);
        for (uint32_t index = 0; index <= rows[row].fits; index++) {
            read_prepare(&reads[index], index, 1, index);
        }
        for (uint32_t index = 0; index < rows[row].fits; index++) {
            read_submit(bench, &reads[index]);
        }
        struct read *late = &reads[rows[row].fits];
        assert_status(virtio_blk_submit(&bench->device, &late->request, bench->now), NX_ERR_BUSY);
        virtio_blk_kick(&bench->device);
        assert_int_equal(bench->model.pending_count, rows[row].fits);
        device_model_complete(&bench->model, 17);
        assert_status(bench_serve(bench), NX_OK);
        assert_status(bench_read(bench, late), NX_OK);
        for (uint32_t index = 0; index <= rows[row].fits; index++) {
            assert_int_equal(reads[index].times_returned, 1);
            assert_content(bench, &reads[index]);
        }
        free(reads);
        bench_destroy(bench);
    }
}

static void test_limits_of_the_device_split_a_request(void **state)
{
    (void)state;
    static const struct {
        uint32_t size_max, seg_max, blk_size, queue_max;
        bool indirect;
        uint32_t pieces;
        uint32_t parts;
    } rows[] = {
        {0, 8, 512, 256, true, 32, 4},       // segments
        {0, 8, 512, 256, false, 32, 4},      //
        {0, 5, 4096, 256, true, 32, 7},      // whole 4096-byte blocks
        {4096, 0, 512, 256, true, 1, 1},     // one segment, 32 descriptors
        {4096, 8, 512, 256, true, 1, 4},     //
        {1536, 3, 512, 256, true, 32, 32},   // a page is 1536 + 1536 + 1024
        {1024, 3, 2048, 256, false, 32, 64}, // 3 KiB a part leave 2 KiB in whole blocks
        {0, 0, 512, 16, true, 32, 3},        // the queue: 14 data descriptors
        {0, 0, 512, 16, false, 32, 3},       //
        {0, 0, 512, 4, false, 32, 16},       //
        {200, 3, 512, 256, true, 1, 256},    // one sector a part, pieces are no sectors
    };
    for (size_t row = 0; row < 2 * sizeof(rows) / sizeof(rows[0]); row++) {
        struct bench *bench = bench_create(1 + row % 2);
        struct device_model *model = &bench->model;
        struct read read;
        model->size_max = rows[row / 2].size_max;
        model->seg_max = rows[row / 2].seg_max;
        model->blk_size = rows[row / 2].blk_size;
        model->queue_num_max = rows[row / 2].queue_max;
        model->feature_bits |= model->size_max != 0 ? F_SIZE_MAX : 0;
        model->feature_bits &= model->seg_max != 0 ? ~UINT64_C(0) : ~F_SEG_MAX;
        model->feature_bits &= rows[row / 2].indirect ? ~UINT64_C(0) : ~F_INDIRECT;
        assert_status(bench_attach(bench), NX_OK);
        read_prepare_scattered(&read, 4096, 256, rows[row / 2].pieces);
        if (rows[row / 2].pieces == 1) {
            read_prepare(&read, 4096, 256, 1);
        }
        assert_status(bench_read(bench, &read), NX_OK);
        assert_content(bench, &read);
        assert_int_equal(model->fetched, rows[row / 2].parts);
        assert_int_equal(bench->device.counters.requests, 1);
        assert_int_equal(bench->device.counters.completions, 1);
        bench_destroy(bench);
    }
}

static void test_split_requests_in_a_full_small_queue_all_finish(void **state)
{
    (void)state;
    struct bench *bench = bench_create(2);
    struct read reads[3];
    uint32_t accepted = 0;
    bench->model.queue_num_max = 8;
    bench->model.feature_bits &= ~F_INDIRECT;
    bench->model.automatic = true;
    assert_status(bench_attach(bench), NX_OK);
    for (uint32_t index = 0; index < 3; index++) {
        read_prepare(&reads[index], 300 * index, 8, 40 * index);
    }
    read_prepare_scattered(&reads[0], 5, 64, 8);
    while (accepted < 3 &&
           virtio_blk_submit(&bench->device, &reads[accepted].request, bench->now) == NX_OK) {
        accepted++;
    }
    assert_int_equal(accepted, 1); // the first holds all 8 descriptors
    virtio_blk_kick(&bench->device);
    assert_status(bench_serve(bench), NX_OK);
    bench_collect(bench);
    assert_content(bench, &reads[0]);
    assert_status(bench_read(bench, &reads[1]), NX_OK);
    assert_status(bench_read(bench, &reads[2]), NX_OK);
    bench_destroy(bench);
}

static void test_an_error_in_a_later_part_fails_the_whole_request(void **state)
{
    (void)state;
    struct bench *bench = bench_create(2);
    struct read read;
    bench->model.seg_max = 8;
    bench->model.bad_sector = 4096 + 100;
    assert_status(bench_attach(bench), NX_OK);
    read_prepare_scattered(&read, 4096, 256, 32);
    assert_status(bench_read(bench, &read), NX_ERR_IO);
    assert_int_equal(bench->model.fetched, 2); // and no part after the bad one
    assert_int_equal(bench->device.counters.errors, 1);
    assert_int_equal(bench->device.state, VIRTIO_BLK_READY);
    bench_destroy(bench);
}

static void test_a_bad_sector_is_an_io_error_and_the_next_read_works(void **state)
{
    (void)state;
    for (uint32_t version = 1; version <= 2; version++) {
        struct bench *bench = bench_ready(version);
        struct read read;
        bench->model.bad_sector = 12;
        read_prepare(&read, 8, 8, 0);
        assert_status(bench_read(bench, &read), NX_ERR_IO);
        read_prepare(&read, 16, 8, 0);
        assert_status(bench_read(bench, &read), NX_OK);
        assert_content(bench, &read);
        assert_int_equal(bench->device.counters.errors, 1);
        assert_int_equal(bench->device.counters.completions, 2);
        bench_destroy(bench);
    }
}

// 70,000 requests: every index of both rings passes 65,535 and wraps.
static void wrap_around(uint32_t version, uint64_t without_features)
{
    struct bench *bench = bench_create(version);
    struct read reads[8];
    uint64_t random = 88172645463325252u;
    bench->model.feature_bits &= ~without_features;
    assert_status(bench_attach(bench), NX_OK);
    for (uint32_t round = 0; round < 70000 / 8; round++) {
        for (uint32_t index = 0; index < 8; index++) {
            read_prepare(&reads[index], (round * 8 + index) % 65535, 1, index);
            read_submit(bench, &reads[index]);
        }
        virtio_blk_kick(&bench->device);
        while (bench->model.pending_count > 0) {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            device_model_complete(&bench->model, (uint32_t)(random % bench->model.pending_count));
            if (random % 3 == 0) {
                assert_status(bench_serve(bench), NX_OK);
            }
        }
        assert_status(bench_serve(bench), NX_OK);
        bench_collect(bench);
        for (uint32_t index = 0; index < 8; index++) {
            assert_int_equal(reads[index].times_returned, 1);
            assert_status(reads[index].request.status, NX_OK);
            assert_content(bench, &reads[index]);
        }
    }
    assert_int_equal(bench->device.counters.completions, 70000);
    assert_int_equal(bench->device.counters.faults, 0);
    assert_int_equal(bench->device.queue.used_index, 70000 % 65536);
    bench_destroy(bench);
}

static void test_indices_wrap_past_65536_modern_indirect_event(void **state)
{
    (void)state;
    wrap_around(2, 0);
}

static void test_indices_wrap_past_65536_modern_chained_event(void **state)
{
    (void)state;
    wrap_around(2, F_INDIRECT);
}

static void test_indices_wrap_past_65536_legacy_chained_no_event(void **state)
{
    (void)state;
    wrap_around(1, F_INDIRECT | F_EVENT);
}

static void test_indices_wrap_past_65536_legacy_indirect_event(void **state)
{
    (void)state;
    wrap_around(1, 0);
}

static void test_capacity_that_grows_is_seen_after_its_interrupt(void **state)
{
    (void)state;
    for (uint32_t version = 1; version <= 2; version++) {
        struct bench *bench = bench_ready(version);
        struct read read;
        read_prepare(&read, 65536, 8, 0);
        assert_status(virtio_blk_submit(&bench->device, &read.request, bench->now),
                      NX_ERR_OUT_OF_RANGE);
        bench->model.capacity = 70000;
        bench->model.generation++;
        device_model_raise(&bench->model, 2);
        assert_status(bench_serve(bench), NX_OK);
        assert_status(bench_read(bench, &read), NX_OK);
        assert_content(bench, &read);
        assert_int_equal(bench->device.counters.spurious_interrupts, 0);
        bench_destroy(bench);
    }
}

int run_reads(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_info_tells_what_was_negotiated),
        cmocka_unit_test(test_a_writable_device_is_accepted_and_said_to_be_writable),
        cmocka_unit_test(test_queue_size_is_the_largest_power_of_two_in_bounds),
        cmocka_unit_test(test_128_kib_scattered_is_one_device_request_one_interrupt_no_copy),
        cmocka_unit_test(test_128_kib_that_begins_in_the_middle_of_a_page_is_one_device_request),
        cmocka_unit_test(test_completions_out_of_order_reach_the_right_request),
        cmocka_unit_test(test_a_batch_is_one_kick_and_one_interrupt),
        cmocka_unit_test(test_a_full_queue_says_busy_and_goes_on_after_a_completion),
        cmocka_unit_test(test_limits_of_the_device_split_a_request),
        cmocka_unit_test(test_split_requests_in_a_full_small_queue_all_finish),
        cmocka_unit_test(test_an_error_in_a_later_part_fails_the_whole_request),
        cmocka_unit_test(test_a_bad_sector_is_an_io_error_and_the_next_read_works),
        cmocka_unit_test(test_indices_wrap_past_65536_modern_indirect_event),
        cmocka_unit_test(test_indices_wrap_past_65536_modern_chained_event),
        cmocka_unit_test(test_indices_wrap_past_65536_legacy_chained_no_event),
        cmocka_unit_test(test_indices_wrap_past_65536_legacy_indirect_event),
        cmocka_unit_test(test_capacity_that_grows_is_seen_after_its_interrupt),
    };
    return cmocka_run_group_tests_name("virtio-blk reads", tests, NULL, NULL);
}
