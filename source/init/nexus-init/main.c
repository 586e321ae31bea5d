// SPDX-License-Identifier: Apache-2.0
// nexus-init: the first process. It owns the machine's handles, gives each program what its row in
// the table says and no more, and looks after them until the machine stops.
//
// One thread, one endpoint: registry requests, fault messages and, through the bound notification,
// the ends of processes. It never waits for a service, since only it can restart one.
#include "archive.h"
#include "modes.h"
#include "names.h"
#include "nexus/log.h"
#include "supervisor.h"

#include <stdlib.h>

static enum nx_answer request(void *context, struct nx_request *message)
{
    (void)context;
    enum nx_answer answer = NX_ANSWER_NOW;
    if ((message->message.info & NX_INFO_FAULT) != 0) {
        supervisor_fault(&message->message);
        // Anything but NX_FAULT_RESUME ends the process, which it deserves in any case.
        answer = nx_request_answer(message, NX_OK, 0);
    } else {
        answer = names_request(message);
    }
    return answer;
}

static void notified(void *context, uint64_t bits)
{
    (void)context;
    supervisor_exits(bits);
}

static void expired(void *context)
{
    (void)context;
    supervisor_expired();
    modes_expired();
}

static uint64_t deadline(void *context)
{
    (void)context;
    uint64_t services = supervisor_deadline();
    uint64_t modes = modes_deadline();
    return services < modes ? services : modes;
}

static enum nx_status init_start(struct nx_server *server)
{
    nx_handle exits;
    enum nx_status status = machine_discover();
    if (status == NX_OK) {
        status = archive_open();
    }
    if (status == NX_OK) {
        status = nx_endpoint_create(&server->endpoint);
    }
    if (status == NX_OK) {
        status = nx_notification_create(&exits);
    }
    if (status == NX_OK) {
        status = nx_notification_bind(exits);
    }
    if (status == NX_OK) {
        status = programs_prepare(server->endpoint);
    }
    if (status == NX_OK) {
        modes_read(machine_bootargs());
        status = supervisor_begin(server->endpoint, exits, modes_begin);
    }
    return status;
}

int main(void)
{
    nx_log("userspace: hello");
    struct nx_server server = {
        .request = request,
        .notified = notified,
        .deadline = deadline,
        .expired = expired,
    };
    enum nx_status status = init_start(&server);
    if (status == NX_OK) {
        status = nx_server_run(&server);
    }
    nx_log("init: FAIL reason=%s", nx_status_text(status));
    return EXIT_FAILURE;
}
