// SPDX-License-Identifier: Apache-2.0
// Objects that go while others still look at them: no hart reads freed memory, and all of it
// returns.
#include "support/kernel_test.h"

#include "nexus/info.h"
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define LEVEL 6u // of disturbance where locks change hands

struct race {
    nx_handle endpoint;
    nx_handle notification;
    nx_handle process;
    uint64_t address;
    _Atomic bool stop;
    _Atomic uint64_t count;
    struct barrier done;
};

// --- Threads made in a process that is being killed
// -----------------------------------------------

static void make_threads(void *argument)
{
    struct race *race = argument;
    nx_handle thread;
    enum nx_status status;
    while ((status = user_thread_new(race->process, user_pause_program, NULL, &thread)) == NX_OK) {
        CHECK_EQUAL(user_close(thread), NX_OK);
        atomic_fetch_add(&race->count, 1u);
    }
    CHECK(status == NX_ERR_BAD_STATE || status == NX_ERR_NO_MEMORY);
    barrier_arrive(&race->done);
}

static void kill_while_making(void *argument)
{
    (void)argument;
    for (uint64_t round = 0; round < 60; round++) {
        struct race race = {.process = user_process(300)};
        barrier_open(&race.done, 2);
        user_thread(0, make_threads, &race);
        user_thread(0, make_threads, &race);
        while (atomic_load(&race.count) < round % 40)
            user_pause();
        CHECK_EQUAL(user_kill(race.process), NX_OK);
        barrier_wait(&race.done);
        CHECK_EQUAL(user_close(race.process), NX_OK);
        user_sleep(30000000); // budgets come back with a grace period
    }
}

static void test_a_process_can_be_killed_while_others_make_threads_in_it(void **state)
{
    (void)state;
    fake_perturb_level(300);
    kernel_run(4, kill_while_making, NULL);
}

static void make_one_thread(void *argument)
{
    struct race *race = argument;
    nx_handle thread;
    enum nx_status status = user_thread_new(race->process, user_pause_program, NULL, &thread);
    CHECK(status == NX_OK || status == NX_ERR_BAD_HANDLE);
    if (status == NX_OK)
        CHECK_EQUAL(USER_SYSCALL(NX_SYS_THREAD_CONTROL, thread, NX_THREAD_KILL).status, NX_OK);
    barrier_arrive(&race->done);
}

static void close_while_making(void *argument)
{
    (void)argument;
    for (uint64_t round = 0; round < 200; round++) {
        struct race race = {.process = user_process(30)};
        barrier_open(&race.done, 1);
        nx_handle thread = user_thread(0, make_one_thread, &race);
        for (uint64_t i = 0; i < round % 8; i++)
            user_pause();
        CHECK_EQUAL(user_close(race.process), NX_OK);
        barrier_wait(&race.done);
        CHECK_EQUAL(user_close(thread), NX_OK);
    }
}

static void test_the_last_handle_of_a_process_can_go_while_a_thread_is_made_in_it(void **state)
{
    (void)state;
    fake_perturb_level(300);
    kernel_run(4, close_while_making, NULL);
}

// --- Processes that make processes
// ----------------------------------------------------------------

static void wait_for_ever(void *argument)
{
    (void)argument;
    user_sleep(NX_DEADLINE_NEVER / 2);
}

// Has `depth` generations below it, each with a sibling that never runs, and forgets all of them.
static void make_generations(void *argument)
{
    uintptr_t depth = (uintptr_t)argument;
    if (depth > 0) {
        nx_handle unstarted = user_process(16);
        nx_handle thread;
        CHECK_EQUAL(user_thread_new(unstarted, user_pause_program, NULL, &thread), NX_OK);
        nx_handle child = user_process(depth * 60);
        nx_handle running = user_thread(child, make_generations, (void *)(depth - 1));
        CHECK_EQUAL(user_close(running), NX_OK);
        CHECK_EQUAL(user_close(thread), NX_OK);
        CHECK_EQUAL(user_close(unstarted), NX_OK);
        CHECK_EQUAL(user_close(child), NX_OK);
    }
    wait_for_ever(NULL);
}

