// SPDX-License-Identifier: Apache-2.0
// Messages between programs: what arrives, what is refused, and who is told when a peer goes.
#include "core/hart.h"
#include "sched/thread.h"
#include "support/kernel_test.h"
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define BADGE 77u

// What the two sides of a test share. `server` and `client` are the endpoint's handles in the
// processes of each.
struct shared {
    nx_handle server;
    nx_handle client;
    nx_handle other;
    struct barrier done;
    _Atomic uint64_t count;
};

static void run_on_one_and_four(user_program program)
{
    kernel_run(1, program, NULL);
    kernel_run(4, program, NULL);
}

// An endpoint whose client handle carries BADGE.
static void open_endpoint(struct shared *shared)
{
    *shared = (struct shared){.server = user_endpoint()};
    struct user_result badged =
        USER_SYSCALL(NX_SYS_HANDLE_DUPLICATE, shared->server,
                     NX_RIGHT_CALL | NX_RIGHT_TRANSFER | NX_RIGHT_DUPLICATE, BADGE);
    CHECK_EQUAL(badged.status, NX_OK);
    shared->client = (nx_handle)badged.value[0];
    barrier_open(&shared->done, 1);
}

static void nothing(void *argument)
{
    (void)argument;
}

static void test_a_program_that_returns_leaves_nothing_behind(void **state)
{
    (void)state;
    run_on_one_and_four(nothing);
}

// --- Contents
// -------------------------------------------------------------------------------------

#define ROUNDS 50u

static void echo_server(void *argument)
{
    struct shared *shared = argument;
    struct user_result message = user_receive(shared->server, NX_DEADLINE_NEVER);
    for (uint64_t round = 0; round < ROUNDS; round++) {
        CHECK_EQUAL(message.status, NX_OK);
        CHECK_EQUAL(message.badge, BADGE);
        uint32_t bytes = NX_INFO_BYTES(message.info);
        CHECK_EQUAL(bytes, round * 20 % (NX_MESSAGE_BYTES_MAX + 1));
        for (uint32_t i = 0; i < bytes; i++)
            CHECK_EQUAL(user_page()->data[i], (uint8_t)(round + i));
        memset(user_page()->data, (int)(round & 0x7f), bytes);
        const uint64_t *v = message.value;
        message = USER_SYSCALL(NX_SYS_REPLY_RECEIVE | NX_INFO(bytes, 0), shared->server, v[0] + 1,
                               v[1] + 1, v[2] + 1, v[3] + 1, v[4] + 1, v[5] + 1);
    }
}

static void echo_client(void *argument)
{
    (void)argument;
    struct shared shared;
    open_endpoint(&shared);
    nx_handle server = user_thread(0, echo_server, &shared);
    for (uint64_t round = 0; round < ROUNDS; round++) {
        uint32_t bytes = (uint32_t)(round * 20 % (NX_MESSAGE_BYTES_MAX + 1));
        for (uint32_t i = 0; i < bytes; i++)
            user_page()->data[i] = (uint8_t)(round + i);
        struct user_result answer =
            USER_SYSCALL(NX_SYS_CALL | NX_INFO(bytes, 0), shared.client, round, round * 3,
                         round * 5, round * 7, round * 11, ~round);
        CHECK_EQUAL(answer.status, NX_OK);
        const uint64_t factors[] = {1, 3, 5, 7, 11};
        for (unsigned i = 0; i < 5; i++)
            CHECK_EQUAL(answer.value[i], round * factors[i] + 1);
        CHECK_EQUAL(answer.value[5], ~round + 1);
        CHECK_EQUAL(NX_INFO_BYTES(answer.info), bytes);
        for (uint32_t i = 0; i < bytes; i++)
            CHECK_EQUAL(user_page()->data[i], round & 0x7f);
    }
    USER_SYSCALL(NX_SYS_THREAD_CONTROL, server, NX_THREAD_KILL);
}

