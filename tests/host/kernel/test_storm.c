// SPDX-License-Identifier: Apache-2.0
// Everything at once on four harts: calls, deadlines, saved replies, handles, signals, and kills at
// any point. What returns must be right; nobody waits for ever; all memory comes back.
#include "support/kernel_test.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define ROUNDS  40u
#define CALLS   60u
#define BUDGET  60u // pages of a process
#define CLIENTS 2u  // processes, of two threads each

// One process of a round, as its own programs see it.
struct party {
    nx_handle process;  // in the first process
    nx_handle endpoint; // in this process
    nx_handle gift;     // a notification that may ride along
    uint64_t seed;
    uint64_t badge;
};

static struct {
    struct party server;
    struct party clients[CLIENTS];
    _Atomic uint64_t answered;
    _Atomic uint64_t failed;
} storm;

static uint64_t answer_to(uint64_t word)
{
    return word * 0x9e3779b97f4a7c15ull + 1;
}

static bool is_expected_failure(enum nx_status status)
{
    return status == NX_ERR_TIMED_OUT || status == NX_ERR_PEER_CLOSED ||
           status == NX_ERR_CANCELLED || status == NX_ERR_NO_MEMORY ||
           status == NX_ERR_BAD_HANDLE || status == NX_ERR_BAD_STATE;
}

// --- Server
// ---------------------------------------------------------------------------------------

static void check_message(const struct user_result *message)
{
    CHECK(message->badge >= 100 && message->badge < 100 + CLIENTS);
    CHECK_EQUAL(message->value[1], ~message->value[0]);
    uint32_t bytes = NX_INFO_BYTES(message->info);
    for (uint32_t i = 0; i < bytes; i++)
        CHECK_EQUAL(user_page()->data[i], (uint8_t)(message->value[0] + i));
    for (uint32_t i = 0; i < NX_INFO_HANDLES(message->info); i++) {
        CHECK_EQUAL(user_signal(user_page()->handles[i], 1), NX_OK);
        CHECK_EQUAL(user_close(user_page()->handles[i]), NX_OK);
    }
}

// Answers the message in one of the ways that there are; -> the next one, where that comes with it.
static struct user_result answer(struct party *self, struct random *random,
                                 const struct user_result *message)
{
    uint64_t word = answer_to(message->value[0]);
    struct user_result save;
    switch (random_below(random, 8)) {
    case 0: // not at all: the next receive gives the caller up
        break;
    case 1:
        save = USER_SYSCALL(NX_SYS_REPLY_SAVE, 0);
        CHECK_EQUAL(save.status, NX_OK);
        user_pause();
        CHECK_EQUAL(user_close((nx_handle)save.value[0]), NX_OK);
        break;
    case 2:
    case 3:
        save = USER_SYSCALL(NX_SYS_REPLY_SAVE, 0);
        CHECK_EQUAL(save.status, NX_OK);
        user_pause();
        save.status = USER_SYSCALL(NX_SYS_REPLY, save.value[0], word).status;
        CHECK(save.status == NX_OK || save.status == NX_ERR_PEER_CLOSED);
        break;
    case 4:
        save.status = user_reply(word);
        CHECK(save.status == NX_OK || save.status == NX_ERR_PEER_CLOSED);
        break;
    default:
        return USER_SYSCALL(NX_SYS_REPLY_RECEIVE, self->endpoint, word);
    }
    uint64_t deadline = random_below(random, 2) == 0 ? NX_DEADLINE_NEVER : user_deadline(200000);
    return user_receive(self->endpoint, deadline);
}

static void serve(void *argument)
{
    struct party *self = argument;
    struct random random = random_seed(self->seed);
    struct user_result message = user_receive(self->endpoint, NX_DEADLINE_NEVER);
    for (;;) {
        if (message.status == NX_OK) {
            check_message(&message);
            message = answer(self, &random, &message);
            continue;
        }
        CHECK(is_expected_failure(message.status));
        if (message.status == NX_ERR_PEER_CLOSED)
            return;
        message = user_receive(self->endpoint, NX_DEADLINE_NEVER);
    }
}

