// SPDX-License-Identifier: Apache-2.0
// The name registry: who may look up, report and kill is in the table of programs, and who asks is
// the badge that the kernel put on the message.
#include "names.h"
#include "world.h"

#include "nexus/clock.h"
#include <string.h>

#define VERSION 2u // of the disk's transport

static uint64_t badge_of(enum program_id id)
{
    return BADGE_CLIENT(id);
}

// The status that nexus-init answers with. `name` NULL: the request has none.
static enum nx_status ask(uint64_t badge, enum nx_registry_operation operation, const char *name,
                          struct nx_request *request)
{
    size_t bytes = name != NULL ? strlen(name) + 1 : 0;
    *request = (struct nx_request){
        .message = {.words = {operation}, .info = NX_INFO(bytes, 0), .badge = badge}};
    if (name != NULL) {
        memcpy(nx_page()->data, name, bytes);
    }
    assert_int_equal(names_request(request), NX_ANSWER_NOW);
    return (enum nx_status)request->message.words[0];
}

static enum nx_status kill_as(uint64_t badge, const char *name)
{
    struct nx_request request;
    enum nx_status status = ask(badge, NX_REGISTRY_KILL, name, &request);
    assert_int_equal(NX_INFO_HANDLES(request.message.info), 0);
    return status;
}

static void assert_all_live(void)
{
    for (uint32_t i = 0; i < world.process_count; i++) {
        assert_int_equal(world.processes[i].state, NX_PROCESS_ALIVE);
    }
}

// ---- Kill ---------------------------------------------------------------------------------------

static void test_who_may_not_kill_is_denied_and_nothing_dies(void **state)
{
    (void)state;
    static const char *const names[] = {"block",      "virtioblkd", "packages",
                                        "packagefsd", "console",    "nosuch"};
    static const enum program_id programs[] = {PROGRAM_UARTD, PROGRAM_VIRTIOBLKD,
                                               PROGRAM_PACKAGEFSD};
    world_boot(VERSION, 0);
    for (size_t i = 0; i < sizeof(programs) / sizeof(programs[0]); i++) {
        for (size_t j = 0; j < sizeof(names) / sizeof(names[0]); j++) {
            assert_int_equal(kill_as(badge_of(programs[i]), names[j]), NX_ERR_ACCESS_DENIED);
        }
    }
    world_deliver();
    assert_all_live();
}

// A service may not even end itself by this.
static void test_nobody_but_nx_and_the_self_tests_may_kill(void **state)
{
    (void)state;
    world_boot(VERSION, 0);
    for (enum program_id id = 0; id < PROGRAM_COUNT; id++) {
        bool may = id == PROGRAM_NX || id == PROGRAM_SELFTEST;
        assert_int_equal(program_row(id)->may_kill, may);
        assert_int_equal(kill_as(badge_of(id), "packages"), may ? NX_OK : NX_ERR_ACCESS_DENIED);
        world_deliver();
        world_pass(NX_SECOND);
        if (world_state(PROGRAM_PACKAGEFSD) == NX_SERVICE_STARTING) {
            world_ready(PROGRAM_PACKAGEFSD);
        }
    }
    assert_int_equal(world_processes(PROGRAM_PACKAGEFSD), 3);
}

// No program has such a badge: the kernel gives it to none.
static void test_a_badge_of_no_program_is_denied(void **state)
{
    (void)state;
    static const uint64_t badges[] = {0, BADGE_CLIENT(PROGRAM_COUNT), 0xff};
    world_boot(VERSION, 0);
    for (size_t i = 0; i < sizeof(badges) / sizeof(badges[0]); i++) {
        assert_int_equal(kill_as(badges[i], "block"), NX_ERR_ACCESS_DENIED);
    }
    world_deliver();
    assert_all_live();
}