static void test_words_and_bytes_arrive_both_ways_with_the_callers_badge(void **state)
{
    (void)state;
    run_on_one_and_four(echo_client);
}

static void refusals(void *argument)
{
    (void)argument;
    struct shared shared;
    open_endpoint(&shared);
    nx_handle notification = user_notification();
    // Lengths that no message has.
    CHECK_EQUAL(
        USER_SYSCALL(NX_SYS_CALL | NX_INFO(NX_MESSAGE_BYTES_MAX + 1, 0), shared.client, 0).status,
        NX_ERR_INVALID_ARGUMENT);
    CHECK_EQUAL(
        USER_SYSCALL(NX_SYS_CALL | NX_INFO(0, NX_MESSAGE_HANDLES_MAX + 1), shared.client, 0).status,
        NX_ERR_INVALID_ARGUMENT);
    // Handles of the wrong kind, or without the right.
    CHECK_EQUAL(user_call(0, 0).status, NX_ERR_BAD_HANDLE);
    CHECK_EQUAL(user_call(notification, 0).status, NX_ERR_WRONG_TYPE);
    CHECK_EQUAL(user_receive(shared.client, NX_DEADLINE_NEVER).status, NX_ERR_ACCESS_DENIED);
    CHECK_EQUAL(user_reply(0), NX_ERR_BAD_STATE);
    CHECK_EQUAL(USER_SYSCALL(NX_SYS_REPLY_SAVE, 0).status, NX_ERR_BAD_STATE);
    // A badge is given once.
    CHECK_EQUAL(
        USER_SYSCALL(NX_SYS_HANDLE_DUPLICATE, shared.client, NX_RIGHTS_ALL, BADGE + 1).status,
        NX_ERR_ACCESS_DENIED);
    // Deadlines that have passed.
    CHECK_EQUAL(user_call_until(shared.client, 0, 0).status, NX_ERR_TIMED_OUT);
    CHECK_EQUAL(user_receive(shared.server, 0).status, NX_ERR_TIMED_OUT);
    CHECK_EQUAL(user_wait(notification, 0), 0);
    CHECK_EQUAL(USER_SYSCALL(NX_SYSCALL_COUNT, 0).status, NX_ERR_BAD_SYSCALL);
    // Deadlines that pass.
    CHECK_EQUAL(user_call_until(shared.client, 0, user_deadline(1000000)).status, NX_ERR_TIMED_OUT);
    CHECK_EQUAL(user_receive(shared.server, user_deadline(1000000)).status, NX_ERR_TIMED_OUT);
    CHECK_EQUAL(user_wait(notification, user_deadline(1000000)), 0);
}

static void test_malformed_messages_and_wrong_handles_are_refused_by_name(void **state)
{
    (void)state;
    run_on_one_and_four(refusals);
}

// --- Handles
// --------------------------------------------------------------------------------------

static void take_handles(void *argument)
{
    struct shared *shared = argument;
    struct user_result message = user_receive(shared->server, NX_DEADLINE_NEVER);
    CHECK_EQUAL(NX_INFO_HANDLES(message.info), 2);
    nx_handle first = user_page()->handles[0];
    nx_handle second = user_page()->handles[1];
    CHECK_EQUAL(user_signal(first, 5), NX_OK);
    CHECK_EQUAL(USER_SYSCALL(NX_SYS_NOTIFICATION_WAIT, second, 0).status, NX_ERR_ACCESS_DENIED);
    CHECK_EQUAL(user_reply(0), NX_OK);
    // The message that failed never reached this thread: it is told to ask again.
    CHECK_EQUAL(user_receive(shared->server, NX_DEADLINE_NEVER).status, NX_ERR_CANCELLED);
    atomic_fetch_add(&shared->count, 1);
    CHECK_EQUAL(user_receive(shared->server, NX_DEADLINE_NEVER).value[0], 9);
    CHECK_EQUAL(user_reply(1), NX_OK);
}

