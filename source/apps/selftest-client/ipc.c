// SPDX-License-Identifier: Apache-2.0
// Self-test of messages: words, bytes and handles arrive as sent, replies can be kept, and whoever
// waits for somebody who is gone or late is told so.
#include "child.h"
#include "selftest.h"

#define SERVER_PATIENCE (20 * NX_SECOND)
#define SHORT_WAIT      (5 * NX_MILLISECOND)
#define BADGE           0xbad6eull
#define BYTE_MASK       0x5au
#define HANDLE_BIT      8u

// What the server does with a request: word 0.
enum operation {
    OPERATION_ECHO =
        100,           // answers every word and byte inverted; sends a handle back after using it
    OPERATION_KEEP,    // saves the reply right and answers it at the next OPERATION_RELEASE
    OPERATION_RELEASE, // answers the kept caller first
    OPERATION_DROP,    // closes the reply right unused
    OPERATION_BADGE,   // answers the badge in word 1
    OPERATION_QUIT,
};

struct ipc_server {
    nx_handle endpoint;
    nx_handle kept;
    enum nx_status status; // first failure
};

static void server_note(struct ipc_server *server, enum nx_status status)
{
    if (server->status == NX_OK) {
        server->status = status;
    }
}

static void echo(struct ipc_server *server, struct nx_message *message)
{
    struct nx_message_page *page = nx_page();
    for (size_t i = 0; i < NX_MESSAGE_WORDS; i++) {
        message->words[i] = ~message->words[i];
    }
    for (size_t i = 0; i < NX_INFO_BYTES(message->info); i++) {
        page->data[i] ^= BYTE_MASK;
    }
    if (NX_INFO_HANDLES(message->info) == 1) {
        server_note(server, nx_notification_signal(page->handles[0], HANDLE_BIT));
    }
    message->info = NX_INFO(NX_INFO_BYTES(message->info), NX_INFO_HANDLES(message->info));
    server_note(server, nx_endpoint_reply(NX_HANDLE_NONE, message));
}

static void keep(struct ipc_server *server)
{
    server_note(server, nx_reply_save(&server->kept));
}

static void release(struct ipc_server *server)
{
    struct nx_message answer = {.words = {OPERATION_KEEP, 42}};
    nx_handle releaser = NX_HANDLE_NONE;

    server_note(server, nx_reply_save(&releaser));
    server_note(server, nx_endpoint_reply(server->kept, &answer));
    server_note(server, nx_endpoint_reply(releaser, &answer));
}

static void drop(struct ipc_server *server)
{
    nx_handle reply = NX_HANDLE_NONE;
    server_note(server, nx_reply_save(&reply));
    server_note(server, nx_handle_close(reply));
}

static void server_thread(void *argument)
{
    struct ipc_server *server = argument;
    struct nx_message message;

    for (;;) {
        enum nx_status status =
            nx_endpoint_receive(server->endpoint, nx_deadline_after(SERVER_PATIENCE), &message);
        if (status == NX_ERR_CANCELLED) {
            continue; // a message that could not be delivered
        }
        if (status != NX_OK) {
            server_note(server, status);
            return;
        }
        switch (message.words[0]) {
        case OPERATION_KEEP:
            keep(server);
            break;
        case OPERATION_RELEASE:
            release(server);
            break;
        case OPERATION_DROP:
            drop(server);
            break;
        case OPERATION_BADGE:
            message = (struct nx_message){.words = {0, message.badge}};
            server_note(server, nx_endpoint_reply(NX_HANDLE_NONE, &message));
            break;
        case OPERATION_QUIT:
            message = (struct nx_message){0};
            server_note(server, nx_endpoint_reply(NX_HANDLE_NONE, &message));
            return;
        default:
            echo(server, &message);
            break;
        }
    }
}

