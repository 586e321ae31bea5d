// SPDX-License-Identifier: Apache-2.0
// The catalogue of hostile devices, third part: what takes more than a row. Storms, bad moments,
// devices that come back as others.
#include "hostile.h"

// ---- Interrupts ---------------------------------------------------------------------------------

static void interrupt_storm(const void *row, uint32_t version)
{
    (void)row;
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

static void configuration_storm(const void *row, uint32_t version)
{
    (void)row;
    struct bench *bench = bench_ready(version);
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

static void size_max_changes(const void *row, uint32_t version)
{
    (void)row;
    struct bench *bench = bench_create(version);
    bench->model.feature_bits |= 2;
    bench->model.size_max = 4096;
    assert_status(bench_attach(bench), NX_OK);
    bench->model.size_max = 2048;
    device_model_raise(&bench->model, 2);
    assert_status(virtio_blk_interrupt(&bench->device), NX_ERR_DEVICE);
    assert_fault(bench, VIRTIO_BLK_FAULT_CONFIG_CHANGED);
    assert_status(bench_settle(bench, virtio_blk_reset(&bench->device, bench->now)), NX_OK);
    serves_again(bench);
    bench_destroy(bench);
}

static void interrupts_without_cause(const void *row, uint32_t version)
{
    (void)row;
    struct bench *bench = bench_ready(version);
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

static void interrupts_during_reset(const void *row, uint32_t version)
{
    (void)row;
    struct bench *bench = bench_ready(version);
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

static void broken_a_hundred_times(const void *row, uint32_t version)
{
    (void)row;
    struct bench *bench = bench_ready(version);
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

// ---- Never completing ---------------------------------------------------------------------------

static void never_completes_again_and_again(const void *row, uint32_t version)
{
    (void)row;
    struct bench *bench = bench_ready(version);
    struct read reads[4];
    bench->model.used_lie.kind = USED_NEVER;
    bench->model.used_lie.repeat = UINT32_MAX;
    for (uint32_t round = 0; round < 20; round++) {
        reads_submit(bench, reads, 4);
        device_model_complete_all(&bench->model);
        uint64_t deadline = virtio_blk_next_deadline(&bench->device);
        assert_true(deadline == bench->now + READ_TIMEOUT);
        assert_status(virtio_blk_expire(&bench->device, deadline - 1), NX_OK);
        bench->now = deadline;
        assert_status(virtio_blk_expire(&bench->device, deadline), NX_ERR_TIMED_OUT);
        assert_status(virtio_blk_reset(&bench->device, bench->now), NX_OK);
        bench_collect(bench);
        for (uint32_t index = 0; index < 4; index++) {
            assert_int_equal(reads[index].times_returned, 1);
            assert_status(reads[index].request.status, NX_ERR_TIMED_OUT);
        }
    }
    assert_int_equal(bench->device.counters.timeouts, 80);
    bench->model.used_lie.kind = USED_HONEST;
    serves_again(bench);
    bench_destroy(bench);
}

static void storm_with_reads_in_flight(const void *row, uint32_t version)
{
    (void)row;
    struct bench *bench = bench_ready(version);
    struct read reads[3];
    reads_submit(bench, reads, 3);
    bench->model.interrupt_stuck = true;
    assert_status(bench_serve(bench), NX_ERR_DEVICE);
    assert_fault(bench, VIRTIO_BLK_FAULT_INTERRUPT_STORM);
    bench_collect(bench);
    assert_int_equal(bench->returned, 0); // not before the reset
    bench->model.interrupt_stuck = false;
    assert_status(virtio_blk_reset(&bench->device, bench->now), NX_OK);
    bench_collect(bench);
    assert_int_equal(bench->returned, 3);
    serves_again(bench);
    bench_destroy(bench);
}

// ---- Resets that do not take, devices that are gone ---------------------------------------------

// The memory of what was in flight stays pinned: only virtio_blk_abandoned gives the answers out.
static void assert_lost(struct bench *bench, uint32_t in_flight)
{
    assert_int_equal(bench->device.state, VIRTIO_BLK_LOST);
    assert_fault(bench, VIRTIO_BLK_FAULT_RESET_STUCK);
    assert_null(virtio_blk_completed(&bench->device));
    for (uint32_t index = 0; index < in_flight; index++) {
        const struct virtio_blk_request *request = virtio_blk_abandoned(&bench->device);
        assert_non_null(request);
        assert_status(request->status, NX_ERR_DEVICE);
    }
    assert_null(virtio_blk_abandoned(&bench->device));
    assert_int_equal(virtio_blk_in_flight(&bench->device), 0);
}

static void reset_never_takes_in_service(const void *row, uint32_t version)
{
    (void)row;
    struct bench *bench = bench_ready(version);
    struct read reads[2];
    reads_submit(bench, reads, 2);
    bench->model.reset_delay = UINT32_MAX;
    uint64_t begun = bench->now;
    assert_status(bench_settle(bench, virtio_blk_reset(&bench->device, bench->now)),
                  NX_ERR_TIMED_OUT);
    assert_true(bench->now - begun >= VIRTIO_BLK_RESET_TIMEOUT_NS);
    assert_lost(bench, 2);
    bench->model.reset_delay = 0;
    assert_status(virtio_blk_reset(&bench->device, bench->now), NX_OK);
    serves_again(bench);
    bench_destroy(bench);
}

static void reset_takes_at_the_second_try(const void *row, uint32_t version)
{
    (void)row;
    struct bench *bench = bench_ready(version);
    struct read reads[2];
    reads_submit(bench, reads, 2);
    bench->model.reset_delay = 1200; // looks, one each millisecond
    assert_status(bench_settle(bench, virtio_blk_reset(&bench->device, bench->now)),
                  NX_ERR_TIMED_OUT);
    assert_int_equal(bench->device.state, VIRTIO_BLK_LOST);
    assert_null(virtio_blk_completed(&bench->device));
    assert_status(bench_settle(bench, virtio_blk_reset(&bench->device, bench->now)), NX_OK);
    bench_collect(bench);
    assert_int_equal(bench->returned, 2);
    serves_again(bench);
    bench_destroy(bench);
}

static void gone_for_good_ones(const void *row, uint32_t version)
{
    (void)row;
    struct bench *bench = bench_ready(version);
    struct read reads[2];
    reads_submit(bench, reads, 2);
    bench->model.gone = GONE_ALL_ONES;
    bench->now += READ_TIMEOUT;
    assert_status(virtio_blk_expire(&bench->device, bench->now), NX_ERR_DEVICE);
    assert_fault(bench, VIRTIO_BLK_FAULT_GONE);
    assert_status(bench_settle(bench, virtio_blk_reset(&bench->device, bench->now)),
                  NX_ERR_TIMED_OUT);
    assert_lost(bench, 2);
    bench_destroy(bench);
}

static void gone_for_good_zeros(const void *row, uint32_t version)
{
    (void)row;
    struct bench *bench = bench_ready(version);
    struct read reads[2];
    reads_submit(bench, reads, 2);
    bench->model.gone = GONE_ZEROS;
    bench->now += READ_TIMEOUT;
    assert_status(virtio_blk_expire(&bench->device, bench->now), NX_ERR_DEVICE);
    assert_fault(bench, VIRTIO_BLK_FAULT_STATUS_LOST);
    assert_status(bench_settle(bench, virtio_blk_reset(&bench->device, bench->now)),
                  NX_ERR_TIMED_OUT);
    device_model_complete_all(&bench->model); // it is not seen any more, and goes on
    assert_lost(bench, 2);
    bench->model.gone = GONE_NOT;
    assert_status(virtio_blk_reset(&bench->device, bench->now), NX_OK);
    serves_again(bench);
    bench_destroy(bench);
}

// ---- Another device after the reset -------------------------------------------------------------

static void comes_back_with_less(const void *row, uint32_t version)
{
    (void)row;
    struct bench *bench = bench_ready(version);
    struct read reads[64];
    struct virtio_blk_info info;
    reads_submit(bench, reads, 64);
    bench->model.feature_bits &= ~F_INDIRECT_AND_EVENT;
    bench->model.queue_num_max = 4;
    assert_status(virtio_blk_reset(&bench->device, bench->now), NX_OK);
    bench_collect(bench);
    assert_int_equal(bench->returned, 64);
    virtio_blk_info(&bench->device, &info);
    assert_int_equal(info.queue_size, 4);
    assert_true((info.features & F_INDIRECT_AND_EVENT) == 0);
    for (uint32_t index = 0; index < 64; index++) {
        assert_status(bench_read(bench, &reads[index]), NX_OK);
        assert_content(bench, &reads[index]);
    }
    bench_destroy(bench);
}

static void comes_back_smaller(const void *row, uint32_t version)
{
    (void)row;
    struct bench *bench = bench_ready(version);
    struct read read;
    read_prepare(&read, 60000, 8, 0);
    read_submit(bench, &read);
    virtio_blk_kick(&bench->device);
    bench->model.pending_count = 0;
    bench->model.capacity = 1000;
    assert_status(virtio_blk_reset(&bench->device, bench->now), NX_OK);
    bench_collect(bench);
    assert_status(virtio_blk_submit(&bench->device, &read.request, bench->now),
                  NX_ERR_OUT_OF_RANGE);
    serves_again(bench);
    bench_destroy(bench);
}

static void capacity_shrinks_in_service(const void *row, uint32_t version)
{
    (void)row;
    struct bench *bench = bench_ready(version);
    struct read read;
    bench->model.capacity = 1000;
    bench->model.generation++;
    device_model_raise(&bench->model, 2);
    assert_status(bench_serve(bench), NX_OK);
    read_prepare(&read, 1000, 8, 0);
    assert_status(virtio_blk_submit(&bench->device, &read.request, bench->now),
                  NX_ERR_OUT_OF_RANGE);
    serves_again(bench);
    bench_destroy(bench);
}

static void comes_back_as_a_network_card(const void *row, uint32_t version)
{
    (void)row;
    struct bench *bench = bench_ready(version);
    struct read reads[2];
    reads_submit(bench, reads, 2);
    bench->model.register_lie =
        (struct model_register_lie){.kind = REGISTER_REPLACE, .offset = 0x008, .value = 1};
    uint64_t writes = bench->model.writes;
    assert_status(virtio_blk_reset(&bench->device, bench->now), NX_ERR_UNSUPPORTED);
    assert_fault(bench, VIRTIO_BLK_FAULT_NOT_BLOCK);
    assert_int_equal(bench->model.writes, writes + 1); // the reset, and nothing after it
    bench_collect(bench);
    assert_int_equal(bench->returned, 2);
    bench->model.register_lie.kind = REGISTER_HONEST;
    assert_status(virtio_blk_reset(&bench->device, bench->now), NX_OK);
    serves_again(bench);
    bench_destroy(bench);
}

// ---- Requests in parts --------------------------------------------------------------------------

// A read of two parts, the second of which is answered with the lie.
static void second_part(uint32_t version, struct model_used_lie lie, enum virtio_blk_fault fault)
{
    struct bench *bench = bench_create(version);
    struct read read;
    bench->model.seg_max = 16;
    assert_status(bench_attach(bench), NX_OK);
    bench->model.used_lie = lie;
    read_prepare_scattered(&read, 0, 256, 32);
    read_submit(bench, &read);
    virtio_blk_kick(&bench->device);
    device_model_complete_all(&bench->model);
    assert_status(bench_serve(bench), NX_OK);
    assert_int_equal(bench->model.pending_count, 1);
    assert_null(virtio_blk_completed(&bench->device));
    device_model_complete_all(&bench->model);
    assert_status(bench_serve(bench), NX_ERR_DEVICE);
    assert_fault(bench, fault);
    assert_status(virtio_blk_reset(&bench->device, bench->now), NX_OK);
    bench_collect(bench);
    assert_int_equal(read.times_returned, 1);
    assert_status(read.request.status, NX_ERR_DEVICE);
    bench->model.used_lie.kind = USED_HONEST;
    assert_status(bench_read(bench, &read), NX_OK);
    assert_content(bench, &read);
    bench_destroy(bench);
}

static void second_part_short(const void *row, uint32_t version)
{
    (void)row;
    second_part(version, (struct model_used_lie){USED_LENGTH_ADD, UINT32_MAX, 1, 1},
                VIRTIO_BLK_FAULT_USED_SHORT);
}

// The byte of the first part must not do for the second.
static void second_part_without_status(const void *row, uint32_t version)
{
    (void)row;
    second_part(version, (struct model_used_lie){USED_NO_STATUS, 0, 1, 1},
                VIRTIO_BLK_FAULT_STATUS_MISSING);
}

static void second_part_too_long(const void *row, uint32_t version)
{
    (void)row;
    second_part(version, (struct model_used_lie){USED_LENGTH_ADD, 1, 1, 1},
                VIRTIO_BLK_FAULT_USED_LENGTH);
}

// ---- The table ----------------------------------------------------------------------------------

static const struct life_case life_cases[] = {
    {"interrupt line stuck", "broken: `interrupt-storm` after 1,001", interrupt_storm},
    {"interrupt line stuck with reads in flight",
     "broken: `interrupt-storm`; reads come back once, by a reset", storm_with_reads_in_flight},
    {"size_max changes in service", "broken: `config-changed`", size_max_changes},
    {"configuration interrupts without end", "broken: `interrupt-storm` after 1,001",
     configuration_storm},
    {"interrupts without completion between reads", "counted; every read is right",
     interrupts_without_cause},
    {"interrupts while it is being reset", "acknowledged; no read comes back early",
     interrupts_during_reset},
    {"never completes, 20 resets long",
     "broken: `request-timeout` at each deadline; reads come back once each time",
     never_completes_again_and_again},
    {"reset does not take while reads are in flight", "lost: `reset-stuck`; memory stays pinned",
     reset_never_takes_in_service},
    {"reset takes at the second try", "lost: `reset-stuck`, then used; reads come back once",
     reset_takes_at_the_second_try},
    {"disappears for good, reading all ones", "broken: `gone`, then lost: `reset-stuck`",
     gone_for_good_ones},
    {"disappears for good, reading 0", "broken: `status-lost`, then lost: `reset-stuck`",
     gone_for_good_zeros},
    {"comes back from a reset with fewer features and a shorter queue",
     "used; reads come back once", comes_back_with_less},
    {"comes back from a reset with a smaller capacity", "reads past it are out of range",
     comes_back_smaller},
    {"comes back from a reset as a network card", "refused: `not-block`; nothing is written to it",
     comes_back_as_a_network_card},
    {"capacity shrinks in service", "reads past it are out of range", capacity_shrinks_in_service},
    {"used.len too small in a read's second part",
     "broken: `used-short`; the read comes back once, as failed", second_part_short},
    {"used.len too large in a read's second part",
     "broken: `used-length`; the read comes back once, as failed", second_part_too_long},
    {"no status byte in a read's second part",
     "broken: `status-missing`; the read comes back once, as failed", second_part_without_status},
    {"breaks the protocol a hundred times", "reset each time; every second read is right",
     broken_a_hundred_times},
};

size_t hostile_life_cases(struct hostile_case *cases)
{
    return life_cases_fill(cases, life_cases, sizeof(life_cases) / sizeof(life_cases[0]));
}
