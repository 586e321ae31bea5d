// SPDX-License-Identifier: Apache-2.0
// Self-test of calls that race for one object: every outcome is one that the interface names, the
// two sides agree on who was first, and all memory comes back.
#include "races.h"
#include "duel.h"

#define PROCESS_ROUNDS  1000u
#define ENDPOINT_ROUNDS 1000u
#define REPLY_ROUNDS    1000u
#define WARM_UP         20u // rounds after which the allocators have what they keep
#define PROCESS_PAGES   4u
#define PATIENCE        (5 * NX_SECOND)
#define SETTLE_TIME     (10 * NX_SECOND)
#define LOST_PAGES_MAX  4u  // of this process's budget
#define LOST_FRAMES_MAX 64u // of the system

// ---- The calls ----------------------------------------------------------------------------------

static enum nx_status strike_close(void *context)
{
    return nx_handle_close(*(const nx_handle *)context);
}

static enum nx_status strike_kill(void *context)
{
    return nx_process_kill(*(const nx_handle *)context, NX_EXIT_KILLED);
}

static enum nx_status strike_call(void *context)
{
    struct nx_message message = {.info = NX_INFO_DEADLINE};
    nx_page()->deadline = nx_deadline_after(PATIENCE);
    return nx_endpoint_call(*(const nx_handle *)context, &message);
}

// ---- A process that was never started: killed, and its last handle closed -----------------------

struct process_try {
    nx_handle process;
    enum nx_status status;
};

static bool process_made(void *context)
{
    struct process_try *attempt = context;
    attempt->status =
        nx_process_create(PROCESS_PAGES, "selftest-race", NX_CLASS_NORMAL, &attempt->process);
    return attempt->status != NX_ERR_NO_MEMORY; // until the budget of earlier ones has come back
}

static enum test_outcome kill_or_close(struct test_report *report, struct duel *duel,
                                       unsigned rounds)
{
    for (unsigned round = 0; round < rounds; round++) {
        struct process_try attempt = {0};
        bool rival_kills = round % 2 == 1;
        EXPECT(report,
               nx_wait_until(process_made, &attempt, SETTLE_TIME) && attempt.status == NX_OK,
               "round %u: process: %s", round, nx_status_text(attempt.status));
        EXPECT_OK(report,
                  duel_begin(duel, rival_kills ? strike_kill : strike_close, &attempt.process));
        enum nx_status mine =
            rival_kills ? strike_close(&attempt.process) : strike_kill(&attempt.process);
        enum nx_status theirs = duel_end(duel);
        enum nx_status killed = rival_kills ? theirs : mine;
        enum nx_status closed = rival_kills ? mine : theirs;
        EXPECT(report, closed == NX_OK && (killed == NX_OK || killed == NX_ERR_BAD_HANDLE),
               "round %u: close: %s; kill: %s", round, nx_status_text(closed),
               nx_status_text(killed));
    }
    return TEST_PASS;
}

// ---- An endpoint: called, and its last handle closed --------------------------------------------

static enum test_outcome call_or_close(struct test_report *report, struct duel *duel,
                                       unsigned rounds)
{
    for (unsigned round = 0; round < rounds; round++) {
        nx_handle endpoint;
        EXPECT_OK(report, nx_endpoint_create(&endpoint));
        EXPECT_OK(report, duel_begin(duel, strike_call, &endpoint));
        enum nx_status closed = strike_close(&endpoint);
        enum nx_status called = duel_end(duel);
        EXPECT(report,
               closed == NX_OK && (called == NX_ERR_PEER_CLOSED || called == NX_ERR_BAD_HANDLE),
               "round %u: close: %s; call: %s", round, nx_status_text(closed),
               nx_status_text(called));
    }
    return TEST_PASS;
}

// ---- A saved reply right: used, and closed ------------------------------------------------------

// The caller learns of exactly one of the two.
static enum test_outcome reply_or_close_once(struct test_report *report, struct duel *caller,
                                             struct duel *closer, nx_handle endpoint,
                                             unsigned round)
{
    struct nx_message message;
    const struct nx_message answer = {.words = {round}};
    nx_handle reply;

    EXPECT_OK(report, duel_begin(caller, strike_call, &endpoint));
    EXPECT_OK(report, nx_endpoint_receive(endpoint, nx_deadline_after(PATIENCE), &message));
    EXPECT_OK(report, nx_reply_save(&reply));
    EXPECT_OK(report, duel_begin(closer, strike_close, &reply));
    enum nx_status replied = nx_endpoint_reply(reply, &answer);
    enum nx_status closed = duel_end(closer);
    enum nx_status called = duel_end(caller);
    // A reply that was sent may still find its handle closed (docs/abi.md, reply).
    bool reply_won = called == NX_OK && (replied == NX_OK || replied == NX_ERR_BAD_HANDLE);
    bool close_won = called == NX_ERR_PEER_CLOSED && closed == NX_OK &&
                     (replied == NX_ERR_BAD_HANDLE || replied == NX_ERR_PEER_CLOSED);
    bool used_once = closed == NX_OK || (closed == NX_ERR_BAD_HANDLE && replied == NX_OK);
    EXPECT(report, used_once && (reply_won || close_won),
           "round %u: reply: %s; close: %s; call: %s", round, nx_status_text(replied),
           nx_status_text(closed), nx_status_text(called));
    return TEST_PASS;
}

