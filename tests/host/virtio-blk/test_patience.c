// SPDX-License-Identifier: Apache-2.0
// Interrupts after several requests, and looks at the device without an interrupt.
#include "fixture.h"

#define F_EVENT (UINT64_C(1) << 29)
#define READS   8u

static struct read reads[READS];

static void submit_all(struct bench *bench, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        read_prepare(&reads[i], i * 8, 8, i);
        read_submit(bench, &reads[i]);
    }
    virtio_blk_kick(&bench->device);
}

static void test_an_interrupt_comes_when_enough_requests_are_done(void **state)
{
    (void)state;
    struct bench *bench = bench_ready(2);
    submit_all(bench, READS);
    assert_false(virtio_blk_interrupt_after(&bench->device, 4));
    for (uint32_t i = 0; i < READS; i++) {
        device_model_complete(&bench->model, 0);
        bool due = i % 4 == 3;
        assert_int_equal(device_model_line(&bench->model), due);
        if (due) {
            assert_status(bench_serve(bench), NX_OK);
            bench_collect(bench);
            assert_int_equal(bench->returned, i + 1);
        }
    }
    assert_int_equal(bench->model.interrupts, 2);
    bench_destroy(bench);
}

// The last requests of a batch interrupt although they are fewer.
static void test_no_more_requests_are_waited_for_than_there_are(void **state)
{
    (void)state;
    struct bench *bench = bench_ready(2);
    submit_all(bench, 2);
    assert_false(virtio_blk_interrupt_after(&bench->device, 100));
    device_model_complete(&bench->model, 0);
    assert_false(device_model_line(&bench->model));
    device_model_complete(&bench->model, 0);
    assert_true(device_model_line(&bench->model));
    assert_status(bench_serve(bench), NX_OK);
    bench_collect(bench);
    assert_int_equal(bench->returned, 2);
    // Nothing in flight: the next request alone interrupts.
    submit_all(bench, 1);
    device_model_complete(&bench->model, 0);
    assert_true(device_model_line(&bench->model));
    assert_status(bench_serve(bench), NX_OK);
    bench_collect(bench);
    bench_destroy(bench);
}

// Somebody who waits for one request only: those that are done already cause no interrupt.
static void test_less_patience_finds_what_is_there_already(void **state)
{
    (void)state;
    struct bench *bench = bench_ready(2);
    submit_all(bench, READS);
    assert_false(virtio_blk_interrupt_after(&bench->device, READS));
    device_model_complete(&bench->model, 0);
    device_model_complete(&bench->model, 0);
    assert_false(device_model_line(&bench->model));
    assert_true(virtio_blk_interrupt_after(&bench->device, 1));
    assert_status(virtio_blk_poll(&bench->device), NX_OK);
    bench_collect(bench);
    assert_int_equal(bench->returned, 2);
    device_model_complete(&bench->model, 0);
    assert_true(device_model_line(&bench->model));
    assert_status(bench_serve(bench), NX_OK);
    bench_collect(bench);
    assert_int_equal(bench->returned, 3);
    device_model_complete_all(&bench->model);
    assert_status(bench_serve(bench), NX_OK);
    bench_collect(bench);
    bench_destroy(bench);
}

// used_event goes round with the 16-bit index, and not one interrupt too few comes.
static void test_patience_survives_the_wrap_of_the_used_index(void **state)
{
    (void)state;
    struct bench *bench = bench_ready(2);
    for (uint32_t turn = 0; turn < 3 * 65536 / (READS - 1); turn++) {
        uint64_t before = bench->model.interrupts;
        submit_all(bench, READS - 1);
        assert_false(virtio_blk_interrupt_after(&bench->device, 3));
        while (bench->model.pending_count > 0) {
            device_model_complete(&bench->model, bench->model.pending_count - 1);
            if (device_model_line(&bench->model)) {
                assert_status(bench_serve(bench), NX_OK);
                bench_collect(bench);
            }
        }
        assert_int_equal(bench->returned, (READS - 1) * (turn + 1));
        assert_int_equal(bench->model.interrupts - before, 3); // after 3, 3 and the last 1
    }
    bench_destroy(bench);
}

