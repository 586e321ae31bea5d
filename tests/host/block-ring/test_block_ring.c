// SPDX-License-Identifier: Apache-2.0
// The rings of queued reads: order, wrap-around of ring and index, who is told when, clients that
// lie, and two threads that sleep whenever they may.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <pthread.h>
#include <semaphore.h>

#include "block/block_ring.h"

// As large as the shared page is not: whatever goes past the rings is found.
static struct block_ring *ring;
static struct block_ring_server server;

static int prepare(void **state)
{
    (void)state;
    ring = calloc(1, sizeof(*ring));
    server = (struct block_ring_server){.ring = ring};
    return ring != NULL ? 0 : -1;
}

static int end(void **state)
{
    (void)state;
    free(ring);
    return 0;
}

// Both sides agree that the rings have come to `index`.
static void start_at(uint32_t index)
{
    atomic_store(&ring->submit_index, index);
    atomic_store(&ring->submit_event, index);
    atomic_store(&ring->completion_index, index);
    server.submit_index = index;
    server.completion_index = index;
    server.published_index = index;
}

static struct block_ring_entry entry_of(uint32_t number)
{
    return (struct block_ring_entry){
        .lba = number * UINT64_C(0x100000001),
        .offset = ~(uint64_t)number,
        .count = number + 1,
        .slot = (uint16_t)(number * 7),
        .tag = (uint16_t)number,
    };
}

static void put(uint32_t index, uint32_t number)
{
    const struct block_ring_entry entry = entry_of(number);
    block_ring_put(ring, index, &entry);
}

static void assert_takes(uint32_t number)
{
    struct block_ring_entry wanted = entry_of(number);
    struct block_ring_entry entry;
    assert_true(block_ring_pending(&server) > 0);
    block_ring_take(&server, &entry);
    assert_memory_equal(&entry, &wanted, sizeof(entry));
}

// ---- Order --------------------------------------------------------------------------------------

// Batches of all sizes, from where the index is about to wrap.
static void test_entries_and_answers_come_in_order_across_the_wrap(void **state)
{
    (void)state;
    const uint32_t start = UINT32_MAX - 1000;
    uint32_t sent = 0;
    start_at(start);
    for (uint32_t turn = 0; turn < 2000; turn++) {
        uint32_t batch = turn % BLOCK_RING_DEPTH + 1;
        for (uint32_t i = 0; i < batch; i++) {
            put(start + sent + i, sent + i);
        }
        assert_int_equal(block_ring_pending(&server), 0);
        (void)block_ring_publish(ring, start + sent, start + sent + batch);
        assert_int_equal(block_ring_pending(&server), batch);
        for (uint32_t i = 0; i < batch; i++) {
            assert_takes(sent + i);
            block_ring_complete(&server, (uint16_t)(sent + i), (uint16_t)turn);
        }
        assert_int_equal(block_ring_answers(ring, start + sent), 0);
        (void)block_ring_publish_answers(&server);
        assert_int_equal(block_ring_answers(ring, start + sent), batch);
        for (uint32_t i = 0; i < batch; i++) {
            uint16_t tag;
            uint16_t status;
            block_ring_answer(ring, start + sent + i, &tag, &status);
            assert_int_equal(tag, (uint16_t)(sent + i));
            assert_int_equal(status, (uint16_t)turn);
        }
        sent += batch;
    }
    assert_true(sent > 1000);
}

static void test_a_full_ring_is_not_an_empty_one(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < BLOCK_RING_DEPTH; i++) {
        put(i, i);
    }
    (void)block_ring_publish(ring, 0, BLOCK_RING_DEPTH);
    assert_int_equal(block_ring_pending(&server), BLOCK_RING_DEPTH);
    for (uint32_t i = 0; i < BLOCK_RING_DEPTH; i++) {
        assert_takes(i);
    }
    assert_int_equal(block_ring_pending(&server), 0);
}

// ---- Telling ------------------------------------------------------------------------------------

