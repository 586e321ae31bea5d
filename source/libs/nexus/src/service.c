// SPDX-License-Identifier: Apache-2.0
// The server loop, and the client's patience with services that restart.
#include "nexus/service.h"
#include "nexus/clock.h"
#include "nexus/lock.h"
#include "nexus/registry.h"

#define RETRY_DELAY_FIRST NX_MILLISECOND
#define RETRY_DOUBLINGS   5u // up to 32 ms between attempts: callers of a dead service queue anyway
#define RETRY_ATTEMPTS    320u // about ten seconds in all

// ---- Serving ------------------------------------------------------------------------------------

static uint64_t server_deadline(const struct nx_server *server)
{
    return server->deadline != NULL ? server->deadline(server->context) : NX_DEADLINE_NEVER;
}

// Sends the answer by itself. One that cannot be sent (a handle that may not travel) is replaced by
// its failure, so that the caller is not left to think that the service died. A caller that has
// gone is no matter.
static void server_answer(const struct nx_message *message)
{
    enum nx_status status = nx_endpoint_reply(NX_HANDLE_NONE, message);
    if (status != NX_OK) {
        struct nx_message failure = {.words = {status}};
        (void)!nx_endpoint_reply(NX_HANDLE_NONE, &failure);
    }
}

// Waits for the next message, after sending the pending answer if there is one.
static enum nx_status server_wait(const struct nx_server *server, struct nx_message *message,
                                  bool answer_pending)
{
    uint64_t deadline = server_deadline(server);
    if (answer_pending && deadline == NX_DEADLINE_NEVER) {
        struct nx_message answer = *message;
        enum nx_status status = nx_endpoint_reply_receive(server->endpoint, message);
        if (status == NX_OK || status == NX_ERR_CANCELLED) {
            return status;
        }
        *message = answer;
    }
    if (answer_pending) {
        server_answer(message);
    }
    return nx_endpoint_receive(server->endpoint, deadline, message);
}

static enum nx_answer server_handle(const struct nx_server *server, struct nx_request *request)
{
    uint32_t count = NX_INFO_HANDLES(request->message.info);
    if (count == 0) {
        memset(request->handles, 0, sizeof(request->handles));
        return server->request(server->context, request);
    }
    for (uint32_t i = 0; i < NX_MESSAGE_HANDLES_MAX; i++) {
        request->handles[i] = i < count ? nx_page()->handles[i] : NX_HANDLE_NONE;
    }
    enum nx_answer answer = server->request(server->context, request);
    for (uint32_t i = 0; i < count && i < NX_MESSAGE_HANDLES_MAX; i++) {
        nx_handle_drop(request->handles[i]);
    }
    return answer;
}

enum nx_status nx_server_run(const struct nx_server *server)
{
    struct nx_request request;
    bool answer_pending = false;
    for (;;) {
        enum nx_status status = server_wait(server, &request.message, answer_pending);
        answer_pending = false;
        if (status == NX_ERR_TIMED_OUT && server->expired != NULL) {
            server->expired(server->context);
        } else if (status == NX_ERR_CANCELLED) {
            // A caller's message could not be taken over; the caller knows, and the next may come.
            continue;
        } else if (status != NX_OK) {
            return status;
        } else if ((request.message.info & NX_INFO_NOTIFICATION) != 0) {
            server->notified(server->context, request.message.words[0]);
        } else {
            answer_pending = server_handle(server, &request) == NX_ANSWER_NOW;
        }
        // Callers that never cease must not keep time from passing: the kernel looks at the
        // deadline only when nobody is queued.
        if (status == NX_OK && server->expired != NULL &&
            nx_clock_now() >= server_deadline(server)) {
            if (answer_pending) { // `expired` may use the page
                server_answer(&request.message);
                answer_pending = false;
            }
            server->expired(server->context);
        }
    }
}

// ---- Calling ------------------------------------------------------------------------------------

// Of all threads. Relaxed: a number to look at.
static _Atomic uint64_t retry_count;

uint64_t nx_retry_count(void)
{
    return atomic_load_explicit(&retry_count, memory_order_relaxed);
}

bool nx_retry_wait(struct nx_retry *retry)
{
    if (retry->attempts >= RETRY_ATTEMPTS) {
        return false;
    }
    uint32_t doublings = retry->attempts < RETRY_DOUBLINGS ? retry->attempts : RETRY_DOUBLINGS;
    nx_sleep(RETRY_DELAY_FIRST << doublings);
    retry->attempts++;
    (void)atomic_fetch_add_explicit(&retry_count, 1, memory_order_relaxed);
    return true;
}

// Endpoints that were looked up; kept for the program's life.
static struct nx_mutex endpoint_lock;                          // of who fills endpoint_cache
static _Atomic nx_handle endpoint_cache[NX_START_HANDLES_MAX]; // by start id; set once

static enum nx_status endpoint_look_up(enum nx_start_id id, const char *name, nx_handle *endpoint)
{
    nx_mutex_lock(&endpoint_lock);
    enum nx_status status = NX_OK;
    *endpoint = atomic_load_explicit(&endpoint_cache[id], memory_order_relaxed);
    if (*endpoint == NX_HANDLE_NONE) {
        status = nx_registry_lookup(name, endpoint);
    }
    if (status == NX_OK) {
        atomic_store_explicit(&endpoint_cache[id], *endpoint, memory_order_relaxed);
    }
    nx_mutex_unlock(&endpoint_lock);
    return status;
}

enum nx_status nx_service_look_up(enum nx_start_id id, const char *name, nx_handle *endpoint)
{
    if ((size_t)id >= sizeof(endpoint_cache) / sizeof(endpoint_cache[0])) {
        return NX_ERR_OUT_OF_RANGE;
    }
    // Relaxed: a handle is a number, and what it names is the kernel's.
    *endpoint = atomic_load_explicit(&endpoint_cache[id], memory_order_relaxed);
    return *endpoint != NX_HANDLE_NONE ? NX_OK : endpoint_look_up(id, name, endpoint);
}
