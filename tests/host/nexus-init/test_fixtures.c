// SPDX-License-Identifier: Apache-2.0
// When packagefsd is given the fixtures: on a machine without a disk, and on no other.
#include "world.h"

#include "nexus/clock.h"
#include <string.h>

static void test_without_a_disk_packagefsd_has_the_fixtures(void **state)
{
    (void)state;
    world_start(DEVICE_ABSENT);
    assert_int_equal(world_state(PROGRAM_VIRTIOBLKD), NX_SERVICE_ABSENT);
    assert_int_equal(world_state(PROGRAM_PACKAGEFSD), NX_SERVICE_STARTING);
    assert_true(world_process(PROGRAM_PACKAGEFSD)->has_fixtures);
    assert_false(world_process(PROGRAM_PACKAGEFSD)->has_disk);
}

static void test_with_a_disk_packagefsd_has_the_disk_alone(void **state)
{
    (void)state;
    world_boot(2, 0);
    assert_false(world_process(PROGRAM_PACKAGEFSD)->has_fixtures);
    assert_true(world_process(PROGRAM_PACKAGEFSD)->has_disk);
}

static void test_with_a_disk_that_cannot_be_used_the_packages_are_down(void **state)
{
    (void)state;
    world_start(DEVICE_UNUSABLE);
    assert_int_equal(world_state(PROGRAM_VIRTIOBLKD), NX_SERVICE_DOWN);
    assert_int_equal(world_state(PROGRAM_PACKAGEFSD), NX_SERVICE_DOWN);
    assert_int_equal(world.process_count, 0);
    assert_logged("init: service block down reason=its device cannot be used");
    assert_logged("init: service packages down reason=what it needs is down");
    assert_int_equal(world.thread_count, 2); // they answer the callers of both
}

// Whatever becomes of the disk later.
static void test_a_disk_that_dies_does_not_bring_the_fixtures(void **state)
{
    (void)state;
    world_boot(2, 0);
    world.disk->model.resets_late = true;
    world.disk->model.reset_delay = UINT32_MAX;
    world_end(PROGRAM_VIRTIOBLKD, NX_EXIT_FAULTED);
    assert_int_equal(world_state(PROGRAM_VIRTIOBLKD), NX_SERVICE_DOWN);
    world_end(PROGRAM_PACKAGEFSD, NX_EXIT_FAULTED);
    world_pass(NX_SECOND);
    assert_int_equal(world_processes(PROGRAM_PACKAGEFSD), 2);
    assert_false(world_process(PROGRAM_PACKAGEFSD)->has_fixtures);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_without_a_disk_packagefsd_has_the_fixtures),
        cmocka_unit_test(test_with_a_disk_packagefsd_has_the_disk_alone),
        cmocka_unit_test(test_with_a_disk_that_cannot_be_used_the_packages_are_down),
        cmocka_unit_test(test_a_disk_that_dies_does_not_bring_the_fixtures),
    };
    return world_run(tests, sizeof(tests) / sizeof(tests[0]));
}