static void kill_the_first_generation(void *argument)
{
    (void)argument;
    for (uint64_t round = 0; round < 40; round++) {
        nx_handle process = user_process(400);
        nx_handle thread = user_thread(process, make_generations, (void *)4);
        for (uint64_t i = 0; i < round * 4; i++)
            user_pause();
        CHECK_EQUAL(user_kill(process), NX_OK);
        CHECK_EQUAL(user_close(thread), NX_OK);
        CHECK_EQUAL(user_close(process), NX_OK);
        user_sleep(200000000); // budgets come back with grace periods, one for each generation
    }
    // kernel_run sees that no process is left.
}

static void test_a_process_takes_its_children_and_theirs_along(void **state)
{
    (void)state;
    fake_perturb_level(LEVEL);
    kernel_run(4, kill_the_first_generation, NULL);
}

// --- Drivers whose device may still write
// -----------------------------------------------------------

#define DRIVER_STATUS 5u
#define HELD_PAGES    100u // more than its supervisor uses itself

struct driver {
    nx_handle machine; // its own, as are the other two
    nx_handle memory;
    nx_handle asked;
    bool asks; // where its memory and its client's lie
    bool ends; // by itself; else it waits to be killed
};

static void ask_where(nx_handle driver_machine, nx_handle memory)
{
    CHECK_EQUAL(
        USER_SYSCALL(NX_SYS_MEMORY_PHYSICAL, driver_machine, memory, 0, NX_PAGE_SIZE).status,
        NX_OK);
}

static void drive(void *argument)
{
    struct driver *driver = argument;
    bool ends = driver->ends;
    if (driver->asks) {
        ask_where(driver->machine, driver->memory);
        ask_where(driver->machine, user_memory(NX_PAGE_SIZE));
    }
    CHECK_EQUAL(user_signal(driver->asked, 1), NX_OK);
    if (!ends)
        (void)user_wait(user_notification(), NX_DEADLINE_NEVER);
    (void)USER_SYSCALL(NX_SYS_PROCESS_EXIT, DRIVER_STATUS);
    fake_fail(__FILE__, __LINE__, "process_exit returned");
}

static uint64_t process_state(nx_handle process)
{
    return USER_SYSCALL(NX_SYS_PROCESS_INFO, process).value[0];
}

// -> the process of a driver that is at its end and has the only handle to its client's memory.
static nx_handle driver_end(struct driver *driver, nx_handle ended)
{
    nx_handle process = user_process(30);
    nx_handle memory = user_memory(NX_PAGE_SIZE);
    nx_handle asked = user_notification();
    driver->machine = user_grant(process, first_machine, NX_RIGHT_DMA);
    driver->memory = user_grant(process, memory, NX_RIGHT_WRITE);
    driver->asked = user_grant(process, asked, NX_RIGHT_SIGNAL);
    if (ended != 0)
        CHECK_EQUAL(USER_SYSCALL(NX_SYS_PROCESS_BIND, process, ended, 1, 0).status, NX_OK);
    CHECK_EQUAL(user_close(user_thread(process, drive, driver)), NX_OK);
    CHECK_EQUAL(user_wait(asked, NX_DEADLINE_NEVER), 1);
    CHECK_EQUAL(user_close(asked), NX_OK);
    CHECK_EQUAL(user_close(memory), NX_OK);
    if (!driver->ends)
        CHECK_EQUAL(USER_SYSCALL(NX_SYS_PROCESS_KILL, process, DRIVER_STATUS).status, NX_OK);
    return process;
}

static void hold_and_let_go(void *argument)
{
    (void)argument;
    for (uint64_t round = 0; round < 60; round++) {
        struct driver driver = {.asks = true, .ends = round % 2 == 0};
        nx_handle ended = user_notification();
        nx_handle thread;
        nx_handle process = driver_end(&driver, ended);
        CHECK_EQUAL(user_wait(ended, NX_DEADLINE_NEVER), 1);
        struct user_result held = USER_SYSCALL(NX_SYS_PROCESS_INFO, process);
        // Nothing but the one word moves it: no kill, no new thread, no time.
        CHECK_EQUAL(user_kill(process), NX_OK);
        CHECK_EQUAL(user_thread_new(process, user_pause_program, NULL, &thread), NX_ERR_BAD_STATE);
        user_sleep(100000000);
        struct user_result info = USER_SYSCALL(NX_SYS_PROCESS_INFO, process);
        CHECK_EQUAL(info.value[0], NX_PROCESS_HELD);
        CHECK_EQUAL(info.value[1], DRIVER_STATUS);
        CHECK_EQUAL(info.value[2], held.value[2]); // pages used
        CHECK_EQUAL(USER_SYSCALL(NX_SYS_PROCESS_KILL, process, (uint64_t)NX_EXIT_LET_GO).status,
                    NX_OK);
        CHECK_EQUAL(user_wait(ended, NX_DEADLINE_NEVER), 1);
        info = USER_SYSCALL(NX_SYS_PROCESS_INFO, process);
        CHECK_EQUAL(info.value[0], NX_PROCESS_DEAD);
        CHECK_EQUAL(info.value[1], DRIVER_STATUS);
        CHECK_EQUAL(user_close(process), NX_OK);
        CHECK_EQUAL(user_close(ended), NX_OK);
    }
    // kernel_run sees that every frame is back.
}