static nx_handle with_rights(nx_handle handle, uint32_t rights)
{
    struct user_result result = USER_SYSCALL(NX_SYS_HANDLE_DUPLICATE, handle, rights, 0);
    CHECK_EQUAL(result.status, NX_OK);
    return (nx_handle)result.value[0];
}

static void send_handles(void *argument)
{
    (void)argument;
    struct shared shared;
    open_endpoint(&shared);
    nx_handle child = user_process(100);
    nx_handle notification = user_notification();
    nx_handle client = shared.client;
    nx_handle stuck = with_rights(notification, NX_RIGHT_SIGNAL);
    shared.server = user_grant(child, shared.server, NX_RIGHT_RECEIVE);
    user_thread(child, take_handles, &shared);
    user_page()->handles[0] = notification;
    user_page()->handles[1] = with_rights(notification, NX_RIGHT_SIGNAL | NX_RIGHT_TRANSFER);
    CHECK_EQUAL(USER_SYSCALL(NX_SYS_CALL | NX_INFO(0, 2), client, 0).status, NX_OK);
    CHECK_EQUAL(user_wait(notification, NX_DEADLINE_NEVER), 5);
    // The second of two may not be transferred, then does not exist: the first comes back too.
    user_page()->handles[1] = stuck;
    CHECK_EQUAL(USER_SYSCALL(NX_SYS_CALL | NX_INFO(0, 2), client, 0).status, NX_ERR_ACCESS_DENIED);
    while (atomic_load(&shared.count) == 0)
        user_sleep(100000);
    CHECK_EQUAL(user_call(client, 9).value[0], 1);
}

static void test_handles_ride_along_with_their_rights_or_the_message_fails_whole(void **state)
{
    (void)state;
    run_on_one_and_four(send_handles);
}

// --- Replies
// --------------------------------------------------------------------------------------

static void save_and_answer_in_reverse(void *argument)
{
    struct shared *shared = argument;
    nx_handle saved[3];
    uint64_t words[3];
    for (int i = 0; i < 3; i++) {
        words[i] = user_receive(shared->server, NX_DEADLINE_NEVER).value[0];
        struct user_result save = USER_SYSCALL(NX_SYS_REPLY_SAVE, 0);
        CHECK_EQUAL(save.status, NX_OK);
        saved[i] = (nx_handle)save.value[0];
        CHECK_EQUAL(user_reply(0), NX_ERR_BAD_STATE);
    }
    // The first is never answered: closing its handle tells it so.
    for (int i = 2; i > 0; i--) {
        CHECK_EQUAL(USER_SYSCALL(NX_SYS_REPLY, saved[i], words[i] * 2).status, NX_OK);
        CHECK_EQUAL(USER_SYSCALL(NX_SYS_REPLY, saved[i], 0).status, NX_ERR_BAD_HANDLE);
    }
    CHECK_EQUAL(user_close(saved[0]), NX_OK);
}

static void call_once(void *argument)
{
    struct shared *shared = argument;
    uint64_t word = atomic_fetch_add(&shared->count, 1u) + 100;
    struct user_result answer = user_call(shared->client, word);
    if (answer.status == NX_OK)
        CHECK_EQUAL(answer.value[0], word * 2);
    else
        CHECK_EQUAL(answer.status, NX_ERR_PEER_CLOSED);
    atomic_fetch_add(&shared->count, answer.status == NX_OK ? 1000 : 1000000);
    barrier_arrive(&shared->done);
}

static void saved_replies(void *argument)
{
    (void)argument;
    struct shared shared;
    open_endpoint(&shared);
    atomic_store(&shared.done.left, 3);
    user_thread(0, save_and_answer_in_reverse, &shared);
    for (int i = 0; i < 3; i++)
        user_thread(0, call_once, &shared);
    barrier_wait(&shared.done);
    CHECK_EQUAL(atomic_load(&shared.count), 3 + 2 * 1000 + 1000000);
}

