// SPDX-License-Identifier: Apache-2.0
// The name registry. Who may do what is in the program table; the badge says who asks.
#include "names.h"
#include "supervisor.h"

// The name in the page, which must be terminated within the bytes that were sent.
static enum nx_status name_read(const struct nx_request *request, char *name)
{
    uint32_t bytes = nx_request_bytes(request);
    if (bytes == 0 || bytes > NX_REGISTRY_NAME_MAX + 1) {
        return NX_ERR_BAD_FORMAT;
    }
    memcpy(name, nx_page()->data, bytes);
    return memchr(name, '\0', bytes) != NULL ? NX_OK : NX_ERR_BAD_FORMAT;
}

static enum nx_status service_read(const struct nx_request *request, enum program_id *service)
{
    char name[NX_REGISTRY_NAME_MAX + 1];
    enum nx_status status = name_read(request, name);
    if (status != NX_OK) {
        return status;
    }
    *service = program_find_service(name);
    return *service != PROGRAM_NONE ? NX_OK : NX_ERR_NOT_FOUND;
}

static enum nx_answer lookup(struct nx_request *request, enum program_id client)
{
    enum program_id service;
    nx_handle handle = NX_HANDLE_NONE;
    struct nx_service_facts facts;
    enum nx_status status = service_read(request, &service);
    if (status == NX_OK && (program_row(client)->may_find & PROGRAM_BIT(service)) == 0) {
        status = NX_ERR_ACCESS_DENIED;
    }
    if (status == NX_OK) {
        supervisor_facts(service, &facts);
        status = facts.state == NX_SERVICE_ABSENT ? NX_ERR_NOT_FOUND
                                                  : program_client_handle(service, client, &handle);
    }
    return status == NX_OK ? nx_request_answer_handle(request, NX_OK, 0, handle)
                           : nx_request_answer(request, status, 0);
}

static enum nx_answer ready(struct nx_request *request, enum program_id client)
{
    if (program_row(client)->service == NULL) {
        return nx_request_answer(request, NX_ERR_ACCESS_DENIED, 0);
    }
    supervisor_report(client, request->message.words[1] == 1,
                      (enum nx_status)request->message.words[2]);
    return nx_request_answer(request, NX_OK, 0);
}

static enum nx_answer kill_service(struct nx_request *request, enum program_id client)
{
    enum program_id service;
    enum nx_status status = service_read(request, &service);
    if (!program_row(client)->may_kill) {
        status = NX_ERR_ACCESS_DENIED;
    }
    if (status == NX_OK) {
        status = supervisor_kill(service);
    }
    return nx_request_answer(request, status, 0);
}

static enum nx_answer report(struct nx_request *request, enum program_id client)
{
    (void)client;
    enum program_id service;
    struct nx_service_facts facts = {0};
    enum nx_status status = service_read(request, &service);
    if (status == NX_OK) {
        supervisor_facts(service, &facts);
    }
    nx_request_answer(request, status, 0);
    request->message.words[1] = facts.state;
    request->message.words[2] = facts.restarts;
    return NX_ANSWER_NOW;
}

// The service at `index`, or PROGRAM_NONE.
static enum program_id service_at(uint64_t index)
{
    for (enum program_id id = 0; id < PROGRAM_COUNT; id++) {
        if (program_row(id)->service != NULL && index-- == 0) {
            return id;
        }
    }
    return PROGRAM_NONE;
}

static enum nx_answer list(struct nx_request *request, enum program_id client)
{
    (void)client;
    enum program_id id = service_at(request->message.words[1]);
    if (id == PROGRAM_NONE) {
        return nx_request_answer(request, NX_ERR_NOT_FOUND, 0);
    }
    const char *const texts[] = {program_row(id)->service, program_row(id)->file};
    size_t bytes = 0;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        size_t length = strlen(texts[i]) + 1;
        memcpy(nx_page()->data + bytes, texts[i], length); // names of the table are short
        bytes += length;
    }
    return nx_request_answer(request, NX_OK, bytes);
}

enum nx_answer names_request(struct nx_request *request)
{
    static enum nx_answer (*const operations[])(struct nx_request *, enum program_id) = {
        [NX_REGISTRY_LOOKUP] = lookup,     [NX_REGISTRY_READY] = ready,
        [NX_REGISTRY_KILL] = kill_service, [NX_REGISTRY_STATUS] = report,
        [NX_REGISTRY_LIST] = list,
    };
    enum program_id client = BADGE_PROGRAM(request->message.badge);
    uint64_t operation = request->message.words[0];
    if (client >= PROGRAM_COUNT) {
        return nx_request_answer(request, NX_ERR_ACCESS_DENIED, 0);
    }
    if (operation >= sizeof(operations) / sizeof(operations[0]) || operations[operation] == NULL) {
        return nx_request_answer(request, NX_ERR_UNSUPPORTED, 0);
    }
    return operations[operation](request, client);
}
