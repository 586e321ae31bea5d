// SPDX-License-Identifier: Apache-2.0
// Hostile devices that take more than a row of the catalogue: storms, scribbling, bad moments.
#include "fixture.h"

#include <string.h>

// ----------------------------------------------------------

static void test_an_interrupt_storm_is_bounded_and_named(void **state)
{
    (void)state;
    for (uint32_t version = 1; version <= 2; version++) {
        struct bench *bench = bench_ready(version);
        bench->model.interrupt_stuck = true;
        assert_status(bench_serve(bench), NX_ERR_DEVICE);
        assert_fault(bench, VIRTIO_BLK_FAULT_INTERRUPT_STORM);
        assert_int_equal(bench->interrupts_served, VIRTIO_BLK_QUIET_INTERRUPT_LIMIT + 1);
        assert_int_equal(bench->device.counters.spurious_interrupts, bench->interrupts_served);
        bench->model.interrupt_stuck = false;
        assert_status(virtio_blk_reset(&bench->device, bench->now), NX_OK);
        bench_destroy(bench);
    }
}

static void test_a_storm_of_configuration_interrupts_is_bounded_and_named(void **state)
{
    (void)state;
    struct bench *bench = bench_ready(2);
    enum nx_status status = NX_OK;
    uint32_t served = 0;
    while (status == NX_OK && served < 10000) {
        device_model_raise(&bench->model, 2);
        status = virtio_blk_interrupt(&bench->device);
        served++;
    }
    assert_status(status, NX_ERR_DEVICE);
    assert_fault(bench, VIRTIO_BLK_FAULT_INTERRUPT_STORM);
    assert_int_equal(served, VIRTIO_BLK_QUIET_INTERRUPT_LIMIT + 1);
    bench_destroy(bench);
}

static void test_spurious_interrupts_between_reads_are_counted_and_harmless(void **state)
{
    (void)state;
    struct bench *bench = bench_ready(2);
    struct read read;
    for (uint32_t round = 0; round < 2 * VIRTIO_BLK_QUIET_INTERRUPT_LIMIT; round++) {
        device_model_raise(&bench->model, 1);
        assert_status(bench_serve(bench), NX_OK);
        read_prepare(&read, round, 1, 0);
        assert_status(bench_read(bench, &read), NX_OK);
    }
    assert_int_equal(bench->device.counters.spurious_interrupts,
                     2 * VIRTIO_BLK_QUIET_INTERRUPT_LIMIT);
    bench_destroy(bench);
}

static void test_an_avail_event_that_refuses_kicks_ends_in_a_time_out(void **state)
{
    (void)state;
    struct bench *bench = bench_ready(2);
    struct read read;
    // avail_event far away: the device never wants to hear of anything.
    uint64_t used = bench->model.queue_address[2] - RINGS_BUS;
    uint16_t far_away = 0x7fff;
    memcpy(bench->rings + used + 4 + 8 * 128, &far_away, sizeof(far_away));
    read_prepare(&read, 0, 8, 0);
    read_submit(bench, &read);
    virtio_blk_kick(&bench->device);
    assert_int_equal(bench->model.notifications, 0);
    assert_status(virtio_blk_expire(&bench->device, bench->now + READ_TIMEOUT), NX_ERR_TIMED_OUT);
    assert_status(virtio_blk_reset(&bench->device, bench->now), NX_OK);
    bench_collect(bench);
    assert_status(read.request.status, NX_ERR_TIMED_OUT);
    assert_status(bench_read(bench, &read), NX_OK);
    bench_destroy(bench);
}

static void test_a_device_that_scribbles_over_its_descriptors_confuses_only_itself(void **state)
{
    (void)state;
    struct bench *bench = bench_create(2);
    struct read reads[4];
    bench->model.feature_bits &= ~(UINT64_C(1) << 28); // chains in the queue itself
    assert_status(bench_attach(bench), NX_OK);
    for (uint32_t round = 0; round < 200; round++) {
        for (uint32_t index = 0; index < 4; index++) {
            read_prepare_scattered(&reads[index], 8 * index, 8, 2 + index % 2 * 2);
            reads[index].segments[0].bus_address = ARENA_BUS + index * PAGE;
            read_submit(bench, &reads[index]);
        }
        virtio_blk_kick(&bench->device);
        // Everything was fetched: table and available ring are overwritten behind the driver.
        memset(bench->rings, (int)(round & 0xff), 16 * 128);
        memset(bench->rings + 16 * 128 + 4, (int)(round & 0xff), 2 * 128);
        device_model_complete_all(&bench->model);
        assert_status(bench_serve(bench), NX_OK);
        bench_collect(bench);
        assert_int_equal(bench->device.queue.free_count, 128);
    }
    assert_int_equal(bench->returned, 800);
    bench_destroy(bench);
}