static void test_without_event_index_every_request_interrupts(void **state)
{
    (void)state;
    for (uint32_t version = 1; version <= 2; version++) {
        struct bench *bench = bench_create(version);
        bench->model.feature_bits &= ~F_EVENT;
        assert_status(bench_attach(bench), NX_OK);
        submit_all(bench, 3);
        assert_false(virtio_blk_interrupt_after(&bench->device, 3));
        for (uint32_t i = 0; i < 3; i++) {
            device_model_complete(&bench->model, 0);
            assert_true(device_model_line(&bench->model));
            assert_status(bench_serve(bench), NX_OK);
            bench_collect(bench);
        }
        assert_int_equal(bench->returned, 3);
        bench_destroy(bench);
    }
}

// Whoever can cause calls without an interrupt must not make the device look broken.
static void test_interrupts_that_were_none_are_no_storm(void **state)
{
    (void)state;
    struct bench *bench = bench_ready(2);
    for (uint32_t i = 0; i < 5 * VIRTIO_BLK_QUIET_INTERRUPT_LIMIT; i++) {
        assert_status(virtio_blk_interrupt(&bench->device), NX_OK);
        virtio_blk_interrupt_was_none(&bench->device);
    }
    assert_int_equal(bench->device.state, VIRTIO_BLK_READY);
    assert_int_equal(bench->device.counters.interrupts, 0);
    bench_destroy(bench);
}

// Each life of the device has the whole allowance.
static void test_interrupts_before_a_reset_are_not_held_against_the_device(void **state)
{
    (void)state;
    struct bench *bench = bench_ready(2);
    for (uint32_t life = 0; life < 3; life++) {
        for (uint32_t i = 0; i < VIRTIO_BLK_QUIET_INTERRUPT_LIMIT; i++) {
            assert_status(virtio_blk_interrupt(&bench->device), NX_OK);
        }
        assert_status(bench_settle(bench, virtio_blk_reset(&bench->device, bench->now)), NX_OK);
    }
    bench_destroy(bench);
}

static void test_a_look_at_a_device_that_lies_breaks_it(void **state)
{
    (void)state;
    struct bench *bench = bench_ready(2);
    bench->model.used_lie.kind = USED_ID;
    bench->model.used_lie.value = 100000;
    submit_all(bench, 2);
    device_model_complete(&bench->model, 0);
    assert_status(virtio_blk_poll(&bench->device), NX_ERR_DEVICE);
    assert_fault(bench, VIRTIO_BLK_FAULT_USED_ID_RANGE);
    assert_status(virtio_blk_poll(&bench->device), NX_ERR_DEVICE);
    assert_false(virtio_blk_interrupt_after(&bench->device, 1));
    assert_status(bench_settle(bench, virtio_blk_reset(&bench->device, bench->now)), NX_OK);
    bench_collect(bench);
    assert_int_equal(bench->returned, 2);
    bench_destroy(bench);
}

int run_patience(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_interrupt_comes_when_enough_requests_are_done),
        cmocka_unit_test(test_no_more_requests_are_waited_for_than_there_are),
        cmocka_unit_test(test_less_patience_finds_what_is_there_already),
        cmocka_unit_test(test_patience_survives_the_wrap_of_the_used_index),
        cmocka_unit_test(test_without_event_index_every_request_interrupts),
        cmocka_unit_test(test_interrupts_that_were_none_are_no_storm),
        cmocka_unit_test(test_interrupts_before_a_reset_are_not_held_against_the_device),
        cmocka_unit_test(test_a_look_at_a_device_that_lies_breaks_it),
    };
    return cmocka_run_group_tests_name("patience", tests, NULL, NULL);
}