static void test_an_event_is_told_when_it_is_passed_and_only_then(void **state)
{
    (void)state;
    static const struct {
        uint32_t event;
        uint32_t before;
        uint32_t after;
        bool passed;
    } rows[] = {
        {0, 0, 1, true},
        {1, 0, 1, false},
        {0, 1, 2, false},
        {2, 0, 3, true},
        {3, 0, 3, false},
        {5, 5, 5, false}, // nothing moved
        {UINT32_MAX, UINT32_MAX, 0, true},
        {0, UINT32_MAX, 0, false},
        {0, UINT32_MAX, 1, true},
        {UINT32_MAX, UINT32_MAX - 3, 2, true},
        {2, UINT32_MAX - 3, 2, false},
        {0x80000000u, 0, 4, false},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_int_equal(block_ring_passes(rows[i].event, rows[i].before, rows[i].after),
                         rows[i].passed);
    }
}

static void test_a_sleeping_service_gets_one_doorbell_for_a_batch(void **state)
{
    (void)state;
    assert_false(block_ring_sleep(&server));
    assert_true(block_ring_publish(ring, 0, 5));
    assert_false(block_ring_publish(ring, 5, 9)); // told already
    assert_true(block_ring_sleep(&server));       // and does not sleep while there is something
    server.submit_index = 9;
    assert_false(block_ring_publish(ring, 9, 9));
    assert_false(block_ring_sleep(&server));
    assert_true(block_ring_publish(ring, 9, 10));
}

static void test_a_client_gets_one_notice_when_as_many_as_it_wants_are_there(void **state)
{
    (void)state;
    start_at(UINT32_MAX - 2);
    assert_false(block_ring_arm(ring, UINT32_MAX - 2, 4));
    assert_int_equal(block_ring_wanted(&server), 4);
    for (uint32_t i = 0; i < 3; i++) {
        block_ring_complete(&server, 0, 0);
        assert_false(block_ring_publish_answers(&server));
        assert_int_equal(block_ring_wanted(&server), 3 - i);
    }
    block_ring_complete(&server, 0, 0);
    assert_true(block_ring_publish_answers(&server));
    assert_int_equal(block_ring_wanted(&server), 0); // it is awake
    block_ring_complete(&server, 0, 0);
    assert_false(block_ring_publish_answers(&server));
    assert_true(block_ring_arm(ring, UINT32_MAX - 2, 5)); // there already
    assert_false(block_ring_arm(ring, UINT32_MAX - 2, 6));
}

// ---- Lies ---------------------------------------------------------------------------------------

static void test_an_index_that_jumps_is_seen(void **state)
{
    (void)state;
    const uint32_t jumps[] = {BLOCK_RING_DEPTH + 1, 1000, 0x7fffffff, 0x80000000u, UINT32_MAX};
    for (size_t i = 0; i < sizeof(jumps) / sizeof(jumps[0]); i++) {
        atomic_store(&ring->submit_index, server.submit_index + jumps[i]);
        assert_true(block_ring_pending(&server) > BLOCK_RING_DEPTH);
    }
}

static void test_what_was_taken_does_not_change_any_more(void **state)
{
    (void)state;
    const struct block_ring_entry wanted = entry_of(3);
    struct block_ring_entry entry;
    put(0, 3);
    (void)block_ring_publish(ring, 0, 1);
    block_ring_take(&server, &entry);
    memset(ring->entries, 0xff, sizeof(ring->entries));
    assert_memory_equal(&entry, &wanted, sizeof(entry));
}