static void
test_saved_replies_answer_once_in_any_order_and_closing_one_abandons_its_caller(void **state)
{
    (void)state;
    run_on_one_and_four(saved_replies);
}

static struct user_result receive_keeping(nx_handle endpoint, uint64_t deadline)
{
    return USER_SYSCALL(NX_SYS_RECEIVE, endpoint, deadline, NX_RECEIVE_KEEP);
}

// Answers the first of two callers behind a signal, which the second one may interrupt.
static void keep_the_caller(void *argument)
{
    struct shared *shared = argument;
    CHECK_EQUAL(USER_SYSCALL(NX_SYS_NOTIFICATION_BIND, shared->other).status, NX_OK);
    uint64_t word = user_receive(shared->server, NX_DEADLINE_NEVER).value[0];
    CHECK_EQUAL(receive_keeping(shared->server, 0).status, NX_ERR_TIMED_OUT);
    CHECK_EQUAL(receive_keeping(shared->server, user_deadline(1000000)).status, NX_ERR_TIMED_OUT);
    CHECK_EQUAL(
        USER_SYSCALL(NX_SYS_RECEIVE, shared->server, NX_DEADLINE_NEVER, NX_RECEIVE_KEEP << 1)
            .status,
        NX_ERR_INVALID_ARGUMENT);
    atomic_fetch_add(&shared->count, 1);
    // Another caller comes, before the wait or while it lasts; it stays queued.
    CHECK_EQUAL(receive_keeping(shared->server, NX_DEADLINE_NEVER).status, NX_ERR_BUSY);
    CHECK_EQUAL(receive_keeping(shared->server, NX_DEADLINE_NEVER).status, NX_ERR_BUSY);
    CHECK_EQUAL(user_signal(shared->other, 4), NX_OK);
    struct user_result bits = receive_keeping(shared->server, NX_DEADLINE_NEVER);
    CHECK_EQUAL(bits.status, NX_OK);
    CHECK((bits.info & NX_INFO_NOTIFICATION) != 0);
    CHECK_EQUAL(bits.value[0], 4);
    struct user_result next = USER_SYSCALL(NX_SYS_REPLY_RECEIVE, shared->server, word + 1);
    CHECK_EQUAL(next.status, NX_OK);
    // Signalled by the first caller, while the second one is kept.
    bits = receive_keeping(shared->server, NX_DEADLINE_NEVER);
    CHECK_EQUAL(bits.value[0], 8);
    CHECK_EQUAL(user_reply(next.value[0] + 1), NX_OK);
    // A caller that is kept by a thread that ends is told so.
    CHECK_EQUAL(user_receive(shared->server, NX_DEADLINE_NEVER).status, NX_OK);
    CHECK_EQUAL(receive_keeping(shared->server, 0).status, NX_ERR_TIMED_OUT);
}

static void call_second(void *argument)
{
    struct shared *shared = argument;
    while (atomic_load(&shared->count) == 0)
        user_sleep(100000);
    CHECK_EQUAL(user_call(shared->client, 20).value[0], 21);
    CHECK_EQUAL(user_call(shared->client, 0).status, NX_ERR_PEER_CLOSED);
    barrier_arrive(&shared->done);
}

static void keeping(void *argument)
{
    (void)argument;
    struct shared shared;
    open_endpoint(&shared);
    shared.other = user_notification();
    user_thread(0, keep_the_caller, &shared);
    user_thread(0, call_second, &shared);
    CHECK_EQUAL(user_call(shared.client, 10).value[0], 11);
    CHECK_EQUAL(user_signal(shared.other, 8), NX_OK);
    barrier_wait(&shared.done);
}

static void test_a_receiver_that_keeps_its_caller_hears_signals_and_of_other_callers(void **state)
{
    (void)state;
    run_on_one_and_four(keeping);
}

