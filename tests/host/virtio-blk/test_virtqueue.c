// SPDX-License-Identifier: Apache-2.0
// The split queue by itself: layout, free list, and the two moments where a notification can be
// lost. The device's side of the memory is written by hand.
#include "fixture.h"

#include <stdlib.h>
#include <string.h>

static _Alignas(PAGE) uint8_t memory[VIRTQUEUE_MAX_BYTES];

static void device_puts_used(struct virtqueue *queue, uint16_t index, uint32_t id)
{
    queue->used->ring[(uint16_t)(index - 1) % queue->size].id = id;
    queue->used->ring[(uint16_t)(index - 1) % queue->size].len = 1;
    queue->used->idx = index;
}

static void test_layout_is_what_a_legacy_device_computes(void **state)
{
    (void)state;
    for (uint32_t size = 4; size <= VIRTQUEUE_MAX_SIZE; size *= 2) {
        struct virtqueue_layout layout = virtqueue_layout((uint16_t)size);
        // Section 2.7.2, vring_size(), with align 4096.
        uint32_t used = (16 * size + 2 * (3 + size) + 4095) & ~4095u;
        assert_int_equal(layout.descriptors, 0);
        assert_int_equal(layout.available, 16 * size);
        assert_int_equal(layout.used, used);
        assert_int_equal(layout.length, used + 6 + 8 * size);
    }
}

static void test_chains_of_all_lengths_come_and_go_without_loss(void **state)
{
    (void)state;
    struct virtqueue queue;
    uint16_t heads[64];
    uint32_t held = 0;
    uint64_t random = 1;
    virtqueue_init(&queue, 64, memory, false);
    for (uint32_t turn = 0; turn < 20000; turn++) {
        random = random * UINT64_C(6364136223846793005) + 1442695040888963407u;
        uint32_t choice = (uint32_t)(random >> 33);
        uint16_t free_before = queue.free_count;
        if (choice % 2 == 0) {
            uint16_t count = (uint16_t)(choice / 2 % 9 + 1);
            enum nx_status expected = count <= free_before ? NX_OK : NX_ERR_BUSY;
            assert_status(virtqueue_reserve(&queue, count, &heads[held]), expected);
            held += expected == NX_OK ? 1 : 0;
        } else if (held > 0) {
            uint32_t which = choice / 2 % held;
            virtqueue_release(&queue, heads[which]);
            held--;
            heads[which] = heads[held];
        }
    }
    while (held > 0) {
        held--;
        virtqueue_release(&queue, heads[held]);
    }
    // Every descriptor is back, exactly once.
    bool seen[64] = {false};
    assert_int_equal(queue.free_count, 64);
    for (uint32_t index = 0; index < 64; index++) {
        assert_status(virtqueue_reserve(&queue, 1, &heads[0]), NX_OK);
        assert_false(seen[heads[0]]);
        seen[heads[0]] = true;
    }
    assert_status(virtqueue_reserve(&queue, 1, &heads[0]), NX_ERR_BUSY);
}

// An element that arrives between the last look and the request for an interrupt causes none.
static void test_rearm_sees_an_element_that_causes_no_interrupt(void **state)
{
    (void)state;
    for (int event_index = 0; event_index < 2; event_index++) {
        struct virtqueue queue;
        struct virtqueue_completion completion;
        uint16_t heads[2];
        virtqueue_init(&queue, 8, memory, event_index == 1);
        for (int index = 0; index < 2; index++) {
            assert_status(virtqueue_reserve(&queue, 1, &heads[index]), NX_OK);
            virtqueue_publish(&queue, heads[index]);
        }
        device_puts_used(&queue, 1, heads[0]);
        assert_int_equal(virtqueue_take(&queue, &completion), VIRTQUEUE_TAKEN);
        assert_int_equal(virtqueue_take(&queue, &completion), VIRTQUEUE_EMPTY);
        device_puts_used(&queue, 2, heads[1]);
        assert_true(virtqueue_rearm(&queue, 1));
        assert_int_equal(virtqueue_take(&queue, &completion), VIRTQUEUE_TAKEN);
        assert_int_equal(completion.head, heads[1]);
        assert_false(virtqueue_rearm(&queue, 1));
        assert_int_equal(*queue.used_event, event_index == 1 ? 2 : 0);
    }
}

static void test_a_kick_is_due_when_avail_event_was_passed(void **state)
{
    (void)state;
    static const struct {
        uint16_t start; // avail.idx before
        uint16_t published;
        uint16_t event;
        bool due;
    } rows[] = {
        {0, 1, 0, true},     {0, 1, 1, false},        {0, 3, 2, true},
        {0, 3, 3, false},    {5, 1, 4, false},        {65534, 4, 65535, true},
        {65534, 4, 1, true}, {65534, 4, 2, false},    {65534, 4, 65533, false},
        {0, 0, 0, false},    {65535, 1, 65535, true}, {65535, 1, 0, false},
    };
    for (size_t row = 0; row < sizeof(rows) / sizeof(rows[0]); row++) {
        struct virtqueue queue;
        uint16_t head;
        virtqueue_init(&queue, 8, memory, true);
        queue.avail_index = rows[row].start;
        queue.kicked_index = rows[row].start;
        *queue.avail_event = rows[row].event;
        for (uint16_t index = 0; index < rows[row].published; index++) {
            assert_status(virtqueue_reserve(&queue, 1, &head), NX_OK);
            virtqueue_publish(&queue, head);
        }
        assert_int_equal(virtqueue_kick_due(&queue), rows[row].due);
        assert_false(virtqueue_kick_due(&queue));
    }
}

static void test_without_event_index_the_device_says_no_notify(void **state)
{
    (void)state;
    struct virtqueue queue;
    uint16_t head;
    virtqueue_init(&queue, 8, memory, false);
    assert_status(virtqueue_reserve(&queue, 1, &head), NX_OK);
    queue.used->flags = 1;
    virtqueue_publish(&queue, head);
    assert_false(virtqueue_kick_due(&queue));
    queue.used->flags = 0;
    assert_status(virtqueue_reserve(&queue, 1, &head), NX_OK);
    virtqueue_publish(&queue, head);
    assert_true(virtqueue_kick_due(&queue));
}

int run_virtqueue(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_layout_is_what_a_legacy_device_computes),
        cmocka_unit_test(test_chains_of_all_lengths_come_and_go_without_loss),
        cmocka_unit_test(test_rearm_sees_an_element_that_causes_no_interrupt),
        cmocka_unit_test(test_a_kick_is_due_when_avail_event_was_passed),
        cmocka_unit_test(test_without_event_index_the_device_says_no_notify),
    };
    return cmocka_run_group_tests_name("virtqueue", tests, NULL, NULL);
}