// --- Clients
// --------------------------------------------------------------------------------------

static void call_often(void *argument)
{
    struct party *self = argument;
    struct random random = random_seed(self->seed + user_hart());
    for (uint32_t i = 0; i < CALLS; i++) {
        uint64_t word = random_next(&random);
        uint32_t bytes = (uint32_t)random_below(&random, 3) * 20;
        uint32_t gifts = random_below(&random, 4) == 0;
        uint64_t flags = random_below(&random, 3) == 0 ? NX_INFO_DEADLINE : 0;
        for (uint32_t j = 0; j < bytes; j++)
            user_page()->data[j] = (uint8_t)(word + j);
        user_page()->handles[0] = self->gift;
        user_page()->deadline = user_deadline(random_below(&random, 300000));
        struct user_result result =
            USER_SYSCALL(NX_SYS_CALL | NX_INFO(bytes, gifts) | flags, self->endpoint, word, ~word);
        if (result.status == NX_OK) {
            CHECK_EQUAL(result.value[0], answer_to(word));
            atomic_fetch_add(&storm.answered, 1u);
        } else {
            CHECK(is_expected_failure(result.status));
            atomic_fetch_add(&storm.failed, 1u);
        }
    }
}

// --- Rounds
// ---------------------------------------------------------------------------------------

// Both exist before one runs: a process ends with its last thread.
static void start_two(struct party *party, user_program program)
{
    nx_handle threads[2];
    for (int i = 0; i < 2; i++)
        CHECK_EQUAL(user_thread_new(party->process, program, party, &threads[i]), NX_OK);
    for (int i = 0; i < 2; i++) {
        CHECK_EQUAL(USER_SYSCALL(NX_SYS_THREAD_START, threads[i]).status, NX_OK);
        CHECK_EQUAL(user_close(threads[i]), NX_OK);
    }
}

static void open_server(nx_handle endpoint, nx_handle ended, uint64_t seed)
{
    struct party *server = &storm.server;
    *server = (struct party){.process = user_process(BUDGET), .seed = seed};
    server->endpoint = user_grant(server->process, endpoint, NX_RIGHT_RECEIVE);
    CHECK_EQUAL(USER_SYSCALL(NX_SYS_PROCESS_BIND, server->process, ended, 1).status, NX_OK);
    start_two(server, serve);
}

static void open_client(uint32_t index, nx_handle endpoint, nx_handle ended, uint64_t seed)
{
    struct party *client = &storm.clients[index];
    *client = (struct party){.process = user_process(BUDGET), .seed = seed};
    struct user_result badged =
        USER_SYSCALL(NX_SYS_HANDLE_DUPLICATE, endpoint, NX_RIGHTS_ALL, 100 + index);
    CHECK_EQUAL(badged.status, NX_OK);
    client->endpoint = user_grant(client->process, (nx_handle)badged.value[0], NX_RIGHT_CALL);
    CHECK_EQUAL(user_close((nx_handle)badged.value[0]), NX_OK);
    nx_handle gift = user_notification();
    client->gift = user_grant(client->process, gift, NX_RIGHT_SIGNAL | NX_RIGHT_TRANSFER);
    CHECK_EQUAL(user_close(gift), NX_OK);
    CHECK_EQUAL(USER_SYSCALL(NX_SYS_PROCESS_BIND, client->process, ended, 2u << index).status,
                NX_OK);
    start_two(client, call_often);
}

static void one_round(struct random *random, bool merciless)
{
    const uint64_t all = (2u << CLIENTS) - 1;
    nx_handle endpoint = user_endpoint();
    nx_handle ended = user_notification();
    open_server(endpoint, ended, random_next(random));
    for (uint32_t i = 0; i < CLIENTS; i++)
        open_client(i, endpoint, ended, random_next(random));
    // From here on only the server can receive.
    CHECK_EQUAL(user_close(endpoint), NX_OK);
    if (merciless) {
        user_sleep(random_below(random, 3000000) + 1);
        struct party *victim = random_below(random, 2) == 0 ? &storm.server : &storm.clients[0];
        CHECK_EQUAL(user_kill(victim->process), NX_OK);
    }
    uint64_t bits = 0;
    while ((bits & (all & ~1ull)) != (all & ~1ull))
        bits |= user_wait(ended, NX_DEADLINE_NEVER);
    CHECK_EQUAL(user_kill(storm.server.process), NX_OK);
    while (bits != all)
        bits |= user_wait(ended, NX_DEADLINE_NEVER);
    CHECK_EQUAL(user_close(storm.server.process), NX_OK);
    for (uint32_t i = 0; i < CLIENTS; i++)
        CHECK_EQUAL(user_close(storm.clients[i].process), NX_OK);
    CHECK_EQUAL(user_close(ended), NX_OK);
    // Their budgets come back with a grace period.
    user_sleep(30000000);
}

