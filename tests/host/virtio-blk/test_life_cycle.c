// SPDX-License-Identifier: Apache-2.0
// Resets, stops, time-outs and lost interrupts: who has the memory when, and what comes back how.
#include "fixture.h"

static void test_a_reset_hands_requests_back_only_when_status_reads_0(void **state)
{
    (void)state;
    for (uint32_t version = 1; version <= 2; version++) {
        struct bench *bench = bench_ready(version);
        struct read reads[3];
        for (uint32_t index = 0; index < 3; index++) {
            read_prepare(&reads[index], 8 * index, 8, index);
            read_submit(bench, &reads[index]);
        }
        virtio_blk_kick(&bench->device);
        bench->model.reset_delay = 3;
        assert_status(virtio_blk_reset(&bench->device, bench->now), NX_ERR_BUSY);
        for (int step = 0; step < 2; step++) {
            assert_null(virtio_blk_completed(&bench->device));
            assert_status(virtio_blk_advance(&bench->device, bench->now), NX_ERR_BUSY);
        }
        assert_null(virtio_blk_completed(&bench->device));
        assert_status(virtio_blk_advance(&bench->device, bench->now), NX_OK);
        bench_collect(bench);
        for (uint32_t index = 0; index < 3; index++) {
            assert_int_equal(reads[index].times_returned, 1);
            assert_status(reads[index].request.status, NX_ERR_CANCELLED);
            assert_untouched(bench, &reads[index]);
            assert_status(bench_read(bench, &reads[index]), NX_OK);
            assert_content(bench, &reads[index]);
        }
        assert_int_equal(bench->device.counters.resets, 1);
        assert_int_equal(bench->device.counters.returned_by_reset, 3);
        bench_destroy(bench);
    }
}

static void test_a_device_that_never_resets_keeps_the_memory(void **state)
{
    (void)state;
    struct bench *bench = bench_ready(2);
    struct read reads[2];
    for (uint32_t index = 0; index < 2; index++) {
        read_prepare(&reads[index], 8 * index, 8, index);
        read_submit(bench, &reads[index]);
    }
    virtio_blk_kick(&bench->device);
    bench->model.reset_delay = UINT32_MAX;
    uint64_t begun = bench->now;
    assert_status(bench_settle(bench, virtio_blk_reset(&bench->device, bench->now)),
                  NX_ERR_TIMED_OUT);
    assert_true(bench->now - begun >= VIRTIO_BLK_RESET_TIMEOUT_NS);
    assert_int_equal(bench->device.state, VIRTIO_BLK_LOST);
    assert_fault(bench, VIRTIO_BLK_FAULT_RESET_STUCK);
    assert_null(virtio_blk_completed(&bench->device));
    // One is abandoned; the other waits and comes back when a later reset takes.
    struct virtio_blk_request *abandoned = virtio_blk_abandoned(&bench->device);
    assert_ptr_equal(abandoned, &reads[0].request);
    assert_status(abandoned->status, NX_ERR_DEVICE);
    bench->model.reset_delay = 2;
    assert_status(bench_settle(bench, virtio_blk_reset(&bench->device, bench->now)), NX_OK);
    bench_collect(bench);
    assert_int_equal(reads[0].times_returned, 0);
    assert_int_equal(reads[1].times_returned, 1);
    assert_null(virtio_blk_abandoned(&bench->device));
    bench_destroy(bench);
}

static void test_stop_leaves_the_device_reset_and_attach_starts_it_again(void **state)
{
    (void)state;
    struct bench *bench = bench_ready(2);
    struct read read;
    read_prepare(&read, 0, 8, 0);
    read_submit(bench, &read);
    assert_status(virtio_blk_stop(&bench->device, bench->now), NX_OK);
    assert_int_equal(bench->device.state, VIRTIO_BLK_STOPPED);
    assert_int_equal(bench->model.status, 0);
    bench_collect(bench);
    assert_status(read.request.status, NX_ERR_CANCELLED);
    assert_status(virtio_blk_submit(&bench->device, &read.request, 0), NX_ERR_BAD_STATE);
    assert_status(virtio_blk_reset(&bench->device, 0), NX_ERR_BAD_STATE);
    assert_status(virtio_blk_interrupt(&bench->device), NX_ERR_BAD_STATE);
    assert_status(virtio_blk_expire(&bench->device, 0), NX_ERR_BAD_STATE);
    assert_status(bench_attach(bench), NX_OK);
    assert_status(bench_read(bench, &read), NX_OK);
    bench_destroy(bench);
}

static void test_a_time_out_names_the_overdue_and_spares_the_others(void **state)
{
    (void)state;
    struct bench *bench = bench_ready(2);
    struct read overdue;
    struct read patient;
    read_prepare(&overdue, 0, 8, 0);
    read_prepare(&patient, 8, 8, 1);
    patient.request.timeout_ns = UINT64_MAX; // must not wrap
    read_submit(bench, &overdue);
    read_submit(bench, &patient);
    virtio_blk_kick(&bench->device);
    uint64_t deadline = virtio_blk_next_deadline(&bench->device);
    assert_true(deadline == bench->now + READ_TIMEOUT);
    assert_status(virtio_blk_expire(&bench->device, deadline - 1), NX_OK);
    assert_status(virtio_blk_expire(&bench->device, deadline), NX_ERR_TIMED_OUT);
    assert_fault(bench, VIRTIO_BLK_FAULT_REQUEST_TIMEOUT);
    bench_collect(bench);
    assert_int_equal(bench->returned, 0); // not before the reset
    assert_status(virtio_blk_reset(&bench->device, deadline), NX_OK);
    bench_collect(bench);
    assert_status(overdue.request.status, NX_ERR_TIMED_OUT);
    assert_status(patient.request.status, NX_ERR_CANCELLED);
    assert_int_equal(bench->device.counters.timeouts, 1);
    assert_true(virtio_blk_next_deadline(&bench->device) == UINT64_MAX);
    bench_destroy(bench);
}

