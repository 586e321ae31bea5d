// SPDX-License-Identifier: Apache-2.0
// What nexus-init makes of the death of a driver, and of services that die again and again.
//
// ADR 0016: no page that a dead driver's device may still write to goes to anybody else before the
// device's STATUS reads back 0. The kernel's part, that a driver is held, is tested in
// tests/host/kernel/test_life.c.
#include "world.h"

#include "nexus/clock.h"
#include <stdio.h>
#include <string.h>

#define READS          64u
#define NEVER          UINT32_MAX
#define CRASHES        5u // in ten seconds; one more is too many
#define FIRST_BACK_OFF (10 * NX_MILLISECOND)
#define PLENTY         (NX_SECOND) // longer than any back-off
#define LONG_APART     (3 * NX_SECOND)

// ---- The device is still before its memory goes to others ---------------------------------------

struct reset {
    uint32_t version; // of the transport
    uint32_t looks;   // at STATUS, one each millisecond, before it reads 0
};

static const struct reset resets[] = {{1, 0}, {1, 1}, {1, 900}, {2, 0}, {2, 1}, {2, 900}};

// The driver has reads in flight, and the device goes on with them until its reset is done.
static void boot_busy(const struct reset *reset)
{
    world_boot(reset->version, READS);
    world.disk->model.resets_late = true;
    world.disk->model.reset_delay = reset->looks;
}

// The memory is others', the device leaves it alone, and the next driver serves.
static void assert_let_go(uint64_t back_off)
{
    assert_true(world.disk->model.resets > 0);
    assert_true(world.memory_is_others);
    assert_true(world.interrupts_acknowledged > 0);
    world_pass(back_off);
    assert_int_equal(world_processes(PROGRAM_VIRTIOBLKD), 2);
    world_ready(PROGRAM_VIRTIOBLKD);
    world_check_memory();
}

static void test_a_driver_that_dies_is_let_go_once_its_device_is_still(void **state)
{
    boot_busy(*state);
    world_end(PROGRAM_VIRTIOBLKD, NX_EXIT_FAULTED);
    assert_let_go(FIRST_BACK_OFF);
}

static void test_a_driver_that_is_killed_is_let_go_once_its_device_is_still(void **state)
{
    boot_busy(*state);
    assert_int_equal(supervisor_kill(PROGRAM_VIRTIOBLKD), NX_OK);
    world_deliver();
    assert_let_go(0);
}

// ---- A device that does not become still --------------------------------------------------------

static void assert_held_for_ever(const char *why)
{
    for (uint32_t i = 0; i < 2 * CRASHES; i++) {
        world_pass(PLENTY);
    }
    assert_int_equal(world_process(PROGRAM_VIRTIOBLKD)->state, NX_PROCESS_HELD);
    assert_false(world.memory_is_others);
    assert_int_equal(world_state(PROGRAM_VIRTIOBLKD), NX_SERVICE_DOWN);
    assert_logged(why);
    assert_logged("init: service block down reason=its device does not reset");
    // Its callers have their error from a thread.
    assert_int_equal(world.thread_count, 1);
    assert_int_equal(world.threads[0], program_endpoint(PROGRAM_VIRTIOBLKD));
    assert_int_equal(world_processes(PROGRAM_VIRTIOBLKD), 1);
}

static void test_a_driver_whose_device_never_resets_is_held_for_ever(void **state)
{
    (void)state;
    boot_busy(&(struct reset){2, NEVER});
    world_end(PROGRAM_VIRTIOBLKD, NX_EXIT_FAULTED);
    assert_true(world.now >= NX_SECOND); // it had its time
    assert_held_for_ever("init: device does not reset mmio=");
}

static void test_a_driver_whose_device_is_gone_is_held_for_ever(void **state)
{
    (void)state;
    boot_busy(&(struct reset){2, 0});
    world.disk->model.gone = GONE_ALL_ONES;
    world_end(PROGRAM_VIRTIOBLKD, NX_EXIT_FAULTED);
    assert_held_for_ever("init: device does not reset mmio=");
}

static void test_a_driver_whose_device_reads_zeros_is_held_for_ever(void **state)
{
    (void)state;
    boot_busy(&(struct reset){2, 0});
    world.disk->model.gone = GONE_ZEROS;
    world_end(PROGRAM_VIRTIOBLKD, NX_EXIT_FAULTED);
    assert_held_for_ever("init: device does not reset mmio=");
}

static void test_a_driver_whose_device_cannot_be_reached_is_held_for_ever(void **state)
{
    (void)state;
    boot_busy(&(struct reset){2, 0});
    world.window_is_unmappable = true;
    assert_int_equal(supervisor_kill(PROGRAM_VIRTIOBLKD), NX_OK);
    world_deliver();
    assert_held_for_ever("init: cannot reset device mmio=");
}

