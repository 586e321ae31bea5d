// SPDX-License-Identifier: Apache-2.0
// Harts that leave and come back under load: no thread, deadline or wake-up stays behind.
#include "support/kernel_test.h"

#include "nexus/info.h"
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define WORKERS 6u
#define ROUNDS  3000u

struct work {
    nx_handle here[WORKERS]; // notifications, one per worker
    _Atomic uint32_t working;
    _Atomic uint64_t stops;
    struct barrier done;
};

struct worker {
    struct work *work;
    uint32_t index;
};

static enum nx_status hart_control(uint64_t hart, enum nx_hart_operation operation)
{
    return USER_SYSCALL(NX_SYS_HART_CONTROL, first_machine, hart, operation).status;
}

// Moves about by affinity and yield, sleeps, and passes a signal to and fro with its neighbour.
static void wander(void *argument)
{
    struct worker *self = argument;
    struct work *work = self->work;
    struct random random = random_seed(self->index);
    for (uint32_t round = 0; round < ROUNDS; round++) {
        CHECK_EQUAL(user_wait(work->here[self->index], NX_DEADLINE_NEVER), 1);
        uint64_t hart = random_below(&random, 4);
        enum nx_status status =
            USER_SYSCALL(NX_SYS_THREAD_CONTROL, 0, NX_THREAD_SET_AFFINITY, 1ull << hart).status;
        CHECK(status == NX_OK || status == NX_ERR_INVALID_ARGUMENT); // that hart is offline
        if (random_below(&random, 4) == 0)
            user_sleep(random_below(&random, 100000) + 1);
        (void)USER_SYSCALL(NX_SYS_THREAD_YIELD, random_below(&random, 4));
        if (random_below(&random, 3) == 0)
            CHECK_EQUAL(USER_SYSCALL(NX_SYS_THREAD_CONTROL, 0, NX_THREAD_SET_AFFINITY, 0xf).status,
                        NX_OK);
        CHECK_EQUAL(user_signal(work->here[self->index ^ 1], 1), NX_OK);
    }
    atomic_fetch_sub(&work->working, 1u);
    barrier_arrive(&work->done);
}

static void stop_and_start(void *argument)
{
    struct work *work = argument;
    struct random random = random_seed(99);
    while (atomic_load(&work->working) > 0) {
        uint64_t hart = 1 + random_below(&random, 3);
        if (hart_control(hart, NX_HART_STOP) == NX_OK)
            atomic_fetch_add(&work->stops, 1u);
        if (random_below(&random, 2) == 0)
            user_sleep(random_below(&random, 1000000) + 1);
        hart = 1 + random_below(&random, 3);
        enum nx_status status = hart_control(hart, NX_HART_START);
        CHECK(status == NX_OK || status == NX_ERR_BAD_STATE || status == NX_ERR_BUSY);
        user_pause();
    }
    barrier_arrive(&work->done);
}

static void harts_come_and_go(void *argument)
{
    (void)argument;
    static struct work work;
    static struct worker workers[WORKERS];
    atomic_store(&work.working, WORKERS);
    barrier_open(&work.done, WORKERS + 1);
    CHECK_EQUAL(hart_control(0, NX_HART_STOP), NX_ERR_BAD_STATE);
    CHECK_EQUAL(hart_control(4, NX_HART_STOP), NX_ERR_OUT_OF_RANGE);
    for (uint32_t i = 0; i < WORKERS; i++)
        work.here[i] = user_notification();
    for (uint32_t i = 0; i < WORKERS; i++) {
        workers[i] = (struct worker){&work, i};
        user_thread(0, wander, &workers[i]);
    }
    user_thread(0, stop_and_start, &work);
    for (uint32_t i = 0; i < WORKERS; i += 2)
        CHECK_EQUAL(user_signal(work.here[i], 1), NX_OK);
    barrier_wait(&work.done);
    CHECK(atomic_load(&work.stops) > 0);
}

static void test_no_thread_is_lost_when_harts_leave_and_come_back(void **state)
{
    (void)state;
    fake_perturb_level(20);
    kernel_run(4, harts_come_and_go, NULL);
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
        cmocka_unit_test(test_no_thread_is_lost_when_harts_leave_and_come_back),
    };
    return cmocka_run_group_tests_name("harts", tests, power_on, NULL);
}
