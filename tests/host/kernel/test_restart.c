// SPDX-License-Identifier: Apache-2.0
// Threads that are started anew: only once they have ended, each life ends once, and a kill of the
// thread or of its process finds them in whatever life they are.
#include "support/kernel_test.h"

#include "core/hart.h"
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define EXIT_BIT 1u
#define ROUNDS   400u

struct lives {
    nx_handle ended;
    nx_handle go;
    nx_handle thread;
    nx_handle process;
    _Atomic uint64_t begun;
    _Atomic bool stop;
    struct barrier done;
};

static enum nx_status restart(nx_handle thread, user_program program, void *argument,
                              uint64_t affinity, uint64_t class)
{
    return USER_SYSCALL(NX_SYS_THREAD_RESTART, thread, (uint64_t)(uintptr_t)program, 0,
                        (uint64_t)(uintptr_t)argument, 0, affinity, class)
        .status;
}

static void control(nx_handle thread, uint64_t operation, uint64_t value, uint64_t value2)
{
    CHECK_EQUAL(USER_SYSCALL(NX_SYS_THREAD_CONTROL, thread, operation, value, value2).status,
                NX_OK);
}

// A thread of `process`, not started, whose ends are signalled.
static nx_handle make_thread(struct lives *lives, user_program program)
{
    nx_handle thread;
    CHECK_EQUAL(user_thread_new(lives->process, program, lives, &thread), NX_OK);
    control(thread, NX_THREAD_SET_EXIT, lives->ended, EXIT_BIT);
    return thread;
}

static void live_shortly(void *argument)
{
    struct lives *lives = argument;
    atomic_fetch_add(&lives->begun, 1u);
    user_pause();
}

static void live_until_told(void *argument)
{
    struct lives *lives = argument;
    atomic_fetch_add(&lives->begun, 1u);
    (void)USER_SYSCALL(NX_SYS_NOTIFICATION_WAIT, lives->go, NX_DEADLINE_NEVER);
}

static void check_hart(void *argument)
{
    CHECK_EQUAL(user_hart(), 1);
    live_shortly(argument);
}

static void restart_again_and_again(void *argument)
{
    (void)argument;
    struct lives lives = {.ended = user_notification(), .go = user_notification()};
    nx_handle thread = make_thread(&lives, live_shortly);
    CHECK_EQUAL(restart(thread, live_shortly, &lives, 0, NX_CLASS_COUNT), NX_ERR_BAD_STATE);
    CHECK_EQUAL(USER_SYSCALL(NX_SYS_THREAD_START, thread).status, NX_OK);
    for (uint64_t life = 1; life <= ROUNDS; life++) {
        CHECK_EQUAL(user_wait(lives.ended, NX_DEADLINE_NEVER), EXIT_BIT);
        CHECK_EQUAL(atomic_load(&lives.begun), life);
        if (life % 3 == 0)
            CHECK_EQUAL(restart(thread, check_hart, &lives, 1u << 1, NX_CLASS_DRIVER), NX_OK);
        else
            CHECK_EQUAL(restart(thread, live_shortly, &lives, 0, NX_CLASS_COUNT), NX_OK);
    }
    CHECK_EQUAL(user_wait(lives.ended, NX_DEADLINE_NEVER), EXIT_BIT);
    // Alive it stays what it is.
    CHECK_EQUAL(restart(thread, live_until_told, &lives, 0, NX_CLASS_NORMAL), NX_OK);
    CHECK_EQUAL(restart(thread, live_shortly, &lives, 0, NX_CLASS_NORMAL), NX_ERR_BAD_STATE);
    CHECK_EQUAL(user_signal(lives.go, 1), NX_OK);
    CHECK_EQUAL(user_wait(lives.ended, NX_DEADLINE_NEVER), EXIT_BIT);
    CHECK_EQUAL(restart(thread, live_shortly, &lives, 1ull << 20, 0), NX_ERR_INVALID_ARGUMENT);
    CHECK_EQUAL(restart(thread, live_shortly, &lives, 0, NX_CLASS_COUNT + 1), NX_ERR_ACCESS_DENIED);
    CHECK_EQUAL(restart(lives.go, live_shortly, &lives, 0, 0), NX_ERR_WRONG_TYPE);
    CHECK_EQUAL(restart(12345, live_shortly, &lives, 0, 0), NX_ERR_BAD_HANDLE);
    CHECK_EQUAL(atomic_load(&lives.begun), ROUNDS + 2);
}