static void test_a_used_index_that_goes_back_is_named(void **state)
{
    (void)state;
    struct bench *bench = bench_ready(2);
    struct read reads[3];
    for (uint32_t index = 0; index < 3; index++) {
        read_prepare(&reads[index], 8 * index, 8, index);
        read_submit(bench, &reads[index]);
    }
    virtio_blk_kick(&bench->device);
    device_model_complete(&bench->model, 0);
    device_model_complete(&bench->model, 0);
    assert_status(bench_serve(bench), NX_OK);
    // Two elements were taken, one request is in flight: back to one.
    uint16_t back = 1;
    memcpy(bench->rings + (bench->model.queue_address[2] - RINGS_BUS) + 2, &back, sizeof(back));
    device_model_raise(&bench->model, 1);
    assert_status(bench_serve(bench), NX_ERR_DEVICE);
    assert_fault(bench, VIRTIO_BLK_FAULT_USED_INDEX);
    assert_status(virtio_blk_reset(&bench->device, bench->now), NX_OK);
    bench_collect(bench);
    assert_int_equal(bench->returned, 3);
    bench_destroy(bench);
}

static void test_a_used_id_in_the_middle_of_a_chain_is_stale(void **state)
{
    (void)state;
    for (uint32_t version = 1; version <= 2; version++) {
        struct bench *bench = bench_create(version);
        struct read read;
        bench->model.feature_bits &= ~(UINT64_C(1) << 28); // chains in the queue itself
        bench->model.used_lie.kind = USED_ID_NOT_HEAD;
        assert_status(bench_attach(bench), NX_OK);
        read_prepare(&read, 0, 8, 0);
        read_submit(bench, &read);
        virtio_blk_kick(&bench->device);
        device_model_complete_all(&bench->model);
        assert_status(bench_serve(bench), NX_ERR_DEVICE);
        assert_fault(bench, VIRTIO_BLK_FAULT_USED_ID_STALE);
        bench_destroy(bench);
    }
}

static void test_interrupts_while_a_reset_is_under_way_touch_no_request(void **state)
{
    (void)state;
    struct bench *bench = bench_ready(2);
    struct read read;
    read_prepare(&read, 0, 8, 0);
    read_submit(bench, &read);
    virtio_blk_kick(&bench->device);
    device_model_complete_all(&bench->model); // finished, but the reset comes first
    bench->model.reset_delay = 2;
    assert_status(virtio_blk_reset(&bench->device, bench->now), NX_ERR_BUSY);
    device_model_raise(&bench->model, 1);
    assert_status(virtio_blk_interrupt(&bench->device), NX_ERR_BAD_STATE);
    assert_false(device_model_line(&bench->model)); // acknowledged all the same
    assert_null(virtio_blk_completed(&bench->device));
    assert_status(bench_settle(bench, NX_ERR_BUSY), NX_OK);
    bench_collect(bench);
    assert_int_equal(read.times_returned, 1);
    assert_status(read.request.status, NX_ERR_CANCELLED);
    bench_destroy(bench);
}

static void test_a_device_broken_a_hundred_times_still_serves(void **state)
{
    (void)state;
    struct bench *bench = bench_ready(2);
    struct read read;
    for (uint32_t round = 0; round < 100; round++) {
        read_prepare(&read, round, 8, 0);
        read_submit(bench, &read);
        virtio_blk_kick(&bench->device);
        bench->model.used_lie =
            (struct model_used_lie){USED_ID, 1000 + round, (uint32_t)bench->model.completions, 1};
        device_model_complete_all(&bench->model);
        assert_status(bench_serve(bench), NX_ERR_DEVICE);
        assert_status(virtio_blk_reset(&bench->device, bench->now), NX_OK);
        bench_collect(bench);
        assert_status(read.request.status, NX_ERR_DEVICE);
        assert_status(bench_read(bench, &read), NX_OK);
        assert_content(bench, &read);
        bench->model.interrupt_status = 0;
    }
    assert_int_equal(bench->device.counters.faults, 100);
    assert_int_equal(bench->device.counters.resets, 100);
    bench_destroy(bench);
}

int run_hostile_behaviour(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_interrupt_storm_is_bounded_and_named),
        cmocka_unit_test(test_a_storm_of_configuration_interrupts_is_bounded_and_named),
        cmocka_unit_test(test_spurious_interrupts_between_reads_are_counted_and_harmless),
        cmocka_unit_test(test_an_avail_event_that_refuses_kicks_ends_in_a_time_out),
        cmocka_unit_test(test_a_device_that_scribbles_over_its_descriptors_confuses_only_itself),
        cmocka_unit_test(test_a_used_index_that_goes_back_is_named),
        cmocka_unit_test(test_a_used_id_in_the_middle_of_a_chain_is_stale),
        cmocka_unit_test(test_interrupts_while_a_reset_is_under_way_touch_no_request),
        cmocka_unit_test(test_a_device_broken_a_hundred_times_still_serves),
    };
    return cmocka_run_group_tests_name("virtio-blk hostile behaviour", tests, NULL, NULL);
}
