// SPDX-License-Identifier: Apache-2.0
// What becomes of memory when virtioblkd's device does not answer: while the device may still write
// to it, because no reset has taken (LOST), its handle stays; once a reset has taken, it goes back.
// And what is kept of a client must not keep its session.
// The probe keeps its request for as long as its process lives: each test has a process of its own.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "each_alone.h"
#include "world.h"

#define RESETS_MAX 40u

// ---- Time passes ------------------------------------------------------------------------------

// What the loop of main.c does while a client rings its doorbell every half millisecond.
static void ring_for(const struct client *client, uint64_t nanoseconds)
{
    for (uint64_t end = world->now + nanoseconds; world->now < end;) {
        uint64_t deadline = reads_deadline(&world->service);
        world->now += NX_MILLISECOND / 2;
        world->service.now = world->now;
        world->service.sessions_ready |= client->session->mask;
        assert_int_equal(world->now >= deadline ? expire_after(0) : settle(), NX_OK);
    }
}

static void test_a_client_that_rings_without_end_keeps_no_reset_from_its_end(void **state)
{
    (void)state;
    struct client client;
    client_open(&client);
    nx_handle memory = message_read();
    world->model.reset_delay = 3; // done at the fourth look
    assert_int_equal(settle(), NX_OK);
    assert_int_equal(expire_after(PATIENCE), NX_OK);
    assert_int_equal(world->service.device.state, VIRTIO_BLK_RESETTING);
    ring_for(&client, 10 * NX_MILLISECOND);
    assert_int_equal(world->service.device.state, VIRTIO_BLK_READY);
    device_model_complete_all(&world->model); // the read was sent again
    assert_int_equal(reads_interrupt(&world->service), NX_OK);
    assert_int_equal(settle(), NX_OK);
    assert_int_equal(world->answers, 1);
    assert_given_back(memory);
}
// ---- Lost ---------------------------------------------------------------------------------------

static void test_a_message_s_read_in_flight_is_an_error_and_its_memory_stays(void **state)
{
    (void)state;
    nx_handle memory = message_read();
    lose_device();
    assert_int_equal(world->answers, 1);
    assert_int_equal(world->answer_status, NX_ERR_DEVICE);
    assert_int_equal(world->service.messages, 0);
    assert_kept(memory);
}

static void test_a_read_that_waited_is_an_error_and_its_memory_goes_back(void **state)
{
    (void)state;
    nx_handle in_flight = message_read();
    world->model.reset_delay = NEVER;
    assert_int_equal(settle(), NX_OK);
    assert_int_equal(expire_after(PATIENCE), NX_OK);
    nx_handle waiting = message_read(); // while the device is being reset
    while (world->service.device.state == VIRTIO_BLK_RESETTING) {
        assert_int_equal(expire_after(NX_MILLISECOND), NX_OK);
    }
    assert_int_equal(world->answers, 2);
    assert_kept(in_flight);
    assert_given_back(waiting); // the device never knew it
}

static void test_later_reads_are_told_at_once(void **state)
{
    (void)state;
    (void)message_read();
    lose_device();
    nx_handle memory = message_read();
    assert_int_equal(world->answers, 2);
    assert_int_equal(world->answer_status, NX_ERR_DEVICE);
    assert_given_back(memory);
    assert_int_equal(settle(), NX_OK);
}

static void test_a_queue_s_read_in_flight_is_an_error_and_its_memory_stays(void **state)
{
    (void)state;
    struct client client;
    nx_handle memory = memory_make();
    client_open(&client);
    client_read(&client, client_attach(&client, memory), READ_SECTORS);
    lose_device();
    assert_client_told(&client, NX_ERR_DEVICE);
    assert_kept(memory);
}

