// SPDX-License-Identifier: Apache-2.0
// Race: of two threads that exchange messages one is killed, at any moment. The other one learns of
// it, or notices nothing and finds the next partner.
#include "duel.h"
#include "races.h"

#define ROUNDS       100u
#define PATIENCE     (5 * NX_SECOND)
#define EXCHANGES    3u // that are seen before the kill
#define WORD_QUIT    99u
#define THREAD_STACK (16ul << 10)

struct exchange {
    nx_handle endpoint;
    _Atomic uint64_t answered;  // messages, by the server
    _Atomic uint64_t abandoned; // calls whose server went
    _Atomic enum nx_status unexpected;
    struct nx_thread server;
    struct nx_thread caller;
};

static bool is_unexpected(struct exchange *exchange, enum nx_status status)
{
    if (status != NX_OK) {
        atomic_store_explicit(&exchange->unexpected, status, memory_order_relaxed);
    }
    return status != NX_OK;
}

// Until the message says quit. A caller that was killed is no reason to stop.
static void server_thread(void *argument)
{
    struct exchange *exchange = argument;
    bool quit = false;

    while (!quit) {
        struct nx_message message;
        if (is_unexpected(exchange,
                          nx_endpoint_receive(exchange->endpoint, nx_deadline_after(2 * PATIENCE),
                                              &message))) {
            return;
        }
        quit = message.words[0] == WORD_QUIT;
        message.words[0] = ~message.words[0];
        message.info = 0;
        enum nx_status status = nx_endpoint_reply(NX_HANDLE_NONE, &message);
        if (status != NX_ERR_PEER_CLOSED && status != NX_ERR_BAD_STATE &&
            is_unexpected(exchange, status)) {
            return;
        }
        atomic_fetch_add_explicit(&exchange->answered, 1, memory_order_relaxed);
    }
}

// Until the answer says quit. A server that was killed is no reason to stop.
static void caller_thread(void *argument)
{
    struct exchange *exchange = argument;

    for (uint64_t number = 0;; number++) {
        struct nx_message message = {.words = {number << 8}, .info = NX_INFO_DEADLINE};
        nx_page()->deadline = nx_deadline_after(2 * PATIENCE);
        enum nx_status status = nx_endpoint_call(exchange->endpoint, &message);
        if (status == NX_ERR_PEER_CLOSED) {
            atomic_fetch_add_explicit(&exchange->abandoned, 1, memory_order_relaxed);
            continue;
        }
        if (is_unexpected(exchange, status) || message.words[0] == WORD_QUIT) {
            return;
        }
        if (message.words[0] != ~(number << 8)) {
            (void)is_unexpected(exchange, NX_ERR_BAD_FORMAT);
            return;
        }
    }
}

static bool is_going(void *context)
{
    const struct exchange *exchange = context;
    return atomic_load_explicit(&exchange->answered, memory_order_relaxed) >= EXCHANGES;
}

// The caller still calls, now this thread: at most one of its calls was lost with the server.
static enum test_outcome caller_survives(struct test_report *report, struct exchange *exchange)
{
    const struct nx_message quit = {.words = {WORD_QUIT}};
    struct nx_message message;

    EXPECT_OK(report,
              nx_endpoint_receive(exchange->endpoint, nx_deadline_after(PATIENCE), &message));
    EXPECT_OK(report, nx_endpoint_reply(NX_HANDLE_NONE, &quit));
    EXPECT(report, atomic_load_explicit(&exchange->abandoned, memory_order_relaxed) <= 1,
           "thread kill: more than one call failed");
    return TEST_PASS;
}

// The server still answers, now this thread.
static enum test_outcome server_survives(struct test_report *report,
                                         const struct exchange *exchange)
{
    struct nx_message message = {.words = {WORD_QUIT}, .info = NX_INFO_DEADLINE};

    nx_page()->deadline = nx_deadline_after(PATIENCE);
    EXPECT_OK(report, nx_endpoint_call(exchange->endpoint, &message));
    EXPECT(report, message.words[0] == ~(uint64_t)WORD_QUIT, "thread kill: answer %llu",
           (unsigned long long)message.words[0]);
    return TEST_PASS;
}

static enum test_outcome kill_one(struct test_report *report, struct exchange *exchange,
                                  bool server_dies)
{
    struct nx_thread *victim = server_dies ? &exchange->server : &exchange->caller;

    EXPECT(report, spin_until(is_going, exchange, PATIENCE), "thread kill: no exchange");
    duel_spin(duel_delay());
    EXPECT_OK(report, nx_thread_control(victim->handle, NX_THREAD_KILL, 0, 0));
    return server_dies ? caller_survives(report, exchange) : server_survives(report, exchange);
}

// Round after round on other harts: both on one, on two.
static enum nx_status exchange_open(struct exchange *exchange, unsigned round, uint32_t online)
{
    struct nx_thread_options server = {.stack_bytes = THREAD_STACK, .class = -1};
    struct nx_thread_options caller = server;
    // Its own hart leaves the test free to strike at any moment.
    unsigned home = online > 1 ? 1 : 0;
    unsigned other = online > 2 ? 2 : 0;
    server.affinity = 1ull << home;
    caller.affinity = 1ull << ((round / 2) % 2 == 0 ? home : other);

    enum nx_status status = nx_endpoint_create(&exchange->endpoint);
    if (status == NX_OK) {
        status = nx_thread_spawn(&server, server_thread, exchange, &exchange->server);
    }
    if (status == NX_OK) {
        status = nx_thread_spawn(&caller, caller_thread, exchange, &exchange->caller);
    }
    return status;
}

static enum test_outcome race_once(struct test_report *report, unsigned round, uint32_t online)
{
    // Static: a thread that does not end may still use it after a failure.
    static struct exchange exchange;
    exchange = (struct exchange){0};

    EXPECT_OK(report, exchange_open(&exchange, round, online));
    enum test_outcome outcome = kill_one(report, &exchange, round % 2 == 0);
    bool ended = thread_ends(&exchange.server);
    ended = thread_ends(&exchange.caller) && ended;
    nx_handle_drop(exchange.endpoint);
    if (outcome != TEST_PASS) {
        return outcome;
    }
    EXPECT(report, ended, "thread kill: round %u: a thread never ended", round);
    EXPECT_OK(report, atomic_load_explicit(&exchange.unexpected, memory_order_relaxed));
    return TEST_PASS;
}

enum test_outcome race_thread_kill(struct test_report *report, unsigned divisor)
{
    struct nx_info_system system;
    enum test_outcome outcome = TEST_PASS;

    EXPECT_OK(report, machine_system(&system));
    for (unsigned round = 0; round < (ROUNDS + divisor - 1) / divisor && outcome == TEST_PASS;
         round++) {
        outcome = race_once(report, round, system.harts_online);
    }
    return outcome;
}
