// SPDX-License-Identifier: Apache-2.0
// How batches of queued reads reach virtioblkd's device, and how many of them a client may have.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "world.h"

// The kicks that a batch of so many reads takes, which then end.
static uint64_t kicks_of(struct client *client, uint32_t slot, uint32_t reads, uint32_t sectors)
{
    uint64_t kicks = world->service.device.counters.kicks;
    for (uint32_t i = 0; i < reads; i++) {
        client_read(client, slot, sectors);
    }
    assert_int_equal(settle(), NX_OK);
    assert_int_equal(client->session->in_flight, reads);
    kicks = world->service.device.counters.kicks - kicks;
    device_model_complete_all(&world->model);
    assert_int_equal(reads_interrupt(&world->service), NX_OK);
    assert_int_equal(settle(), NX_OK);
    assert_int_equal(client->session->in_flight, 0);
    return kicks;
}

static void test_a_long_batch_goes_to_the_device_in_two_halves(void **state)
{
    (void)state;
    struct client client;
    nx_handle memory;
    assert_int_equal(nx_memory_create(VIRTIO_BLK_MAX_SECTORS * VIRTIO_BLK_SECTOR_BYTES, 0, &memory),
                     NX_OK);
    client_open(&client);
    uint32_t slot = client_attach(&client, memory);
    assert_int_equal(kicks_of(&client, slot, 8, VIRTIO_BLK_MAX_SECTORS), 1); // a guess, at first
    assert_int_equal(kicks_of(&client, slot, 8, VIRTIO_BLK_MAX_SECTORS), 2);
    assert_int_equal(kicks_of(&client, slot, 2, VIRTIO_BLK_MAX_SECTORS), 1);
    assert_int_equal(kicks_of(&client, slot, 5, VIRTIO_BLK_MAX_SECTORS), 2);
    assert_int_equal(kicks_of(&client, slot, 1, READ_SECTORS), 1);
    assert_int_equal(kicks_of(&client, slot, 32, READ_SECTORS), 1);
}

// Refused entries take up nothing but their places in the ring. A client that filled it again while
// the service refuses would never let it go.
static void test_a_client_that_puts_in_more_than_it_has_answers_for_is_cut_off(void **state)
{
    (void)state;
    struct client client;
    client_open(&client);
    for (uint32_t round = 0; round < 3; round++) {
        for (uint32_t i = 0; i < BLOCK_RING_DEPTH; i++) {
            client_read(&client, 0, 0);
        }
        assert_int_equal(settle(), NX_OK); // the answers are shown
        assert_false(client.session->broken);
    }
    for (uint32_t i = 0; i < BLOCK_RING_DEPTH; i++) {
        client_read(&client, 0, 0);
    }
    queues_take(&world->service); // they are not, yet
    assert_false(client.session->broken);
    client_read(&client, 0, 0);
    queues_take(&world->service);
    assert_true(client.session->broken);
    assert_int_equal(client.session->ring.submit_index, 4 * BLOCK_RING_DEPTH);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_long_batch_goes_to_the_device_in_two_halves,
                                        world_begin, world_end),
        cmocka_unit_test_setup_teardown(
            test_a_client_that_puts_in_more_than_it_has_answers_for_is_cut_off, world_begin,
            world_end),
    };
    return cmocka_run_group_tests_name("virtioblkd batches", tests, NULL, NULL);
}
