// SPDX-License-Identifier: Apache-2.0
// Requests of two clients to all of packagefsd: none can use, or close, what the other has opened.
//
// usage: test_packagefsd_serve IMAGE PACKAGE_TRUST
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fake_system.h"
#include "file_load.h"
#include "nexus/process.h"
#include "packagefsd/serve.h"

#define ONE      4u // badges
#define OTHER    5u
#define STRANGER 1000u
#define FILE     "fixtures/large.bin"
#define BLOCK    4096u

_Thread_local struct nx_message_page *nx_thread_page;

static _Alignas(NX_PAGE_SIZE) struct nx_message_page page;
static struct service service;
static uint8_t *image;
static uint64_t image_size;
static char *trust;

// ---- A client -----------------------------------------------------------------------------------

struct call {
    struct capnp_builder message;
    struct package_fs_request_builder request;
    struct capnp_reader answer;
    struct package_fs_response_reader response;
};

static void call_begin(struct call *call)
{
    assert_int_equal(
        package_fs_request_begin(&call->message, page.data, NX_MESSAGE_BYTES_MAX, &call->request),
        NX_OK);
}

static enum nx_status call_make(struct call *call, uint64_t badge)
{
    struct nx_request request = {
        .message = {.info = NX_INFO(capnp_builder_bytes(&call->message), 0), .badge = badge},
    };
    assert_int_equal(serve_request(&service, &request), NX_ANSWER_NOW);
    assert_int_equal(request.message.words[0], NX_OK);
    assert_int_equal(package_fs_response_decode(page.data, NX_INFO_BYTES(request.message.info),
                                                &call->answer, &call->response),
                     NX_OK);
    return (enum nx_status)package_fs_response_status(&call->response);
}

static enum nx_status open_releasing(uint64_t badge, uint64_t release, uint64_t *node)
{
    struct call call;
    call_begin(&call);
    package_fs_request_init_open(&call.request);
    package_fs_request_set_open_release(&call.request, release);
    assert_int_equal(package_fs_request_set_open_path(&call.request, capnp_text_of(FILE)), NX_OK);
    enum nx_status status = call_make(&call, badge);
    *node = status == NX_OK ? package_fs_response_open_node(&call.response) : 0;
    return status;
}

static uint64_t open_file(uint64_t badge)
{
    uint64_t node;
    assert_int_equal(open_releasing(badge, 0, &node), NX_OK);
    assert_int_not_equal(node, 0);
    return node;
}

static enum nx_status fetch(uint64_t badge, uint64_t node)
{
    struct call call;
    call_begin(&call);
    package_fs_request_init_fetch(&call.request);
    package_fs_request_set_fetch_node(&call.request, node);
    package_fs_request_set_fetch_length(&call.request, BLOCK);
    return call_make(&call, badge);
}

static enum nx_status close_node(uint64_t badge, uint64_t node)
{
    struct call call;
    call_begin(&call);
    package_fs_request_init_close(&call.request);
    package_fs_request_set_close_node(&call.request, node);
    return call_make(&call, badge);
}

static uint32_t open_files(void)
{
    struct call call;
    struct package_fs_report_reader report;
    call_begin(&call);
    package_fs_request_set_status(&call.request);
    assert_int_equal(call_make(&call, OTHER), NX_OK);
    assert_int_equal(package_fs_response_report(&call.response, &report), NX_OK);
    return package_fs_report_open_files(&report);
}

// ---- Tests --------------------------------------------------------------------------------------

static void test_a_client_uses_and_closes_what_it_has_opened(void **state)
{
    (void)state;
    uint64_t node = open_file(ONE);
    assert_int_equal(fetch(ONE, node), NX_OK);
    assert_int_equal(open_files(), 1);
    assert_int_equal(close_node(ONE, node), NX_OK);
    assert_int_equal(open_files(), 0);
}