static enum test_outcome reply_or_close(struct test_report *report, struct duel *caller,
                                        struct duel *closer, unsigned rounds)
{
    nx_handle endpoint;
    enum test_outcome outcome = TEST_PASS;

    EXPECT_OK(report, nx_endpoint_create(&endpoint));
    for (unsigned round = 0; round < rounds && outcome == TEST_PASS; round++) {
        outcome = reply_or_close_once(report, caller, closer, endpoint, round);
    }
    nx_handle_drop(endpoint);
    return outcome;
}

// ---- All of them --------------------------------------------------------------------------------

// `divisor` 1: all rounds.
static enum test_outcome duel_all(struct test_report *report, struct duel *one, struct duel *two,
                                  unsigned divisor)
{
    enum test_outcome outcome = kill_or_close(report, one, PROCESS_ROUNDS / divisor);
    if (outcome == TEST_PASS) {
        outcome = call_or_close(report, one, ENDPOINT_ROUNDS / divisor);
    }
    if (outcome == TEST_PASS) {
        outcome = reply_or_close(report, one, two, REPLY_ROUNDS / divisor);
    }
    return outcome;
}

static enum test_outcome duels(struct test_report *report, unsigned divisor)
{
    struct duel one = {0};
    struct duel two = {0};

    EXPECT_OK(report, duel_open(&one, 1));
    enum nx_status status = duel_open(&two, 2);
    enum test_outcome outcome = status == NX_OK
                                    ? duel_all(report, &one, &two, divisor)
                                    : test_fail(report, "spawn: %s", nx_status_text(status));
    bool ended = duel_close(&one) && (status != NX_OK || duel_close(&two));
    if (outcome == TEST_PASS && !ended) {
        return test_fail(report, "a rival never ended");
    }
    return outcome;
}

static enum test_outcome races(struct test_report *report, unsigned divisor)
{
    enum test_outcome outcome = duels(report, divisor);
    if (outcome == TEST_PASS) {
        outcome = race_unmap(report, divisor);
    }
    if (outcome == TEST_PASS) {
        outcome = race_thread_kill(report, divisor);
    }
    if (outcome == TEST_PASS) {
        outcome = race_crowd(report, divisor);
    }
    return outcome;
}

// ---- Does everything come back? -----------------------------------------------------------------

struct memory_watch {
    uint64_t frames_before;
    uint64_t pages_before;
    struct nx_info_system system;
    struct nx_process_facts self;
    enum nx_status status;
};

static enum nx_status memory_look(struct memory_watch *watch)
{
    enum nx_status status = machine_system(&watch->system);
    return status == NX_OK ? nx_process_info(nx_start_handle(NX_START_PROCESS), &watch->self)
                           : status;
}

static bool memory_settled(void *context)
{
    struct memory_watch *watch = context;
    watch->status = memory_look(watch);
    return watch->status != NX_OK ||
           (watch->system.objects_retired == 0 &&
            watch->system.frames_free + LOST_FRAMES_MAX >= watch->frames_before &&
            watch->self.pages_used <= watch->pages_before + LOST_PAGES_MAX);
}

enum test_outcome test_races(struct test_report *report)
{
    struct memory_watch watch = {0};

    enum test_outcome outcome = races(report, PROCESS_ROUNDS / WARM_UP);
    if (outcome == TEST_PASS) {
        watch.pages_before = UINT64_MAX - LOST_PAGES_MAX; // only that nothing is retired
        EXPECT(report, nx_wait_until(memory_settled, &watch, SETTLE_TIME), "retired at first: %llu",
               (unsigned long long)watch.system.objects_retired);
        watch.frames_before = watch.system.frames_free;
        watch.pages_before = watch.self.pages_used;
        outcome = races(report, 1);
    }
    if (outcome != TEST_PASS) {
        return outcome;
    }
    EXPECT(report, nx_wait_until(memory_settled, &watch, SETTLE_TIME) && watch.status == NX_OK,
           "not settled: free frames %llu of %llu, own pages %llu of %llu, retired %llu: %s",
           (unsigned long long)watch.system.frames_free, (unsigned long long)watch.frames_before,
           (unsigned long long)watch.self.pages_used, (unsigned long long)watch.pages_before,
           (unsigned long long)watch.system.objects_retired, nx_status_text(watch.status));
    return TEST_PASS;
}