static enum test_outcome words_and_bytes(struct test_report *report, nx_handle endpoint,
                                         size_t bytes)
{
    struct nx_message message = {.info = NX_INFO(bytes, 0)};
    for (size_t i = 0; i < NX_MESSAGE_WORDS; i++) {
        message.words[i] = (i + 1) * 0x9e3779b97f4a7c15ull;
    }
    for (size_t i = 0; i < bytes; i++) {
        nx_page()->data[i] = (uint8_t)(i * 7);
    }
    EXPECT_OK(report, nx_endpoint_call(endpoint, &message));
    for (size_t i = 0; i < NX_MESSAGE_WORDS; i++) {
        EXPECT(report, message.words[i] == ~((i + 1) * 0x9e3779b97f4a7c15ull), "word %d", (int)i);
    }
    EXPECT(report, NX_INFO_BYTES(message.info) == bytes && NX_INFO_HANDLES(message.info) == 0,
           "info %#llx after %d bytes", (unsigned long long)message.info, (int)bytes);
    for (size_t i = 0; i < bytes; i++) {
        EXPECT(report, nx_page()->data[i] == (uint8_t)((uint8_t)(i * 7) ^ BYTE_MASK),
               "byte %d of %d", (int)i, (int)bytes);
    }
    return TEST_PASS;
}

static enum test_outcome handle_passing(struct test_report *report, nx_handle endpoint)
{
    struct nx_message message = {.words = {~0ull}, .info = NX_INFO(0, 1)};
    nx_handle notification;
    uint64_t bits;

    EXPECT_OK(report, nx_notification_create(&notification));
    nx_page()->handles[0] = notification;
    EXPECT_OK(report, nx_endpoint_call(endpoint, &message));
    EXPECT(report, NX_INFO_HANDLES(message.info) == 1, "no handle came back");
    nx_handle back = nx_page()->handles[0];
    EXPECT_OK(report, nx_notification_wait(back, nx_deadline_after(SERVER_PATIENCE), &bits));
    EXPECT(report, bits == HANDLE_BIT, "bits %#llx", (unsigned long long)bits);
    EXPECT_OK(report, nx_handle_close(notification));
    EXPECT_OK(report, nx_notification_signal(back, 1));
    EXPECT_OK(report, nx_handle_close(back));
    EXPECT_STATUS(report, nx_notification_signal(back, 1), NX_ERR_BAD_HANDLE);
    return TEST_PASS;
}

static enum test_outcome badges(struct test_report *report, nx_handle endpoint)
{
    struct nx_message message = {.words = {OPERATION_BADGE, 1234}};
    nx_handle badged;

    EXPECT_OK(report, nx_handle_duplicate(endpoint, NX_RIGHT_CALL, BADGE, &badged));
    EXPECT_OK(report, nx_endpoint_call(badged, &message));
    nx_handle_drop(badged);
    EXPECT(report, message.words[1] == BADGE, "badge %#llx", (unsigned long long)message.words[1]);
    return TEST_PASS;
}

struct kept_caller {
    nx_handle endpoint;
    enum nx_status status;
    uint64_t answer;
};

static void kept_thread(void *argument)
{
    struct kept_caller *caller = argument;
    struct nx_message message = {.words = {OPERATION_KEEP}};
    caller->status = nx_endpoint_call(caller->endpoint, &message);
    caller->answer = message.words[1];
}

static enum test_outcome kept_reply(struct test_report *report, nx_handle endpoint)
{
    struct kept_caller caller = {.endpoint = endpoint};
    struct nx_thread thread;
    struct nx_message message = {.words = {OPERATION_RELEASE}};

    EXPECT_OK(report, nx_thread_spawn(NULL, kept_thread, &caller, &thread));
    nx_sleep(2 *
             SHORT_WAIT); // until it waits; the server would answer a missing caller with an error
    EXPECT_OK(report, nx_endpoint_call(endpoint, &message));
    EXPECT(report, thread_ends(&thread), "a kept caller was never woken");
    EXPECT_OK(report, caller.status);
    EXPECT(report, caller.answer == 42, "kept reply said %llu", (unsigned long long)caller.answer);
    return TEST_PASS;
}

// The server is another process, which dies with the call in its hands.
static enum test_outcome dead_server(struct test_report *report)
{
    struct child child;
    struct nx_message message = {.info = NX_INFO_DEADLINE};
    nx_handle endpoint = NX_HANDLE_NONE;
    nx_handle granted;