static void raise_storm(void *argument)
{
    struct random random = random_seed((uint64_t)(uintptr_t)argument);
    for (uint32_t round = 0; round < ROUNDS; round++)
        one_round(&random, round % 2 == 1);
    CHECK(atomic_load(&storm.answered) > 0 && atomic_load(&storm.failed) > 0);
}

static void run_storm(uint32_t hart_total, uint64_t seed, unsigned level)
{
    fake_perturb_level(level);
    kernel_run(hart_total, raise_storm, (void *)(uintptr_t)seed);
}

static void test_answers_are_right_and_every_wait_ends_when_processes_die_at_any_point(void **state)
{
    (void)state;
    run_storm(4, 1, 2);
    run_storm(4, 2, 40);
    run_storm(2, 3, 10);
    run_storm(1, 4, 0);
}

// --- Signals
// --------------------------------------------------------------------------------------

#define SIGNALS 6000u

static struct {
    nx_handle endpoint;
    nx_handle signal;
    nx_handle acknowledge;
    struct barrier done;
} lane;

// Takes each signal once, by whichever way of waiting comes next.
static void hear(void *argument)
{
    struct random random = random_seed(7);
    (void)argument;
    CHECK_EQUAL(USER_SYSCALL(NX_SYS_NOTIFICATION_BIND, lane.signal).status, NX_OK);
    for (uint32_t i = 0; i < SIGNALS; i++) {
        uint64_t bits = 0;
        while (bits == 0) {
            uint64_t deadline =
                random_below(&random, 3) == 0 ? user_deadline(1000) : NX_DEADLINE_NEVER;
            if (random_below(&random, 2) == 0) {
                bits = user_wait(lane.signal, deadline);
                continue;
            }
            struct user_result result = user_receive(lane.endpoint, deadline);
            if (result.status == NX_OK) {
                CHECK_EQUAL(result.info, NX_INFO_NOTIFICATION);
                bits = result.value[0];
            } else {
                CHECK_EQUAL(result.status, NX_ERR_TIMED_OUT);
            }
        }
        CHECK_EQUAL(bits, 1ull << i % 64);
        CHECK_EQUAL(user_signal(lane.acknowledge, 1), NX_OK);
    }
    barrier_arrive(&lane.done);
}

static void speak(void *argument)
{
    (void)argument;
    lane.endpoint = user_endpoint();
    lane.signal = user_notification();
    lane.acknowledge = user_notification();
    barrier_open(&lane.done, 1);
    user_thread(0, hear, NULL);
    for (uint32_t i = 0; i < SIGNALS; i++) {
        CHECK_EQUAL(user_signal(lane.signal, 1ull << i % 64), NX_OK);
        CHECK_EQUAL(user_wait(lane.acknowledge, NX_DEADLINE_NEVER), 1);
    }
    barrier_wait(&lane.done);
}

static void test_no_signal_is_lost_or_heard_twice_however_it_is_waited_for(void **state)
{
    (void)state;
    fake_perturb_level(20);
    kernel_run(4, speak, NULL);
    kernel_run(1, speak, NULL);
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
        cmocka_unit_test(
            test_answers_are_right_and_every_wait_ends_when_processes_die_at_any_point),
        cmocka_unit_test(test_no_signal_is_lost_or_heard_twice_however_it_is_waited_for),
    };
    return cmocka_run_group_tests_name("storm", tests, power_on, NULL);
}