static void test_a_memory_that_is_detached_from_a_lost_device_stays(void **state)
{
    (void)state;
    struct client client;
    nx_handle memory = memory_make();
    client_open(&client);
    uint32_t slot = client_attach(&client, memory);
    client_read(&client, slot, READ_SECTORS);
    lose_device();
    assert_int_equal(session_detach(client.session, slot), NX_OK);
    assert_int_equal(session_detach(client.session, slot), NX_ERR_INVALID_ARGUMENT);
    assert_kept(memory);
}

// Else a client could have this program hold ever more of what it detaches.
static void test_nothing_is_attached_to_a_lost_device(void **state)
{
    (void)state;
    struct client client;
    uint32_t slot;
    client_open(&client);
    (void)message_read();
    lose_device();
    assert_int_equal(session_attach(client.session, memory_make(), &slot), NX_ERR_DEVICE);
}

static void test_a_client_that_ends_after_its_device_was_lost_leaves_its_memory(void **state)
{
    (void)state;
    struct client client;
    nx_handle memory = memory_make();
    client_open(&client);
    client_read(&client, client_attach(&client, memory), READ_SECTORS);
    lose_device();
    client_dies(&client);
    assert_int_equal(world->service.session_count, 0);
    assert_kept(memory);
    assert_given_back(client.ring_memory); // no device knows it
}

// ---- A reset that takes -------------------------------------------------------------------------

static void
test_memory_in_flight_is_not_detached_and_goes_back_once_the_device_is_reset(void **state)
{
    (void)state;
    struct client client;
    nx_handle memory = memory_make();
    client_open(&client);
    uint32_t slot = client_attach(&client, memory);
    client_read(&client, slot, READ_SECTORS);
    world->model.reset_delay = 5;
    assert_int_equal(settle(), NX_OK);
    assert_int_equal(session_detach(client.session, slot), NX_ERR_BUSY);
    assert_int_equal(expire_after(PATIENCE), NX_OK);
    assert_int_equal(world->service.device.state, VIRTIO_BLK_RESETTING);
    assert_int_equal(session_detach(client.session, slot), NX_ERR_BUSY);
    client_dies(&client);
    assert_kept(memory);
    while (world->service.device.state == VIRTIO_BLK_RESETTING) {
        assert_int_equal(expire_after(NX_MILLISECOND), NX_OK);
    }
    assert_kept(memory); // it is in flight again
    device_model_complete_all(&world->model);
    assert_int_equal(reads_interrupt(&world->service), NX_OK);
    sessions_reap(&world->service);
    assert_given_back(memory);
}

static void test_a_device_that_never_answers_is_given_up_with_everybody_told(void **state)
{
    (void)state;
    nx_handle memories[3];
    enum nx_status status = NX_OK;
    uint32_t resets = 0;
    uint32_t last = 0;
    for (; status == NX_OK && resets < RESETS_MAX; resets++) {
        if (world->service.messages == 0) { // somebody tries again
            last = world->answers;
            for (size_t i = 0; i < 3; i++) {
                memories[i] = message_read();
            }
            assert_int_equal(settle(), NX_OK);
        }
        status = expire_after(PATIENCE);
    }
    assert_int_equal(status, NX_ERR_DEVICE);
    assert_int_equal(world->service.messages, 0);
    assert_int_equal(world->answers, last + 3);
    assert_true(world->answer_status == NX_ERR_IO || world->answer_status == NX_ERR_TIMED_OUT);
    for (size_t i = 0; i < 3; i++) {
        assert_given_back(memories[i]); // the device has been reset
    }
}

static void test_a_device_that_does_not_start_again_is_given_up_with_everybody_told(void **state)
{
    (void)state;
    nx_handle memory = message_read();
    assert_int_equal(settle(), NX_OK);
    world->model.capacity = 0; // refused at its next start
    assert_int_equal(expire_after(PATIENCE), NX_ERR_DEVICE);
    assert_int_equal(world->answers, 1);
    assert_int_equal(world->answer_status, NX_ERR_IO);
    assert_given_back(memory);
}