    EXPECT_OK(report, child_create(&child));
    enum nx_status status = nx_endpoint_create(&endpoint);
    if (status == NX_OK) {
        status = nx_handle_grant(child.process, endpoint, NX_RIGHT_RECEIVE, &granted);
    }
    if (status == NX_OK) {
        status = child_start(&child, child_receive, granted, 0);
    }
    if (status == NX_OK) {
        nx_page()->deadline = nx_deadline_after(SERVER_PATIENCE);
        status = nx_endpoint_call(endpoint, &message);
    }
    nx_handle_drop(endpoint);
    child_end(&child);
    EXPECT(report, status == NX_ERR_PEER_CLOSED, "call to a dying server: %s",
           nx_status_text(status));
    return TEST_PASS;
}

static enum test_outcome timeouts(struct test_report *report)
{
    struct nx_message message = {.info = NX_INFO_DEADLINE};
    nx_handle nobody;
    uint64_t bits;
    uint64_t start = nx_clock_now();

    EXPECT_OK(report, nx_endpoint_create(&nobody));
    nx_page()->deadline = start + SHORT_WAIT;
    EXPECT_STATUS(report, nx_endpoint_call(nobody, &message), NX_ERR_TIMED_OUT);
    EXPECT_STATUS(report, nx_endpoint_receive(nobody, start + 2 * SHORT_WAIT, &message),
                  NX_ERR_TIMED_OUT);
    nx_handle_drop(nobody);
    EXPECT_STATUS(report, nx_notification_wait(NX_HANDLE_NONE, start + 3 * SHORT_WAIT, &bits),
                  NX_ERR_TIMED_OUT);
    EXPECT(report, nx_clock_now() >= start + 3 * SHORT_WAIT, "a wait ended before its deadline");
    return TEST_PASS;
}

static enum test_outcome exchange_all(struct test_report *report, nx_handle endpoint)
{
    static const size_t sizes[] = {0, 1, 7, 8, 9, 64, 1000, NX_MESSAGE_BYTES_MAX};
    enum test_outcome outcome = TEST_PASS;

    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]) && outcome == TEST_PASS; i++) {
        outcome = words_and_bytes(report, endpoint, sizes[i]);
    }
    if (outcome == TEST_PASS) {
        outcome = handle_passing(report, endpoint);
    }
    if (outcome == TEST_PASS) {
        outcome = badges(report, endpoint);
    }
    if (outcome == TEST_PASS) {
        outcome = kept_reply(report, endpoint);
    }
    if (outcome != TEST_PASS) {
        return outcome;
    }
    struct nx_message message = {.words = {OPERATION_DROP}};
    EXPECT_STATUS(report, nx_endpoint_call(endpoint, &message), NX_ERR_PEER_CLOSED);
    message = (struct nx_message){.words = {OPERATION_ECHO}, .info = NX_INFO(0, 1)};
    nx_page()->handles[0] = 0xffffff;
    EXPECT_STATUS(report, nx_endpoint_call(endpoint, &message), NX_ERR_BAD_HANDLE);
    message = (struct nx_message){.info = NX_INFO(NX_MESSAGE_BYTES_MAX + 1, 0)};
    EXPECT_STATUS(report, nx_endpoint_call(endpoint, &message), NX_ERR_INVALID_ARGUMENT);
    return TEST_PASS;
}

enum test_outcome test_ipc(struct test_report *report)
{
    struct ipc_server server = {.status = NX_OK};
    struct nx_thread thread;
    struct nx_message quit = {.words = {OPERATION_QUIT}};

    EXPECT_OK(report, nx_endpoint_create(&server.endpoint));
    EXPECT_OK(report, nx_thread_spawn(NULL, server_thread, &server, &thread));
    enum test_outcome outcome = exchange_all(report, server.endpoint);
    nx_page()->deadline = nx_deadline_after(SERVER_PATIENCE);
    quit.info = NX_INFO_DEADLINE;
    enum nx_status status = nx_endpoint_call(server.endpoint, &quit);
    bool ended = thread_ends(&thread);
    nx_handle_drop(server.endpoint);
    if (outcome != TEST_PASS) {
        return outcome;
    }
    EXPECT(report, ended, "the server thread never ended");
    EXPECT_OK(report, status);
    EXPECT_OK(report, server.status);
    outcome = dead_server(report);
    return outcome == TEST_PASS ? timeouts(report) : outcome;
}