// ---- Other moments ------------------------------------------------------------------------------

static void test_a_driver_that_dies_without_memory_has_its_device_reset(void **state)
{
    (void)state;
    boot_busy(&(struct reset){2, 10});
    world_process(PROGRAM_VIRTIOBLKD)->has_physical = false;
    world_end(PROGRAM_VIRTIOBLKD, NX_EXIT_FAULTED);
    assert_int_equal(world.disk->model.resets, 1);
    assert_int_equal(world.disk->model.pending_count, 0);
    assert_int_equal(world.interrupts_acknowledged, 1);
}

// A second driver has taken memory and then refuses its device.
static void refuse_device(uint32_t looks)
{
    boot_busy(&(struct reset){2, 0});
    assert_int_equal(supervisor_kill(PROGRAM_VIRTIOBLKD), NX_OK);
    world_deliver();
    world_drive(READS);
    world.disk->model.reset_delay = looks;
    supervisor_report(PROGRAM_VIRTIOBLKD, false, NX_ERR_UNSUPPORTED);
    world_deliver();
    assert_int_equal(world_state(PROGRAM_VIRTIOBLKD), NX_SERVICE_DOWN);
    assert_logged("init: service block down reason=unsupported");
    assert_int_equal(world.thread_count, 1);
    world_pass(PLENTY);
    assert_int_equal(world_processes(PROGRAM_VIRTIOBLKD), 2);
}

static void test_a_driver_that_gives_up_is_let_go_once_its_device_is_still(void **state)
{
    (void)state;
    refuse_device(100);
    assert_int_equal(world_process(PROGRAM_VIRTIOBLKD)->state, NX_PROCESS_DEAD);
    assert_true(world.memory_is_others);
}

static void test_a_driver_that_gives_up_is_held_when_its_device_never_resets(void **state)
{
    (void)state;
    refuse_device(NEVER);
    assert_int_equal(world_process(PROGRAM_VIRTIOBLKD)->state, NX_PROCESS_HELD);
    assert_false(world.memory_is_others);
}

static void test_a_service_without_device_resets_none(void **state)
{
    (void)state;
    boot_busy(&(struct reset){2, 0});
    world_end(PROGRAM_PACKAGEFSD, NX_EXIT_FAULTED);
    assert_int_equal(world.disk->model.resets, 0);
    assert_int_equal(world_state(PROGRAM_VIRTIOBLKD), NX_SERVICE_READY);
}

static void test_bits_of_a_process_that_lives_are_nothing(void **state)
{
    (void)state;
    boot_busy(&(struct reset){2, 0});
    supervisor_exits(UINT64_MAX);
    assert_int_equal(world.disk->model.resets, 0);
    assert_int_equal(world_state(PROGRAM_VIRTIOBLKD), NX_SERVICE_READY);
    assert_int_equal(world_state(PROGRAM_PACKAGEFSD), NX_SERVICE_READY);
}

// ---- Services that die again and again ----------------------------------------------------------

// It dies after it has served, and is ready again after its back-off.
static void crash_and_recover(enum program_id id)
{
    world_end(id, NX_EXIT_FAULTED);
    assert_int_equal(world_state(id), NX_SERVICE_WAITING);
    world_pass(PLENTY);
    world_ready(id);
}

static void test_a_service_that_crashes_too_often_after_it_was_ready_is_down(void **state)
{
    (void)state;
    world_boot(2, 0);
    for (uint32_t i = 0; i < CRASHES; i++) {
        crash_and_recover(PROGRAM_PACKAGEFSD);
        assert_int_equal(world.thread_count, 0);
    }
    world_end(PROGRAM_PACKAGEFSD, NX_EXIT_FAULTED);
    assert_int_equal(world_state(PROGRAM_PACKAGEFSD), NX_SERVICE_DOWN);
    assert_logged("init: service packages down reason=it ends too often");
    assert_int_equal(world.thread_count, 1); // answers whoever waits, at once
    assert_int_equal(world.threads[0], program_endpoint(PROGRAM_PACKAGEFSD));
    world_pass(PLENTY);
    assert_int_equal(world_processes(PROGRAM_PACKAGEFSD), 1 + CRASHES);
    assert_int_equal(world_state(PROGRAM_VIRTIOBLKD), NX_SERVICE_READY);
    assert_int_equal(supervisor_kill(PROGRAM_PACKAGEFSD), NX_ERR_BAD_STATE);
}