static void test_a_completion_without_interrupt_is_rescued_at_the_deadline(void **state)
{
    (void)state;
    struct bench *bench = bench_ready(2);
    struct read read;
    bench->model.used_lie.kind = USED_NO_INTERRUPT;
    read_prepare(&read, 0, 8, 0);
    read_submit(bench, &read);
    virtio_blk_kick(&bench->device);
    device_model_complete_all(&bench->model);
    assert_false(device_model_line(&bench->model));
    assert_status(virtio_blk_expire(&bench->device, bench->now + READ_TIMEOUT), NX_OK);
    bench_collect(bench);
    assert_int_equal(read.times_returned, 1);
    assert_status(read.request.status, NX_OK);
    assert_content(bench, &read);
    assert_int_equal(bench->device.counters.rescued, 1);
    assert_int_equal(bench->device.counters.timeouts, 0);
    bench_destroy(bench);
}

static void test_a_lost_interrupt_in_the_middle_of_a_split_read_is_rescued(void **state)
{
    (void)state;
    struct bench *bench = bench_create(2);
    struct read read;
    bench->model.seg_max = 16; // two parts
    bench->model.used_lie.kind = USED_NO_INTERRUPT;
    assert_status(bench_attach(bench), NX_OK);
    read_prepare_scattered(&read, 0, 256, 32);
    read.request.timeout_ns = 2 * READ_TIMEOUT;
    read_submit(bench, &read);
    virtio_blk_kick(&bench->device);
    device_model_complete_all(&bench->model);
    struct read other; // its deadline is what makes the service look
    read_prepare(&other, 0, 8, 0);
    read_submit(bench, &other);
    assert_status(virtio_blk_expire(&bench->device, bench->now + READ_TIMEOUT), NX_ERR_TIMED_OUT);
    assert_int_equal(bench->model.fetched, 3); // the second part was kicked
    assert_int_equal(bench->device.counters.rescued, 1);
    assert_status(virtio_blk_reset(&bench->device, bench->now), NX_OK);
    bench_collect(bench);
    assert_status(other.request.status, NX_ERR_TIMED_OUT);
    assert_status(read.request.status, NX_ERR_CANCELLED);
    bench_destroy(bench);
}

static void test_a_clock_near_its_end_does_not_cut_a_reset_short(void **state)
{
    (void)state;
    struct bench *bench = bench_ready(2);
    bench->model.reset_delay = 3;
    assert_status(virtio_blk_reset(&bench->device, UINT64_MAX - 10), NX_ERR_BUSY);
    assert_status(virtio_blk_advance(&bench->device, UINT64_MAX - 5), NX_ERR_BUSY);
    assert_status(virtio_blk_advance(&bench->device, UINT64_MAX - 4), NX_ERR_BUSY);
    assert_status(virtio_blk_advance(&bench->device, UINT64_MAX - 3), NX_OK);
    bench_destroy(bench);
}

// Who stops waiting for a request, does so only when its memory can be given up for lost.
static void test_nothing_is_abandoned_before_the_device_is_lost(void **state)
{
    (void)state;
    struct bench *bench = bench_ready(2);
    struct read read;
    read_prepare(&read, 0, 8, 0);
    read_submit(bench, &read);
    virtio_blk_kick(&bench->device);
    assert_null(virtio_blk_abandoned(&bench->device));
    bench->model.reset_delay = 3;
    assert_status(virtio_blk_reset(&bench->device, bench->now), NX_ERR_BUSY);
    assert_null(virtio_blk_abandoned(&bench->device));
    assert_status(bench_settle(bench, NX_ERR_BUSY), NX_OK);
    bench_collect(bench);
    assert_int_equal(bench->returned, 1);
    bench_destroy(bench);
}

#define STATUS_NEEDS_RESET 0x40u // virtio 1.2, section 2.1

static void test_a_broken_device_is_told_of_nothing(void **state)
{
    (void)state;
    struct bench *bench = bench_ready(2);
    struct read read;
    read_prepare(&read, 0, 8, 0);
    read_submit(bench, &read);
    bench->model.status |= STATUS_NEEDS_RESET;
    assert_status(virtio_blk_interrupt(&bench->device), NX_ERR_DEVICE);
    uint64_t notifications = bench->model.notifications;
    virtio_blk_kick(&bench->device);
    assert_int_equal(bench->model.notifications, notifications);
    assert_status(bench_settle(bench, virtio_blk_reset(&bench->device, bench->now)), NX_OK);
    bench_collect(bench);
    assert_int_equal(bench->returned, 1);
    bench_destroy(bench);
}

int run_life_cycle(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_reset_hands_requests_back_only_when_status_reads_0),
        cmocka_unit_test(test_a_device_that_never_resets_keeps_the_memory),
        cmocka_unit_test(test_stop_leaves_the_device_reset_and_attach_starts_it_again),
        cmocka_unit_test(test_a_time_out_names_the_overdue_and_spares_the_others),
        cmocka_unit_test(test_a_completion_without_interrupt_is_rescued_at_the_deadline),
        cmocka_unit_test(test_a_lost_interrupt_in_the_middle_of_a_split_read_is_rescued),
        cmocka_unit_test(test_a_clock_near_its_end_does_not_cut_a_reset_short),
        cmocka_unit_test(test_nothing_is_abandoned_before_the_device_is_lost),
        cmocka_unit_test(test_a_broken_device_is_told_of_nothing),
    };
    return cmocka_run_group_tests_name("virtio-blk life cycle", tests, NULL, NULL);
}