static void test_a_driver_keeps_its_memory_until_it_is_let_go(void **state)
{
    (void)state;
    fake_perturb_level(LEVEL);
    kernel_run(1, hold_and_let_go, NULL);
    kernel_run(4, hold_and_let_go, NULL);
}

static void save_the_caller(void *argument)
{
    struct driver *driver = argument;
    ask_where(driver->machine, user_memory(NX_PAGE_SIZE));
    CHECK_EQUAL(user_receive(driver->asked, NX_DEADLINE_NEVER).status, NX_OK);
    CHECK_EQUAL(USER_SYSCALL(NX_SYS_REPLY_SAVE).status, NX_OK);
    (void)USER_SYSCALL(NX_SYS_PROCESS_EXIT, DRIVER_STATUS);
    fake_fail(__FILE__, __LINE__, "process_exit returned");
}

// A caller whose right to an answer the driver had saved does not wait for the device. What is held
// stays held without a handle to it; kernel_run sees that it goes with its creator.
static void call_what_will_be_held(void *argument)
{
    (void)argument;
    struct driver driver = {0};
    nx_handle process = user_process(HELD_PAGES);
    nx_handle endpoint = user_endpoint();
    nx_handle ended = user_notification();
    driver.machine = user_grant(process, first_machine, NX_RIGHT_DMA);
    driver.asked = user_grant(process, endpoint, NX_RIGHT_RECEIVE);
    CHECK_EQUAL(USER_SYSCALL(NX_SYS_PROCESS_BIND, process, ended, 1, 0).status, NX_OK);
    CHECK_EQUAL(user_close(user_thread(process, save_the_caller, &driver)), NX_OK);
    CHECK_EQUAL(user_call(endpoint, 0).status, NX_ERR_PEER_CLOSED);
    CHECK_EQUAL(user_wait(ended, NX_DEADLINE_NEVER), 1);
    CHECK_EQUAL(process_state(process), NX_PROCESS_HELD);
    CHECK_EQUAL(user_close(process), NX_OK);
    user_sleep(100000000);
    CHECK(USER_SYSCALL(NX_SYS_PROCESS_INFO, 0).value[2] >= HELD_PAGES); // its budget
    CHECK_EQUAL(user_close(endpoint), NX_OK);
    CHECK_EQUAL(user_close(ended), NX_OK);
}

static void test_callers_of_a_driver_that_is_held_are_told(void **state)
{
    (void)state;
    fake_perturb_level(LEVEL);
    for (uint32_t round = 0; round < 10; round++) {
        kernel_run(1, call_what_will_be_held, NULL);
        kernel_run(4, call_what_will_be_held, NULL);
    }
}

static void end_at_once(void *argument)
{
    (void)argument;
    for (uint64_t round = 0; round < 40; round++) {
        bool asks = round % 2 == 0;
        struct driver driver = {.asks = asks, .ends = round % 4 < 2};
        nx_handle ended = asks ? 0 : user_notification();
        nx_handle process = driver_end(&driver, ended);
        if (ended != 0) {
            CHECK_EQUAL(user_wait(ended, NX_DEADLINE_NEVER), 1);
            CHECK_EQUAL(user_close(ended), NX_OK);
        }
        while (process_state(process) != NX_PROCESS_DEAD)
            user_sleep(10000000);
        CHECK_EQUAL(user_close(process), NX_OK);
    }
}

static void test_nobody_is_held_who_has_not_asked_or_whom_nobody_would_let_go(void **state)
{
    (void)state;
    fake_perturb_level(LEVEL);
    kernel_run(4, end_at_once, NULL);
}

