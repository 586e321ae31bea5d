// SPDX-License-Identifier: Apache-2.0
// The server loop with callers that never cease: its deadlines pass all the same.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "nexus/clock.h"
#include "nexus/lock.h"
#include "nexus/registry.h"
#include "nexus/service.h"

#define CALLS    100u
#define DEADLINE (10 * NX_MILLISECOND)

static struct nx_message_page page;
_Thread_local struct nx_message_page *nx_thread_page = &page;
struct nx_start_info nx_start_record;
nx_handle nx_start_handles[NX_START_HANDLES_MAX];

static struct {
    uint64_t now;
    uint64_t deadline;
    uint32_t calls;
    uint32_t unanswered;
    uint32_t expirations;
    uint32_t unanswered_then; // at the first of them
} world;

// ---- The kernel: a caller is always queued, and each message takes a millisecond ----------------

static enum nx_status message_next(struct nx_message *message)
{
    if (world.calls == CALLS) {
        return NX_ERR_BAD_HANDLE; // the test is over
    }
    world.calls++;
    world.unanswered++;
    world.now += NX_MILLISECOND;
    *message = (struct nx_message){0};
    return NX_OK;
}

enum nx_status nx_endpoint_receive(nx_handle endpoint, uint64_t deadline,
                                   struct nx_message *message)
{
    (void)endpoint;
    (void)deadline; // looked at only when nobody is queued
    return message_next(message);
}

enum nx_status nx_endpoint_reply_receive(nx_handle endpoint, struct nx_message *message)
{
    (void)endpoint;
    world.unanswered--;
    return message_next(message);
}

enum nx_status nx_endpoint_reply(nx_handle reply, const struct nx_message *message)
{
    (void)message;
    assert_int_equal(reply, NX_HANDLE_NONE);
    world.unanswered--;
    return NX_OK;
}

enum nx_status nx_endpoint_call(nx_handle endpoint, struct nx_message *message)
{
    (void)endpoint;
    (void)message;
    return NX_ERR_PEER_CLOSED;
}

void nx_handle_drop(nx_handle handle)
{
    (void)handle;
}

uint64_t nx_clock_now(void)
{
    return world.now;
}

void nx_sleep(uint64_t nanoseconds)
{
    world.now += nanoseconds;
}

nx_handle nx_start_handle_find(enum nx_start_id id)
{
    (void)id;
    return NX_HANDLE_NONE;
}

void nx_mutex_lock(struct nx_mutex *mutex)
{
    (void)mutex;
}

void nx_mutex_unlock(struct nx_mutex *mutex)
{
    (void)mutex;
}

enum nx_status nx_registry_lookup(const char *name, nx_handle *endpoint)
{
    (void)name;
    (void)endpoint;
    return NX_ERR_NOT_FOUND;
}

// ---- The server ---------------------------------------------------------------------------------

static enum nx_answer answer_now(void *context, struct nx_request *request)
{
    (void)context;
    return nx_request_answer(request, NX_OK, 0);
}

static uint64_t deadline_of(void *context)
{
    (void)context;
    return world.deadline;
}

static void expired(void *context)
{
    (void)context;
    if (world.expirations++ == 0) {
        world.unanswered_then = world.unanswered;
    }
    assert_true(world.now >= world.deadline);
    world.deadline += DEADLINE;
}

static void test_a_deadline_passes_though_a_caller_is_always_queued(void **state)
{
    (void)state;
    world.deadline = DEADLINE;
    const struct nx_server server = {
        .endpoint = 1, .request = answer_now, .deadline = deadline_of, .expired = expired};
    assert_int_equal(nx_server_run(&server), NX_ERR_BAD_HANDLE);
    assert_int_equal(world.expirations, CALLS * NX_MILLISECOND / DEADLINE);
    assert_int_equal(world.unanswered_then, 0); // the page was free for it
    assert_int_equal(world.unanswered, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_deadline_passes_though_a_caller_is_always_queued),
    };
    return cmocka_run_group_tests_name("server", tests, NULL, NULL);
}
