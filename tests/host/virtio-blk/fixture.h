// SPDX-License-Identifier: Apache-2.0
// What every virtio-blk test stands on: one driver, one device model, client memory, a clock.
#ifndef TESTS_VIRTIO_BLK_FIXTURE_H
#define TESTS_VIRTIO_BLK_FIXTURE_H

#include "device_model.h"
#include "storage/virtio-blk/virtio_blk.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
// cmocka.h wants the four above first.
#include <cmocka.h>

#define PAGE         4096u
#define ARENA_PAGES  1024u
#define RINGS_BUS    UINT64_C(0x80200000)
#define ARENA_BUS    UINT64_C(0x90000000)
#define READ_TIMEOUT UINT64_C(5000000) // ns

struct bench {
    struct device_model model;
    struct virtio_blk device;
    uint8_t *rings;
    uint8_t *arena; // client memory
    uint64_t now;
    uint64_t interrupts_served;
    uint64_t fences;
    uint32_t returned; // requests taken from the library
};

struct read {
    struct virtio_blk_request request;
    struct virtio_blk_segment segments[VIRTIO_BLK_MAX_SEGMENTS + 1];
    uint32_t times_returned;
};

// A bench with a correct device that is not attached yet. `version` 1 or 2.
struct bench *bench_create(uint32_t version);
// Fails the test if the driver broke a rule of the spec.
void bench_destroy(struct bench *bench);

// Attaches, waits out a slow reset, and returns the final status.
enum nx_status bench_attach(struct bench *bench);
// Finishes a reset that returned `status`, at 1 ms a step.
enum nx_status bench_settle(struct bench *bench, enum nx_status status);
// bench_create and bench_attach, which must succeed.
struct bench *bench_ready(uint32_t version);

// A read of `count` sectors into contiguous client memory from `page` on.
void read_prepare(struct read *read, uint64_t sector, uint32_t count, uint32_t page);
// The same into `pieces` equal pieces, no two of them adjacent in memory.
void read_prepare_scattered(struct read *read, uint64_t sector, uint32_t count, uint32_t pieces);
void read_submit(struct bench *bench, struct read *read);

// Serves interrupts while the line is up, at most 10,000; returns the last status.
enum nx_status bench_serve(struct bench *bench);
// Takes what came back and marks it.
void bench_collect(struct bench *bench);
// submit, kick, complete, serve, collect; the request's status.
enum nx_status bench_read(struct bench *bench, struct read *read);

// The client memory behind the read holds the disk's content / was not touched.
void assert_content(struct bench *bench, const struct read *read);
void assert_untouched(struct bench *bench, const struct read *read);
void arena_poison(struct bench *bench);

#define assert_status(actual, expected) assert_int_equal((int)(actual), (int)(expected))
#define assert_fault(bench, expected)                                                              \
    assert_string_equal(virtio_blk_fault_name((bench)->device.fault),                              \
                        virtio_blk_fault_name(expected))

// The groups of checks; each returns the number of failed ones.
int run_virtqueue(void);
int run_reads(void);
int run_patience(void);
int run_life_cycle(void);
int run_refusals(void);
int run_hostile(void);

// The table of hostile devices, as Markdown.
void hostile_print(void);

#endif