static void test_a_thread_that_has_ended_starts_anew_with_what_it_is_given(void **state)
{
    (void)state;
    kernel_run(2, restart_again_and_again, NULL);
    fake_perturb_level(6);
    kernel_run(4, restart_again_and_again, NULL);
}

static void kill_on(void *argument)
{
    struct lives *lives = argument;
    while (!atomic_load(&lives->stop)) {
        control(lives->thread, NX_THREAD_KILL, 0, 0);
        user_pause();
    }
    barrier_arrive(&lives->done);
}

static void restart_under_kills(void *argument)
{
    (void)argument;
    struct lives lives = {.ended = user_notification(), .go = user_notification()};
    barrier_open(&lives.done, 2);
    lives.thread = make_thread(&lives, live_until_told);
    CHECK_EQUAL(USER_SYSCALL(NX_SYS_THREAD_START, lives.thread).status, NX_OK);
    user_thread(0, kill_on, &lives);
    user_thread(0, kill_on, &lives);
    for (uint32_t i = 0; i < 3 * ROUNDS; i++) {
        // Nobody lets it go but the kills.
        CHECK_EQUAL(user_wait(lives.ended, NX_DEADLINE_NEVER), EXIT_BIT);
        CHECK_EQUAL(restart(lives.thread, live_until_told, &lives, 0, NX_CLASS_COUNT), NX_OK);
    }
    CHECK_EQUAL(user_wait(lives.ended, NX_DEADLINE_NEVER), EXIT_BIT);
    atomic_store(&lives.stop, true);
    barrier_wait(&lives.done);
}

static void test_each_life_can_be_killed_and_ends_once(void **state)
{
    (void)state;
    fake_perturb_level(6);
    kernel_run(4, restart_under_kills, NULL);
}

static void restart_on(void *argument)
{
    struct lives *lives = argument;
    enum nx_status status;
    do {
        status = restart(lives->thread, user_pause_program, NULL, 0, NX_CLASS_COUNT);
        atomic_fetch_add(&lives->begun, 1u);
    } while (!atomic_load(&lives->stop) && (status == NX_OK || status == NX_ERR_BAD_STATE));
    barrier_arrive(&lives->done);
}

static void kill_process_under_restarts(void *argument)
{
    (void)argument;
    for (uint64_t round = 0; round < 60; round++) {
        struct lives lives = {.process = user_process(100), .ended = user_notification()};
        nx_handle other;
        barrier_open(&lives.done, 2);
        CHECK_EQUAL(
            USER_SYSCALL(NX_SYS_PROCESS_BIND, lives.process, lives.ended, EXIT_BIT, 0).status,
            NX_OK);
        CHECK_EQUAL(user_thread_new(lives.process, user_pause_program, NULL, &lives.thread), NX_OK);
        // Never started: it keeps the process alive until that is killed.
        CHECK_EQUAL(user_thread_new(lives.process, user_pause_program, NULL, &other), NX_OK);
        CHECK_EQUAL(USER_SYSCALL(NX_SYS_THREAD_START, lives.thread).status, NX_OK);
        user_thread(0, restart_on, &lives);
        user_thread(0, restart_on, &lives);
        while (atomic_load(&lives.begun) < round)
            user_pause();
        CHECK_EQUAL(user_kill(lives.process), NX_OK);
        CHECK_EQUAL(user_wait(lives.ended, NX_DEADLINE_NEVER), EXIT_BIT);
        CHECK_EQUAL(restart(lives.thread, user_pause_program, NULL, 0, 0), NX_ERR_BAD_STATE);
        atomic_store(&lives.stop, true);
        barrier_wait(&lives.done);
        const nx_handle handles[] = {other, lives.thread, lives.process, lives.ended};
        for (uint32_t i = 0; i < 4; i++)
            CHECK_EQUAL(user_close(handles[i]), NX_OK);
        user_sleep(30000000); // budgets come back with a grace period
    }
}

static void test_a_process_dies_although_its_threads_are_started_anew(void **state)
{
    (void)state;
    fake_perturb_level(6);
    kernel_run(4, kill_process_under_restarts, NULL);
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
        cmocka_unit_test(test_a_thread_that_has_ended_starts_anew_with_what_it_is_given),
        cmocka_unit_test(test_each_life_can_be_killed_and_ends_once),
        cmocka_unit_test(test_a_process_dies_although_its_threads_are_started_anew),
    };
    return cmocka_run_group_tests_name("restart", tests, power_on, NULL);
}