// Each of its lives leaves reads in flight, and ends with a device that is still.
static void test_a_driver_that_crashes_too_often_is_down_and_its_device_still(void **state)
{
    (void)state;
    boot_busy(&(struct reset){2, 20});
    for (uint32_t i = 0; i < CRASHES; i++) {
        world_end(PROGRAM_VIRTIOBLKD, NX_EXIT_FAULTED);
        assert_true(world.memory_is_others);
        world_check_memory();
        world_pass(PLENTY);
        world_drive(READS);
        world.disk->model.reset_delay = 20;
        world_ready(PROGRAM_VIRTIOBLKD);
    }
    world_end(PROGRAM_VIRTIOBLKD, NX_EXIT_FAULTED);
    assert_int_equal(world_state(PROGRAM_VIRTIOBLKD), NX_SERVICE_DOWN);
    assert_logged("init: service block down reason=it ends too often");
    assert_int_equal(world.thread_count, 1);
    assert_int_equal(world.threads[0], program_endpoint(PROGRAM_VIRTIOBLKD));
    assert_int_equal(world_process(PROGRAM_VIRTIOBLKD)->state, NX_PROCESS_DEAD);
    assert_true(world.memory_is_others);
    world_check_memory();
    assert_int_equal(world_state(PROGRAM_PACKAGEFSD), NX_SERVICE_READY);
}

static void test_crashes_that_are_far_apart_are_forgiven(void **state)
{
    (void)state;
    world_boot(2, 0);
    for (uint32_t i = 0; i < 4 * CRASHES; i++) {
        crash_and_recover(PROGRAM_PACKAGEFSD);
        world_pass(LONG_APART);
    }
    assert_int_equal(world_state(PROGRAM_PACKAGEFSD), NX_SERVICE_READY);
}

static void test_kills_on_request_are_no_crashes(void **state)
{
    (void)state;
    world_boot(2, 0);
    for (uint32_t i = 0; i < 4 * CRASHES; i++) {
        assert_int_equal(supervisor_kill(PROGRAM_PACKAGEFSD), NX_OK);
        world_deliver();
        world_ready(PROGRAM_PACKAGEFSD);
    }
    assert_int_equal(world.thread_count, 0);
}

// ---- The table ----------------------------------------------------------------------------------

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

int main(void)
{
    static const struct CMUnitTest of_each_reset[] = {
        cmocka_unit_test(test_a_driver_that_dies_is_let_go_once_its_device_is_still),
        cmocka_unit_test(test_a_driver_that_is_killed_is_let_go_once_its_device_is_still),
    };
    static const struct CMUnitTest others[] = {
        cmocka_unit_test(test_a_driver_whose_device_never_resets_is_held_for_ever),
        cmocka_unit_test(test_a_driver_whose_device_is_gone_is_held_for_ever),
        cmocka_unit_test(test_a_driver_whose_device_reads_zeros_is_held_for_ever),
        cmocka_unit_test(test_a_driver_whose_device_cannot_be_reached_is_held_for_ever),
        cmocka_unit_test(test_a_driver_that_dies_without_memory_has_its_device_reset),
        cmocka_unit_test(test_a_driver_that_gives_up_is_let_go_once_its_device_is_still),
        cmocka_unit_test(test_a_driver_that_gives_up_is_held_when_its_device_never_resets),
        cmocka_unit_test(test_a_service_without_device_resets_none),
        cmocka_unit_test(test_bits_of_a_process_that_lives_are_nothing),
        cmocka_unit_test(test_a_service_that_crashes_too_often_after_it_was_ready_is_down),
        cmocka_unit_test(test_a_driver_that_crashes_too_often_is_down_and_its_device_still),
        cmocka_unit_test(test_crashes_that_are_far_apart_are_forgiven),
        cmocka_unit_test(test_kills_on_request_are_no_crashes),
    };
    static char names[COUNT(of_each_reset)][COUNT(resets)][128];
    static struct CMUnitTest tests[COUNT(of_each_reset) * COUNT(resets) + COUNT(others)];
    size_t count = 0;
    for (size_t test = 0; test < COUNT(of_each_reset); test++) {
        for (size_t row = 0; row < COUNT(resets); row++) {
            (void)snprintf(names[test][row], sizeof(names[test][row]), "%s, %s, looks %u",
                           of_each_reset[test].name, resets[row].version == 1 ? "legacy" : "modern",
                           resets[row].looks);
            tests[count] = of_each_reset[test];
            tests[count].name = names[test][row];
            tests[count++].initial_state = (void *)&resets[row];
        }
    }
    memcpy(&tests[count], others, sizeof(others));
    return world_run(tests, count + COUNT(others));
}