// Whatever the page says, the service writes where it should and reads where it may.
static void test_nonsense_in_the_page_stays_there(void **state)
{
    (void)state;
    uint32_t *words = (uint32_t *)(void *)ring;
    uint64_t random = 1;
    for (uint32_t turn = 0; turn < 20000; turn++) {
        struct block_ring_entry entry;
        for (uint32_t i = 0; i < 8; i++) {
            random = random * UINT64_C(6364136223846793005) + 1442695040888963407u;
            words[(random >> 40) % (sizeof(*ring) / sizeof(words[0]))] = (uint32_t)(random >> 20);
        }
        uint32_t taken = server.submit_index;
        uint32_t answered = server.completion_index;
        if (block_ring_pending(&server) <= BLOCK_RING_DEPTH) {
            for (uint32_t left = block_ring_pending(&server); left > 0; left--) {
                block_ring_take(&server, &entry);
                block_ring_complete(&server, entry.tag, 0);
            }
        }
        assert_true(server.submit_index - taken <= BLOCK_RING_DEPTH);
        assert_int_equal(server.completion_index - answered, server.submit_index - taken);
        (void)block_ring_publish_answers(&server);
        assert_true(block_ring_wanted(&server) <= BLOCK_RING_DEPTH);
        (void)block_ring_sleep(&server);
    }
}

// ---- Sleeping -----------------------------------------------------------------------------------

#define READS      200000u
#define IN_FLIGHT  (BLOCK_RING_DEPTH / 2)
#define CLIENT_LAG 3u // wants several answers at a time

static sem_t doorbell;
static sem_t notice;

// Takes everything that comes and answers it; sleeps when there is nothing.
static void *serve_all(void *context)
{
    (void)context;
    uint32_t served = 0;
    while (served < READS) {
        if (block_ring_pending(&server) == 0) {
            if (!block_ring_sleep(&server)) {
                sem_wait(&doorbell);
            }
            continue;
        }
        struct block_ring_entry entry;
        block_ring_take(&server, &entry);
        block_ring_complete(&server, entry.tag, (uint16_t)entry.lba);
        served++;
        if (served % 5 == 0 || block_ring_pending(&server) == 0) {
            if (block_ring_publish_answers(&server)) {
                sem_post(&notice);
            }
        }
    }
    if (block_ring_publish_answers(&server)) {
        sem_post(&notice);
    }
    return NULL;
}

// A lost wake-up is a test that never ends: meson's time-out is the judge.
static void test_no_wake_up_is_lost_between_two_threads(void **state)
{
    (void)state;
    pthread_t thread;
    uint32_t sent = 0;
    uint32_t taken = 0;
    assert_int_equal(sem_init(&doorbell, 0, 0), 0);
    assert_int_equal(sem_init(&notice, 0, 0), 0);
    assert_int_equal(pthread_create(&thread, NULL, serve_all, NULL), 0);
    while (taken < READS) {
        uint32_t before = sent;
        while (sent < READS && sent - taken < IN_FLIGHT) {
            put(sent, sent);
            sent++;
        }
        if (sent != before && block_ring_publish(ring, before, sent)) {
            sem_post(&doorbell);
        }
        uint32_t wanted = sent - taken < CLIENT_LAG ? sent - taken : CLIENT_LAG;
        while (block_ring_answers(ring, taken) < wanted) {
            if (!block_ring_arm(ring, taken, wanted)) {
                sem_wait(&notice);
            }
        }
        for (uint32_t left = block_ring_answers(ring, taken); left > 0; left--) {
            uint16_t tag;
            uint16_t status;
            block_ring_answer(ring, taken, &tag, &status);
            assert_int_equal(tag, (uint16_t)taken);
            assert_int_equal(status, (uint16_t)entry_of(taken).lba);
            taken++;
        }
    }
    pthread_join(thread, NULL);
    sem_destroy(&doorbell);
    sem_destroy(&notice);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, prepare, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_entries_and_answers_come_in_order_across_the_wrap),
        TEST(test_a_full_ring_is_not_an_empty_one),
        TEST(test_an_event_is_told_when_it_is_passed_and_only_then),
        TEST(test_a_sleeping_service_gets_one_doorbell_for_a_batch),
        TEST(test_a_client_gets_one_notice_when_as_many_as_it_wants_are_there),
        TEST(test_an_index_that_jumps_is_seen),
        TEST(test_what_was_taken_does_not_change_any_more),
        TEST(test_nonsense_in_the_page_stays_there),
        TEST(test_no_wake_up_is_lost_between_two_threads),
    };
    return cmocka_run_group_tests_name("block-ring", tests, NULL, NULL);
}
