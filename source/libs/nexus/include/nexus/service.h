// SPDX-License-Identifier: Apache-2.0
// Serving an endpoint, and calling a service that may die and come back.
//
// A request and its answer are Cap'n Proto messages in the message page; register word 0 of an
// answer is an enum nx_status: NX_OK when the page holds the answer.
#ifndef NEXUS_SERVICE_H
#define NEXUS_SERVICE_H

#include "nexus/process.h"
#include <stdbool.h>

// ---- Serving ------------------------------------------------------------------------------------

// One request, and after the handler has returned, its answer.
struct nx_request {
    // In: words, info and badge of the caller. Out: the words and the info of the answer, whose
    // bytes and handles are in the message page. Preset to "no bytes, word 0 = NX_OK" by
    // nx_request_answer().
    struct nx_message message;
    // The handles that came with it. They belong to the server loop, which closes them after the
    // handler, except those that the handler has taken by writing NX_HANDLE_NONE over them.
    nx_handle handles[NX_MESSAGE_HANDLES_MAX];
};

enum nx_answer {
    NX_ANSWER_NOW,   // send message and page
    NX_ANSWER_LATER, // the handler has saved the reply right (nx_reply_save)
};

struct nx_server {
    nx_handle endpoint;
    void *context;
    enum nx_answer (*request)(void *context, struct nx_request *request);
    // Bits of the notification bound to the serving thread. NULL: none is bound.
    void (*notified)(void *context, uint64_t bits);
    // The next moment at which `expired` wants to run, NX_DEADLINE_NEVER for none; asked before
    // every wait. NULL together with `expired`: the server has no timers.
    uint64_t (*deadline)(void *context);
    void (*expired)(void *context);
};

// Serves for ever. Returns only when the endpoint itself refuses: with the reason.
enum nx_status nx_server_run(const struct nx_server *server);

// Bytes of the request in the message page.
static inline uint32_t nx_request_bytes(const struct nx_request *request)
{
    return NX_INFO_BYTES(request->message.info);
}

// Makes the answer: `status` in word 0 and `bytes` bytes of the page's data.
static inline enum nx_answer nx_request_answer(struct nx_request *request, enum nx_status status,
                                               size_t bytes)
{
    request->message = (struct nx_message){.words = {status}, .info = NX_INFO(bytes, 0)};
    return NX_ANSWER_NOW;
}

// The same, with a handle that stays the server's own (the client gets a copy with its rights).
static inline enum nx_answer nx_request_answer_handle(struct nx_request *request,
                                                      enum nx_status status, size_t bytes,
                                                      nx_handle handle)
{
    nx_page()->handles[0] = handle;
    request->message = (struct nx_message){.words = {status}, .info = NX_INFO(bytes, 1)};
    return NX_ANSWER_NOW;
}

// ---- Calling ------------------------------------------------------------------------------------

// Patience with a service that is being restarted. Use:
//
//     struct nx_retry retry = {0};
//     do {
//         ... build the request in nx_page()->data ...
//         status = nx_service_call(endpoint, bytes, handle, &reply, &retry);
//     } while (nx_retry_again(&retry));
struct nx_retry {
    uint32_t attempts;
    bool interrupted; // the last call ended because the service died under it
};

// Sends `bytes` of page data and, unless NX_HANDLE_NONE, `handle`. Returns the transport's failure,
// else the answer's word 0; reply->info then says what the page holds. Gives up at a deadline in
// nanoseconds on the monotonic clock. Inline, so that the message stays in registers.
NX_MUST_CHECK NX_INLINE enum nx_status nx_service_call_until(nx_handle endpoint, size_t bytes,
                                                             nx_handle handle, uint64_t deadline,
                                                             struct nx_message *reply,
                                                             struct nx_retry *retry)
{
    struct nx_message message = {.info = NX_INFO(bytes, handle != NX_HANDLE_NONE)};
    if (handle != NX_HANDLE_NONE) {
        nx_page()->handles[0] = handle;
    }
    if (deadline != NX_DEADLINE_NEVER) {
        nx_page()->deadline = deadline;
        message.info |= NX_INFO_DEADLINE;
    }
    enum nx_status status = nx_endpoint_call(endpoint, &message);
    retry->interrupted = status == NX_ERR_PEER_CLOSED;
    *reply = message;
    return status != NX_OK ? status : (enum nx_status)message.words[0];
}

// The same, however long it takes.
NX_MUST_CHECK NX_INLINE enum nx_status nx_service_call(nx_handle endpoint, size_t bytes,
                                                       nx_handle handle, struct nx_message *reply,
                                                       struct nx_retry *retry)
{
    return nx_service_call_until(endpoint, bytes, handle, NX_DEADLINE_NEVER, reply, retry);
}

// Whether to call again; waits first, longer each time. Gives up after about ten seconds. A service
// that nexus-init has declared down answers at once and is not waited for.
bool nx_retry_wait(struct nx_retry *retry);

// How often this program has called again since it began.
uint64_t nx_retry_count(void);

static inline bool nx_retry_again(struct nx_retry *retry)
{
    return retry->interrupted && nx_retry_wait(retry);
}

// The endpoint that the registry has under `name`; it is looked up once and kept under `id`.
NX_MUST_CHECK enum nx_status nx_service_look_up(enum nx_start_id id, const char *name,
                                                nx_handle *endpoint);

// The endpoint of a service: the one granted under `id`, else the registry's under `name`.
// NX_ERR_NOT_FOUND or NX_ERR_ACCESS_DENIED: this program may not use it.
NX_MUST_CHECK static inline enum nx_status
nx_service_endpoint(enum nx_start_id id, const char *name, nx_handle *endpoint)
{
    *endpoint = nx_start_handle(id);
    return *endpoint != NX_HANDLE_NONE ? NX_OK : nx_service_look_up(id, name, endpoint);
}

#endif