// ---- The probe ----------------------------------------------------------------------------------

// The only memory that the probe makes.
static nx_handle probe_run(enum nx_status expected)
{
    nx_handle memory = world->memory_count + 1;
    assert_int_equal(probe(&world->service), expected);
    assert_int_equal(world->memory_count, memory);
    return memory;
}

static void test_a_probe_that_works_gives_its_page_back(void **state)
{
    (void)state;
    world->model.automatic = true;
    assert_given_back(probe_run(NX_OK));
}

static void test_a_probe_without_answer_gives_its_page_back_once_the_device_is_reset(void **state)
{
    (void)state;
    world->model.reset_delay = 5;
    assert_given_back(probe_run(NX_ERR_TIMED_OUT));
    assert_int_equal(world->service.device.state, VIRTIO_BLK_READY);
}

static void test_a_probe_whose_device_ignores_the_reset_keeps_its_page(void **state)
{
    (void)state;
    world->model.reset_delay = NEVER;
    assert_kept(probe_run(NX_ERR_TIMED_OUT));
    assert_int_equal(world->service.device.state, VIRTIO_BLK_LOST);
}

// This program would be the one whose end is waited for.
static void test_a_lifeline_on_which_the_driver_could_receive_is_refused(void **state)
{
    (void)state;
    struct client client;
    uint32_t number;
    const struct session_request request = client_request(&client);
    world->lifeline_rights = NX_RIGHT_CALL | NX_RIGHT_RECEIVE;
    assert_int_equal(session_open(&world->service, &request, &number), NX_ERR_ACCESS_DENIED);
    world->lifeline_rights = NX_RIGHT_TRANSFER;
    assert_int_equal(session_open(&world->service, &request, &number), NX_ERR_ACCESS_DENIED);
    assert_int_equal(world->service.session_count, 0);
}

static void test_a_session_keeps_nothing_but_a_notification_and_an_endpoint(void **state)
{
    (void)state;
    struct client client;
    uint32_t number;
    struct session_request request = client_request(&client);
    request.notification = LIFELINE;
    assert_int_equal(session_open(&world->service, &request, &number), NX_ERR_WRONG_TYPE);
    request.notification = NOTIFICATION;
    request.lifeline = NOTIFICATION;
    assert_int_equal(session_open(&world->service, &request, &number), NX_ERR_WRONG_TYPE);
    assert_int_equal(world->service.session_count, 0);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, world_begin, world_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_client_that_rings_without_end_keeps_no_reset_from_its_end),
        TEST(test_a_message_s_read_in_flight_is_an_error_and_its_memory_stays),
        TEST(test_a_read_that_waited_is_an_error_and_its_memory_goes_back),
        TEST(test_later_reads_are_told_at_once),
        TEST(test_a_queue_s_read_in_flight_is_an_error_and_its_memory_stays),
        TEST(test_a_memory_that_is_detached_from_a_lost_device_stays),
        TEST(test_nothing_is_attached_to_a_lost_device),
        TEST(test_a_client_that_ends_after_its_device_was_lost_leaves_its_memory),
        TEST(test_memory_in_flight_is_not_detached_and_goes_back_once_the_device_is_reset),
        TEST(test_a_device_that_never_answers_is_given_up_with_everybody_told),
        TEST(test_a_device_that_does_not_start_again_is_given_up_with_everybody_told),
        TEST(test_a_probe_that_works_gives_its_page_back),
        TEST(test_a_probe_without_answer_gives_its_page_back_once_the_device_is_reset),
        TEST(test_a_probe_whose_device_ignores_the_reset_keeps_its_page),
        TEST(test_a_lifeline_on_which_the_driver_could_receive_is_refused),
        TEST(test_a_session_keeps_nothing_but_a_notification_and_an_endpoint),
    };
    return each_alone("virtioblkd", tests, sizeof(tests) / sizeof(tests[0]));
}