static void test_a_closed_node_is_void(void **state)
{
    (void)state;
    uint64_t node = open_file(ONE);
    assert_int_equal(open_file(ONE), node);
    assert_int_equal(close_node(ONE, node), NX_OK);
    assert_int_equal(fetch(ONE, node), NX_OK); // open once more
    assert_int_equal(close_node(ONE, node), NX_OK);
    assert_int_equal(fetch(ONE, node), NX_ERR_BAD_HANDLE);
    assert_int_equal(close_node(ONE, node), NX_ERR_BAD_HANDLE);
}

static void test_nobody_uses_or_closes_what_another_has_opened(void **state)
{
    (void)state;
    uint64_t node = open_file(ONE);
    for (uint64_t badge = 0; badge < 2 * FILE_CLIENTS_MAX; badge++) {
        if (badge != ONE) {
            assert_int_equal(fetch(badge, node), NX_ERR_BAD_HANDLE);
            assert_int_equal(close_node(badge, node), NX_ERR_BAD_HANDLE);
        }
    }
    assert_int_equal(open_files(), 1);
    assert_int_equal(fetch(ONE, node), NX_OK);
}

static void test_who_has_the_file_open_closes_its_own_open_alone(void **state)
{
    (void)state;
    uint64_t node = open_file(ONE);
    assert_int_equal(open_file(OTHER), node); // the file is shared
    assert_int_equal(close_node(OTHER, node), NX_OK);
    assert_int_equal(close_node(OTHER, node), NX_ERR_BAD_HANDLE);
    assert_int_equal(fetch(OTHER, node), NX_ERR_BAD_HANDLE);
    assert_int_equal(open_files(), 1);
    assert_int_equal(fetch(ONE, node), NX_OK);
}

static void test_an_open_releases_no_node_of_another(void **state)
{
    (void)state;
    uint64_t node = open_file(ONE);
    uint64_t again;
    assert_int_equal(open_releasing(OTHER, node, &again), NX_OK); // and has it open itself now
    assert_int_equal(open_releasing(OTHER, node, &again), NX_OK); // once still: one came, one went
    assert_int_equal(close_node(OTHER, node), NX_OK);
    assert_int_equal(close_node(OTHER, node), NX_ERR_BAD_HANDLE);
    assert_int_equal(open_files(), 1);
    assert_int_equal(fetch(ONE, node), NX_OK);
}

static void test_a_badge_that_nobody_was_given_opens_nothing(void **state)
{
    (void)state;
    uint64_t node;
    assert_int_equal(open_releasing(STRANGER, 0, &node), NX_ERR_ACCESS_DENIED);
    assert_int_equal(open_files(), 0);
}

// ---- Set-up -------------------------------------------------------------------------------------

static int prepare(void **state)
{
    (void)state;
    nx_thread_page = &page;
    fake_reset(image, image_size, trust);
    memset(&service, 0, sizeof(service));
    if (mount_open(&service.mount) != NX_OK) {
        return -1;
    }
    path_cache_init(&service.paths);
    file_cache_init(&service.files, &service.mount.image, &service.mount.fs);
    return 0;
}

static int finish(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < FILES_MAX; i++) {
        if (service.files.files[i].token != 0) {
            free(service.files.files[i].map.bits);
        }
    }
    fake_reset(image, 0, trust);
    return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, prepare, finish)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        TEST(a_client_uses_and_closes_what_it_has_opened),
        TEST(a_closed_node_is_void),
        TEST(nobody_uses_or_closes_what_another_has_opened),
        TEST(who_has_the_file_open_closes_its_own_open_alone),
        TEST(an_open_releases_no_node_of_another),
        TEST(a_badge_that_nobody_was_given_opens_nothing),
    };
    uint64_t length;

    if (argc != 3) {
        return EXIT_FAILURE;
    }
    image = file_load(argv[1], &image_size);
    trust = (char *)file_load(argv[2], &length);
    int failed = cmocka_run_group_tests_name("packagefsd serve", tests, NULL, NULL);
    free(image);
    free(trust);
    return failed;
}