// Supervisors that end while a driver of theirs is held, and one whose driver is about to be.
static void leave_it_held(void *argument)
{
    bool waits = argument != NULL;
    struct driver driver = {.asks = true, .ends = true};
    nx_handle ended = user_notification();
    nx_handle process = driver_end(&driver, ended);
    if (waits) {
        CHECK_EQUAL(user_wait(ended, NX_DEADLINE_NEVER), 1);
        CHECK_EQUAL(process_state(process), NX_PROCESS_HELD);
    }
}

static void test_a_supervisor_that_ends_lets_go_of_the_drivers_that_it_holds(void **state)
{
    static bool waits = true;
    (void)state;
    fake_perturb_level(LEVEL);
    for (uint32_t round = 0; round < 10; round++) {
        kernel_run(4, leave_it_held, &waits);
        kernel_run(4, leave_it_held, NULL);
    }
}

// --- Mappings removed by a guess
// ------------------------------------------------------------------

#define PLACEMENT_BASE 0x1000000000ull

static void unmap_by_guess(void *argument)
{
    struct race *race = argument;
    while (!atomic_load(&race->stop))
        (void)USER_SYSCALL(NX_SYS_MEMORY_UNMAP, 0, PLACEMENT_BASE);
    barrier_arrive(&race->done);
}

static void map_under_guesses(void *argument)
{
    (void)argument;
    struct race race = {0};
    barrier_open(&race.done, 2);
    nx_handle memory = user_memory(NX_PAGE_SIZE);
    user_thread(0, unmap_by_guess, &race);
    user_thread(0, unmap_by_guess, &race);
    for (uint32_t i = 0; i < 4000; i++) {
        struct user_result result =
            USER_SYSCALL(NX_SYS_MEMORY_MAP, 0, memory, 0, 0, NX_PAGE_SIZE, NX_PROT_READ);
        CHECK_EQUAL(result.status, NX_OK);
        CHECK(result.value[0] >= PLACEMENT_BASE && result.value[0] < PLACEMENT_BASE + (1u << 30));
        (void)USER_SYSCALL(NX_SYS_MEMORY_UNMAP, 0, result.value[0]);
    }
    atomic_store(&race.stop, true);
    barrier_wait(&race.done);
}

static void test_a_mapping_may_be_removed_before_its_address_is_returned(void **state)
{
    (void)state;
    fake_perturb_level(LEVEL);
    kernel_run(4, map_under_guesses, NULL);
}

// --- Endpoints and notifications closed under waiters with deadlines
// ------------------------------

static bool is_end_of_wait(enum nx_status status)
{
    return status == NX_OK || status == NX_ERR_TIMED_OUT || status == NX_ERR_PEER_CLOSED ||
           status == NX_ERR_BAD_HANDLE || status == NX_ERR_CANCELLED;
}

static void wait_briefly(void *argument)
{
    struct race *race = argument;
    while (!atomic_load(&race->stop)) {
        CHECK(is_end_of_wait(user_receive(race->endpoint, user_deadline(50000)).status));
        CHECK(is_end_of_wait(user_call_until(race->endpoint, 0, user_deadline(50000)).status));
        CHECK(is_end_of_wait(
            USER_SYSCALL(NX_SYS_NOTIFICATION_WAIT, race->notification, user_deadline(50000))
                .status));
    }
    barrier_arrive(&race->done);
}

static void close_under_waiters(void *argument)
{
    (void)argument;
    for (uint64_t round = 0; round < 60; round++) {
        struct race race = {.endpoint = user_endpoint(), .notification = user_notification()};
        barrier_open(&race.done, 3);
        for (int i = 0; i < 3; i++)
            user_thread(0, wait_briefly, &race);
        for (uint64_t i = 0; i < round % 30; i++)
            user_pause();
        CHECK_EQUAL(user_close(race.endpoint), NX_OK);
        CHECK_EQUAL(user_close(race.notification), NX_OK);
        user_sleep(10000000);
        atomic_store(&race.stop, true);
        barrier_wait(&race.done);
    }
}

static void test_waiters_of_a_closed_endpoint_time_out_or_hear_of_it(void **state)
{
    (void)state;
    fake_perturb_level(LEVEL);
    kernel_run(4, close_under_waiters, NULL);
}

// --- Diagnosis of what is dying
// -------------------------------------------------------------------

static void look_at_everything(void *argument)
{
    struct race *race = argument;
    while (!atomic_load(&race->stop))
        for (uint64_t kind = NX_INFO_SYSTEM; kind <= NX_INFO_INTERRUPT; kind++)
            for (uint64_t i = 0; i < 4; i++)
                (void)USER_SYSCALL(NX_SYS_SYSTEM_INFO, first_machine, kind, i);
    barrier_arrive(&race->done);
}