static void test_a_kill_of_what_is_no_service_is_refused_by_name(void **state)
{
    (void)state;
    char long_name[NX_REGISTRY_NAME_MAX + 2];
    memset(long_name, 'x', sizeof(long_name) - 1);
    long_name[sizeof(long_name) - 1] = '\0';
    world_boot(VERSION, 0);
    uint64_t nx = badge_of(PROGRAM_NX);
    assert_int_equal(kill_as(nx, "nosuch"), NX_ERR_NOT_FOUND);
    assert_int_equal(kill_as(nx, "nexus-init"), NX_ERR_NOT_FOUND);
    assert_int_equal(kill_as(nx, "nx"), NX_ERR_NOT_FOUND);
    assert_int_equal(kill_as(nx, ""), NX_ERR_NOT_FOUND);
    assert_int_equal(kill_as(nx, NULL), NX_ERR_BAD_FORMAT);
    assert_int_equal(kill_as(nx, long_name), NX_ERR_BAD_FORMAT);
    assert_int_equal(kill_as(nx, "console"), NX_ERR_BAD_STATE); // no UART: it does not run
    world_deliver();
    assert_all_live();
}

static void test_a_name_without_its_end_is_refused(void **state)
{
    (void)state;
    world_boot(VERSION, 0);
    struct nx_request request = {.message = {.words = {NX_REGISTRY_KILL},
                                             .info = NX_INFO(5, 0),
                                             .badge = badge_of(PROGRAM_NX)}};
    memcpy(nx_page()->data, "block", 6); // the end is behind what was sent
    assert_int_equal(names_request(&request), NX_ANSWER_NOW);
    assert_int_equal(request.message.words[0], NX_ERR_BAD_FORMAT);
    assert_all_live();
}

static void test_a_kill_by_the_program_s_name_is_one_of_the_service(void **state)
{
    (void)state;
    world_boot(VERSION, 0);
    assert_int_equal(kill_as(badge_of(PROGRAM_NX), "virtioblkd"), NX_OK);
    world_deliver();
    assert_int_equal(world_processes(PROGRAM_VIRTIOBLKD), 2);
    assert_logged("init: service block killed restart=1 delay_ms=0");
}

// ---- The others ---------------------------------------------------------------------------------

static void test_a_lookup_needs_its_right(void **state)
{
    (void)state;
    struct nx_request request;
    world_boot(VERSION, 0);
    for (enum program_id id = 0; id < PROGRAM_COUNT; id++) {
        bool may = (program_row(id)->may_find & PROGRAM_BIT(PROGRAM_VIRTIOBLKD)) != 0;
        assert_int_equal(ask(badge_of(id), NX_REGISTRY_LOOKUP, "block", &request),
                         may ? NX_OK : NX_ERR_ACCESS_DENIED);
        assert_int_equal(NX_INFO_HANDLES(request.message.info), may);
    }
    assert_int_equal(ask(badge_of(PROGRAM_NX), NX_REGISTRY_LOOKUP, "console", &request),
                     NX_ERR_NOT_FOUND); // absent
}

static void test_only_services_report(void **state)
{
    (void)state;
    struct nx_request request;
    world_boot(VERSION, 0);
    assert_int_equal(ask(badge_of(PROGRAM_NX), NX_REGISTRY_READY, NULL, &request),
                     NX_ERR_ACCESS_DENIED);
    assert_int_equal(ask(badge_of(PROGRAM_SELFTEST), NX_REGISTRY_READY, NULL, &request),
                     NX_ERR_ACCESS_DENIED);
    assert_all_live();
}

static void test_an_unknown_operation_is_unsupported(void **state)
{
    (void)state;
    struct nx_request request;
    world_boot(VERSION, 0);
    static const uint64_t operations[] = {0, NX_REGISTRY_LIST + 1, UINT32_MAX};
    for (size_t i = 0; i < sizeof(operations) / sizeof(operations[0]); i++) {
        assert_int_equal(
            ask(badge_of(PROGRAM_NX), (enum nx_registry_operation)operations[i], "block", &request),
            NX_ERR_UNSUPPORTED);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_who_may_not_kill_is_denied_and_nothing_dies),
        cmocka_unit_test(test_nobody_but_nx_and_the_self_tests_may_kill),
        cmocka_unit_test(test_a_badge_of_no_program_is_denied),
        cmocka_unit_test(test_a_kill_of_what_is_no_service_is_refused_by_name),
        cmocka_unit_test(test_a_name_without_its_end_is_refused),
        cmocka_unit_test(test_a_kill_by_the_program_s_name_is_one_of_the_service),
        cmocka_unit_test(test_a_lookup_needs_its_right),
        cmocka_unit_test(test_only_services_report),
        cmocka_unit_test(test_an_unknown_operation_is_unsupported),
    };
    return world_run(tests, sizeof(tests) / sizeof(tests[0]));
}