// Nobody is left to serve: keepers are told, like receivers.
static void keep_until_closed(void *argument)
{
    struct shared *shared = argument;
    CHECK_EQUAL(user_receive(shared->server, NX_DEADLINE_NEVER).status, NX_OK);
    atomic_fetch_add(&shared->count, 1);
    enum nx_status status = receive_keeping(shared->server, NX_DEADLINE_NEVER).status;
    CHECK(status == NX_ERR_PEER_CLOSED || status == NX_ERR_BAD_HANDLE);
    CHECK_EQUAL(user_reply(5), NX_OK);
}

static void call_of_a_keeper(void *argument)
{
    struct shared *shared = argument;
    CHECK_EQUAL(user_call(shared->client, 0).value[0], 5);
    barrier_arrive(&shared->done);
}

static void close_under_a_keeper(void *argument)
{
    (void)argument;
    struct shared shared;
    open_endpoint(&shared);
    user_thread(0, keep_until_closed, &shared);
    user_thread(0, call_of_a_keeper, &shared);
    while (atomic_load(&shared.count) == 0)
        user_sleep(100000);
    CHECK_EQUAL(user_close(shared.server), NX_OK);
    barrier_wait(&shared.done);
}

static void test_a_keeper_of_a_closed_endpoint_is_told_and_may_still_answer(void **state)
{
    (void)state;
    run_on_one_and_four(close_under_a_keeper);
}

static void receive_and_die(void *argument)
{
    struct shared *shared = argument;
    CHECK_EQUAL(user_receive(shared->server, NX_DEADLINE_NEVER).status, NX_OK);
}

static void receive_twice(void *argument)
{
    struct shared *shared = argument;
    CHECK_EQUAL(user_receive(shared->server, NX_DEADLINE_NEVER).status, NX_OK);
    CHECK_EQUAL(user_receive(shared->server, NX_DEADLINE_NEVER).status, NX_OK);
    CHECK_EQUAL(user_reply(3), NX_OK);
}

static void abandoned(void *argument)
{
    (void)argument;
    struct shared shared;
    open_endpoint(&shared);
    // By a receiver that ends, by one that asks for the next message, by the end of its process.
    user_thread(0, receive_and_die, &shared);
    CHECK_EQUAL(user_call(shared.client, 0).status, NX_ERR_PEER_CLOSED);
    user_thread(0, receive_twice, &shared);
    CHECK_EQUAL(user_call(shared.client, 0).status, NX_ERR_PEER_CLOSED);
    CHECK_EQUAL(user_call(shared.client, 0).value[0], 3);
    // By the last handle with the right to receive.
    CHECK_EQUAL(user_close(shared.server), NX_OK);
    CHECK_EQUAL(user_call(shared.client, 0).status, NX_ERR_PEER_CLOSED);
}

static void test_an_abandoned_caller_gets_peer_closed(void **state)
{
    (void)state;
    run_on_one_and_four(abandoned);
}

static void receive_until_closed(void *argument)
{
    struct shared *shared = argument;
    enum nx_status status = user_receive(shared->server, NX_DEADLINE_NEVER).status;
    // On a busy host the handle may be gone before the receive.
    CHECK(status == NX_ERR_PEER_CLOSED || status == NX_ERR_BAD_HANDLE);
    barrier_arrive(&shared->done);
}

static void close_under_waiter(void *argument)
{
    (void)argument;
    struct shared shared;
    open_endpoint(&shared);
    user_thread(0, receive_until_closed, &shared);
    user_sleep(500000);
    CHECK_EQUAL(user_close(shared.server), NX_OK);
    // Words only, then a byte: the fast path and the slow one.
    CHECK_EQUAL(user_call(shared.client, 0).status, NX_ERR_PEER_CLOSED);
    CHECK_EQUAL(USER_SYSCALL(NX_SYS_CALL | NX_INFO(1, 0), shared.client, 0).status,
                NX_ERR_PEER_CLOSED);
    CHECK_EQUAL(user_close(shared.client), NX_OK);
    barrier_wait(&shared.done);
}

static void
test_an_endpoint_without_a_receive_handle_takes_no_call_even_under_a_waiter(void **state)
{
    (void)state;
    run_on_one_and_four(close_under_waiter);
}