static void look_at_the_dying(void *argument)
{
    (void)argument;
    struct race race = {0};
    barrier_open(&race.done, 2);
    user_thread(0, look_at_everything, &race);
    user_thread(0, look_at_everything, &race);
    for (uint64_t round = 0; round < 300; round++) {
        nx_handle process = user_process(20);
        struct user_result interrupt = USER_SYSCALL(NX_SYS_INTERRUPT_CREATE, first_machine, 7);
        if (interrupt.status == NX_OK)
            CHECK_EQUAL(user_close((nx_handle)interrupt.value[0]), NX_OK);
        else
            CHECK_EQUAL(interrupt.status, NX_ERR_BUSY); // its predecessor still goes
        CHECK_EQUAL(user_close(process), NX_OK);
    }
    atomic_store(&race.stop, true);
    barrier_wait(&race.done);
}

static void test_diagnosis_reads_only_what_lives(void **state)
{
    (void)state;
    fake_perturb_level(LEVEL);
    kernel_run(4, look_at_the_dying, NULL);
}

// --- Interrupts
// -----------------------------------------------------------------------------------

#define SOURCE 5u

static void raise_often(void *argument)
{
    struct race *race = argument;
    while (!atomic_load(&race->stop)) {
        fake_plic_raise(SOURCE);
        user_pause();
    }
    fake_plic_lower(SOURCE);
    barrier_arrive(&race->done);
}

static void interrupt_objects_come_and_go(void *argument)
{
    (void)argument;
    struct race race = {.notification = user_notification()};
    barrier_open(&race.done, 1);
    user_thread(0, raise_often, &race);
    uint64_t taken = 0;
    for (uint64_t round = 0; round < 200; round++) {
        struct user_result created = USER_SYSCALL(NX_SYS_INTERRUPT_CREATE, first_machine, SOURCE);
        if (created.status != NX_OK) {
            CHECK_EQUAL(created.status, NX_ERR_BUSY);
            user_sleep(5000000);
            continue;
        }
        nx_handle interrupt = (nx_handle)created.value[0];
        CHECK_EQUAL(USER_SYSCALL(NX_SYS_INTERRUPT_BIND, interrupt, race.notification, 1).status,
                    NX_OK);
        for (int i = 0; i < 3; i++) {
            CHECK_EQUAL(user_wait(race.notification, NX_DEADLINE_NEVER), 1);
            enum nx_status status = USER_SYSCALL(NX_SYS_INTERRUPT_ACK, interrupt).status;
            // The signal may be one that the previous object left.
            CHECK(status == NX_OK || status == NX_ERR_BAD_STATE);
            taken++;
        }
        CHECK_EQUAL(user_close(interrupt), NX_OK);
    }
    CHECK(taken > 0);
    atomic_store(&race.stop, true);
    barrier_wait(&race.done);
}

static void test_an_interrupt_fires_into_a_living_object_or_none(void **state)
{
    (void)state;
    fake_perturb_level(LEVEL);
    kernel_run(4, interrupt_objects_come_and_go, NULL);
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
        cmocka_unit_test(test_a_process_can_be_killed_while_others_make_threads_in_it),
        cmocka_unit_test(test_the_last_handle_of_a_process_can_go_while_a_thread_is_made_in_it),
        cmocka_unit_test(test_a_process_takes_its_children_and_theirs_along),
        cmocka_unit_test(test_a_driver_keeps_its_memory_until_it_is_let_go),
        cmocka_unit_test(test_callers_of_a_driver_that_is_held_are_told),
        cmocka_unit_test(test_nobody_is_held_who_has_not_asked_or_whom_nobody_would_let_go),
        cmocka_unit_test(test_a_supervisor_that_ends_lets_go_of_the_drivers_that_it_holds),
        cmocka_unit_test(test_a_mapping_may_be_removed_before_its_address_is_returned),
        cmocka_unit_test(test_waiters_of_a_closed_endpoint_time_out_or_hear_of_it),
        cmocka_unit_test(test_diagnosis_reads_only_what_lives),
        cmocka_unit_test(test_an_interrupt_fires_into_a_living_object_or_none),
    };
    return cmocka_run_group_tests_name("life", tests, power_on, NULL);
}
