// SPDX-License-Identifier: Apache-2.0
// What every virtio-blk test stands on. See fixture.h.
#include "fixture.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define POISON 0xee

struct memory_watch memory_watch;

static uint32_t bench_read32(void *context, uint32_t offset)
{
    struct bench *bench = context;
    return device_model_read(&bench->model, offset);
}

static void bench_write32(void *context, uint32_t offset, uint32_t value)
{
    struct bench *bench = context;
    device_model_write(&bench->model, offset, value);
}

static void bench_fence(void *context)
{
    struct bench *bench = context;
    bench->fences++;
    atomic_thread_fence(memory_order_seq_cst);
}

static const struct virtio_blk_ops bench_ops = {
    .read32 = bench_read32,
    .write32 = bench_write32,
    .fence = bench_fence,
};

struct bench *bench_create(uint32_t version)
{
    struct bench *bench = calloc(1, sizeof(*bench));
    assert_non_null(bench);
    memory_watch = (struct memory_watch){0}; // a test that failed may have left its own
    bench->rings = aligned_alloc(PAGE, VIRTIO_BLK_DMA_BYTES);
    bench->arena = aligned_alloc(PAGE, ARENA_PAGES * PAGE);
    assert_non_null(bench->rings);
    assert_non_null(bench->arena);
    // Memory from the kernel is not always clean: the driver must not count on it.
    memset(bench->rings, POISON, VIRTIO_BLK_DMA_BYTES);
    arena_poison(bench);
    bench->now = 1000;
    device_model_init(&bench->model, version);
    device_model_map(&bench->model, RINGS_BUS, bench->rings, VIRTIO_BLK_DMA_BYTES);
    device_model_map(&bench->model, ARENA_BUS, bench->arena, ARENA_PAGES * PAGE);
    return bench;
}

void bench_destroy(struct bench *bench)
{
    assert_string_equal(bench->model.complaint, "");
    free(bench->rings);
    free(bench->arena);
    free(bench);
}

enum nx_status bench_settle(struct bench *bench, enum nx_status status)
{
    for (int step = 0; step < 2000 && status == NX_ERR_BUSY; step++) {
        bench->now += 1000000;
        status = virtio_blk_advance(&bench->device, bench->now);
    }
    return status;
}

enum nx_status bench_attach(struct bench *bench)
{
    const struct virtio_blk_dma dma = {
        .address = bench->rings, .bus_address = RINGS_BUS, .length = VIRTIO_BLK_DMA_BYTES};
    return bench_settle(bench,
                        virtio_blk_attach(&bench->device, &bench_ops, bench, &dma, bench->now));
}

struct bench *bench_ready(uint32_t version)
{
    struct bench *bench = bench_create(version);
    assert_status(bench_attach(bench), NX_OK);
    assert_int_equal(bench->device.state, VIRTIO_BLK_READY);
    return bench;
}

void read_prepare(struct read *read, uint64_t sector, uint32_t count, uint32_t page)
{
    memset(read, 0, sizeof(*read));
    read->segments[0].bus_address = ARENA_BUS + (uint64_t)page * PAGE;
    read->segments[0].length = count * 512;
    read->request.first_sector = sector;
    read->request.sector_count = count;
    read->request.segments = read->segments;
    read->request.segment_count = 1;
    read->request.timeout_ns = READ_TIMEOUT;
    read->request.cookie = read;
}

void read_prepare_scattered(struct read *read, uint64_t sector, uint32_t count, uint32_t pieces)
{
    read_prepare(read, sector, count, 0);
    read->request.segment_count = pieces;
    for (uint32_t index = 0; index < pieces; index++) {
        // Descending and with gaps, so that no two pieces are neighbours.
        read->segments[index].bus_address =
            ARENA_BUS + (uint64_t)(ARENA_PAGES - 16 * (index + 1)) * PAGE;
        read->segments[index].length = count * 512 / pieces;
    }
}

void read_submit(struct bench *bench, struct read *read)
{
    assert_status(virtio_blk_submit(&bench->device, &read->request, bench->now), NX_OK);
}

enum nx_status bench_serve(struct bench *bench)
{
    enum nx_status status = NX_OK;
    for (int turn = 0; turn < 10000 && device_model_line(&bench->model); turn++) {
        bench->interrupts_served++;
        status = virtio_blk_interrupt(&bench->device);
        if (status != NX_OK) {
            break;
        }
    }
    return status;
}

void bench_collect(struct bench *bench)
{
    struct virtio_blk_request *request;
    while ((request = virtio_blk_completed(&bench->device)) != NULL) {
        struct read *read = request->cookie;
        assert_ptr_equal(&read->request, request);
        read->times_returned++;
        bench->returned++;
    }
}

enum nx_status bench_read(struct bench *bench, struct read *read)
{
    uint32_t before = read->times_returned;
    read_submit(bench, read);
    virtio_blk_kick(&bench->device);
    while (bench->model.pending_count > 0 || device_model_line(&bench->model)) {
        device_model_complete_all(&bench->model);
        if (bench_serve(bench) != NX_OK) {
            break;
        }
    }
    bench_collect(bench);
    assert_int_equal(read->times_returned, before + 1);
    return read->request.status;
}

void assert_content(struct bench *bench, const struct read *read)
{
    uint64_t done = 0;
    for (uint32_t index = 0; index < read->request.segment_count; index++) {
        const uint8_t *at = bench->arena + (read->segments[index].bus_address - ARENA_BUS);
        for (uint32_t offset = 0; offset < read->segments[index].length; offset += 8, done += 8) {
            uint64_t word;
            memcpy(&word, at + offset, 8);
            uint64_t expected = device_model_word(read->request.first_sector + done / 512,
                                                  (uint32_t)(done % 512 / 8));
            if (word != expected) {
                fail_msg("sector %llu byte %llu: wrong content",
                         (unsigned long long)(read->request.first_sector + done / 512),
                         (unsigned long long)(done % 512));
            }
        }
    }
}

void assert_untouched(struct bench *bench, const struct read *read)
{
    for (uint32_t index = 0; index < read->request.segment_count; index++) {
        const uint8_t *at = bench->arena + (read->segments[index].bus_address - ARENA_BUS);
        for (uint32_t offset = 0; offset < read->segments[index].length; offset++) {
            assert_int_equal(at[offset], POISON);
        }
    }
}

void arena_poison(struct bench *bench)
{
    memset(bench->arena, POISON, ARENA_PAGES * PAGE);
}