// --- Waiting for two things
// -----------------------------------------------------------------------

static void driver(void *argument)
{
    struct shared *shared = argument;
    CHECK_EQUAL(USER_SYSCALL(NX_SYS_NOTIFICATION_BIND, shared->other).status, NX_OK);
    uint64_t bits = 0;
    for (int i = 0; i < 2; i++) {
        struct user_result result = user_receive(shared->server, NX_DEADLINE_NEVER);
        CHECK_EQUAL(result.status, NX_OK);
        if ((result.info & NX_INFO_NOTIFICATION) != 0)
            bits |= result.value[0];
        else
            CHECK_EQUAL(user_reply(bits), NX_OK);
    }
    CHECK_EQUAL(bits, 6);
}

static void drive(void *argument)
{
    (void)argument;
    struct shared shared;
    open_endpoint(&shared);
    shared.other = user_notification();
    nx_handle thread = user_thread(0, driver, &shared);
    user_sleep(500000);
    CHECK_EQUAL(user_signal(shared.other, 6), NX_OK);
    struct user_result answer = user_call(shared.client, 0);
    CHECK_EQUAL(answer.status, NX_OK);
    CHECK_EQUAL(answer.value[0], 6);
    // Its end unbinds it, for the next thread to bind.
    while (USER_SYSCALL(NX_SYS_NOTIFICATION_BIND, shared.other).status == NX_ERR_BUSY)
        user_sleep(100000);
    CHECK_EQUAL(user_close(thread), NX_OK);
}

static void test_a_receiver_hears_its_bound_notification(void **state)
{
    (void)state;
    run_on_one_and_four(drive);
}

// --- A signal and a wait in one
// -----------------------------------------------------------------------

struct pair {
    nx_handle asked;
    nx_handle answered;
    const struct thread *client;
};

// More urgent than its client, so a signal alone would run it at once.
static void urgent_server(void *argument)
{
    const struct pair *pair = argument;
    CHECK_EQUAL(USER_SYSCALL(NX_SYS_THREAD_CONTROL, 0, NX_THREAD_SET_CLASS, NX_CLASS_DRIVER).status,
                NX_OK);
    for (uint64_t round = 1; round <= ROUNDS; round++) {
        CHECK_EQUAL(user_wait(pair->asked, NX_DEADLINE_NEVER), round);
        if (hart_count() == 1)
            CHECK_EQUAL(thread_state_of(atomic_load(&pair->client->wait)), THREAD_WAITING);
        CHECK_EQUAL(user_signal(pair->answered, round), NX_OK);
    }
}

static void ask_and_wait(void *argument)
{
    (void)argument;
    struct pair pair = {.asked = user_notification(), .answered = user_notification()};
    pair.client = hart_self()->current;
    nx_handle thread = user_thread(0, urgent_server, &pair);
    for (uint64_t round = 1; round <= ROUNDS; round++) {
        struct user_result result = USER_SYSCALL(NX_SYS_NOTIFICATION_WAIT, pair.answered,
                                                 NX_DEADLINE_NEVER, pair.asked, round);
        CHECK_EQUAL(result.status, NX_OK);
        CHECK_EQUAL(result.value[0], round);
    }
    CHECK_EQUAL(user_close(thread), NX_OK);
    // What is refused has no effect; with the deadline past only the signal has one.
    CHECK_EQUAL(
        USER_SYSCALL(NX_SYS_NOTIFICATION_WAIT, pair.answered, NX_DEADLINE_NEVER, pair.asked, 0)
            .status,
        NX_ERR_INVALID_ARGUMENT);
    CHECK_EQUAL(
        USER_SYSCALL(NX_SYS_NOTIFICATION_WAIT, pair.answered, NX_DEADLINE_NEVER, thread, 1).status,
        NX_ERR_BAD_HANDLE);
    CHECK_EQUAL(USER_SYSCALL(NX_SYS_NOTIFICATION_WAIT, thread, 0, pair.asked, 1).status,
                NX_ERR_BAD_HANDLE);
    CHECK_EQUAL(user_wait(pair.asked, 0), 0);
    CHECK_EQUAL(USER_SYSCALL(NX_SYS_NOTIFICATION_WAIT, pair.answered, 0, pair.asked, 4).status,
                NX_ERR_TIMED_OUT);
    CHECK_EQUAL(user_wait(pair.asked, 0), 4);
}

