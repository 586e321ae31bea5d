// SPDX-License-Identifier: Apache-2.0
// The catalogue of hostile devices, fourth part: what a device does to the rings at another moment
// than a completion.
#include "hostile.h"

#include <stdatomic.h>
#include <string.h>

#define FLICKERS_MAX 64u // looks: a driver that goes on for longer would go on for ever

// Both transports have it in the second page.
static uint8_t *used_ring(const struct bench *bench)
{
    return bench->rings + PAGE;
}

// ---- What the driver may send -------------------------------------------------------------------

static void kicks_refused_by_event(const void *row, uint32_t version)
{
    (void)row;
    struct bench *bench = bench_ready(version);
    struct read read;
    // avail_event far away: the device never wants to hear of anything.
    uint16_t far_away = 0x7fff;
    memcpy(used_ring(bench) + 4 + 8 * 128, &far_away, sizeof(far_away));
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

static void kicks_refused_by_flag(const void *row, uint32_t version)
{
    (void)row;
    struct bench *bench = bench_create(version);
    struct read read;
    const uint16_t no_notify = 1;
    bench->model.feature_bits &= ~F_INDIRECT_AND_EVENT;
    assert_status(bench_attach(bench), NX_OK);
    memcpy(used_ring(bench), &no_notify, sizeof(no_notify));
    reads_submit(bench, &read, 1);
    assert_int_equal(bench->model.notifications, 0);
    assert_status(virtio_blk_expire(&bench->device, bench->now + READ_TIMEOUT), NX_ERR_TIMED_OUT);
    assert_fault(bench, VIRTIO_BLK_FAULT_REQUEST_TIMEOUT);
    assert_status(virtio_blk_reset(&bench->device, bench->now), NX_OK);
    bench_collect(bench);
    assert_status(read.request.status, NX_ERR_TIMED_OUT);
    serves_again(bench);
    bench_destroy(bench);
}

// ---- What the driver reads ----------------------------------------------------------------------

static void scribbles_over_descriptors(const void *row, uint32_t version)
{
    (void)row;
    struct bench *bench = bench_create(version);
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

static void used_index_back(const void *row, uint32_t version)
{
    (void)row;
    struct bench *bench = bench_ready(version);
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
    memcpy(used_ring(bench) + 2, &back, sizeof(back));
    device_model_raise(&bench->model, 1);
    assert_status(bench_serve(bench), NX_ERR_DEVICE);
    assert_fault(bench, VIRTIO_BLK_FAULT_USED_INDEX);
    assert_status(virtio_blk_reset(&bench->device, bench->now), NX_OK);
    bench_collect(bench);
    assert_int_equal(bench->returned, 3);
    bench_destroy(bench);
}

// Within bounds, but two of the three elements were never written.
static void used_index_jumps_to_all_in_flight(const void *row, uint32_t version)
{
    (void)row;
    struct bench *bench = bench_ready(version);
    struct read reads[3];
    const uint16_t all = 3;
    reads_submit(bench, reads, 3);
    device_model_complete(&bench->model, 0);
    memcpy(used_ring(bench) + 2, &all, sizeof(all));
    assert_status(bench_serve(bench), NX_ERR_DEVICE);
    assert_fault(bench, VIRTIO_BLK_FAULT_USED_ID_STALE);
    bench_collect(bench);
    assert_int_equal(bench->returned, 1);
    assert_status(virtio_blk_reset(&bench->device, bench->now), NX_OK);
    bench_collect(bench);
    assert_int_equal(bench->returned, 3);
    serves_again(bench);
    bench_destroy(bench);
}

static void used_id_inside_chain(const void *row, uint32_t version)
{
    (void)row;
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

struct flicker {
    uint8_t *index; // used.idx
    uint32_t looks;
};

// Every second look finds an element more, which the next one does not.
static void index_flickers(void *context, const volatile void *looked_at)
{
    struct flicker *flicker = context;
    if (looked_at == flicker->index) {
        uint16_t index = flicker->looks < FLICKERS_MAX ? flicker->looks % 2 : 0;
        flicker->looks++;
        memcpy(flicker->index, &index, sizeof(index));
    }
}

// None, then one after the driver has asked for an interrupt, then none again: without a bound the
// driver would look until the device lets it go.
static void used_index_flickers(const void *row, uint32_t version)
{
    (void)row;
    struct bench *bench = bench_ready(version);
    struct read read;
    reads_submit(bench, &read, 1);
    struct flicker flicker = {.index = used_ring(bench) + 2};
    memory_watch = (struct memory_watch){index_flickers, &flicker};
    device_model_raise(&bench->model, 1);
    enum nx_status status = bench_serve(bench);
    memory_watch = (struct memory_watch){0};
    assert_status(status, NX_ERR_DEVICE);
    assert_fault(bench, VIRTIO_BLK_FAULT_USED_INDEX);
    assert_int_equal(flicker.looks, 3);
    assert_status(virtio_blk_reset(&bench->device, bench->now), NX_OK);
    bench_collect(bench);
    assert_int_equal(read.times_returned, 1);
    assert_status(read.request.status, NX_ERR_DEVICE);
    serves_again(bench);
    bench_destroy(bench);
}

// ---- The table ----------------------------------------------------------------------------------

static const struct life_case ring_cases[] = {
    {"avail_event that refuses kicks", "broken: `request-timeout`", kicks_refused_by_event},
    {"NO_NOTIFY without an end", "broken: `request-timeout`", kicks_refused_by_flag},
    {"scribbles over descriptors and available ring", "every read comes back",
     scribbles_over_descriptors},
    {"used.idx goes back after reads were taken", "broken: `used-index`", used_index_back},
    {"used.idx jumps to all that is in flight, with one element written",
     "broken: `used-id-stale`; reads come back once", used_index_jumps_to_all_in_flight},
    {"used.id in the middle of a chain", "broken: `used-id-stale`", used_id_inside_chain},
    {"used.idx moves on and back between looks", "broken: `used-index` at the third look",
     used_index_flickers},
};

size_t hostile_ring_cases(struct hostile_case *cases)
{
    return life_cases_fill(cases, ring_cases, sizeof(ring_cases) / sizeof(ring_cases[0]));
}