static void test_a_signal_and_a_wait_in_one_wake_the_server_behind_the_waiting_client(void **state)
{
    (void)state;
    run_on_one_and_four(ask_and_wait);
}

// --- Faults
// ---------------------------------------------------------------------------------------

static void fault_twice(void *argument)
{
    struct shared *shared = argument;
    user_trap();
    atomic_fetch_add(&shared->count, 1);
    user_trap();
    CHECK(false);
}

static void supervise(void *argument)
{
    (void)argument;
    struct shared shared;
    open_endpoint(&shared);
    nx_handle child = user_process(100);
    nx_handle ended = user_notification();
    CHECK_EQUAL(USER_SYSCALL(NX_SYS_PROCESS_BIND, child, ended, 1, shared.client).status, NX_OK);
    user_thread(child, fault_twice, &shared);
    struct user_result fault = user_receive(shared.server, NX_DEADLINE_NEVER);
    CHECK_EQUAL(fault.info & NX_INFO_FAULT, NX_INFO_FAULT);
    CHECK_EQUAL(fault.badge, BADGE);
    CHECK_EQUAL(fault.value[NX_FAULT_CAUSE], 2);
    CHECK_EQUAL(user_reply(NX_FAULT_RESUME), NX_OK);
    CHECK_EQUAL(user_receive(shared.server, NX_DEADLINE_NEVER).status, NX_OK);
    CHECK_EQUAL(atomic_load(&shared.count), 1);
    CHECK_EQUAL(user_reply(0), NX_OK);
    CHECK_EQUAL(user_wait(ended, NX_DEADLINE_NEVER), 1);
    struct user_result info = USER_SYSCALL(NX_SYS_PROCESS_INFO, child);
    CHECK_EQUAL(info.value[0], NX_PROCESS_DEAD);
    CHECK_EQUAL(info.value[1], (uint64_t)NX_EXIT_FAULTED);
}

static void test_a_supervisor_resumes_a_faulting_thread_or_ends_its_process(void **state)
{
    (void)state;
    run_on_one_and_four(supervise);
}

static int power_on(void **state)
{
    (void)state;
    fake_power_on(4);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_program_that_returns_leaves_nothing_behind),
        cmocka_unit_test(test_words_and_bytes_arrive_both_ways_with_the_callers_badge),
        cmocka_unit_test(test_malformed_messages_and_wrong_handles_are_refused_by_name),
        cmocka_unit_test(test_handles_ride_along_with_their_rights_or_the_message_fails_whole),
        cmocka_unit_test(
            test_saved_replies_answer_once_in_any_order_and_closing_one_abandons_its_caller),
        cmocka_unit_test(test_a_receiver_that_keeps_its_caller_hears_signals_and_of_other_callers),
        cmocka_unit_test(test_a_keeper_of_a_closed_endpoint_is_told_and_may_still_answer),
        cmocka_unit_test(test_an_abandoned_caller_gets_peer_closed),
        cmocka_unit_test(
            test_an_endpoint_without_a_receive_handle_takes_no_call_even_under_a_waiter),
        cmocka_unit_test(test_a_receiver_hears_its_bound_notification),
        cmocka_unit_test(test_a_signal_and_a_wait_in_one_wake_the_server_behind_the_waiting_client),
        cmocka_unit_test(test_a_supervisor_resumes_a_faulting_thread_or_ends_its_process),
    };
    return cmocka_run_group_tests_name("ipc", tests, power_on, NULL);
}
