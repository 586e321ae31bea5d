// SPDX-License-Identifier: Apache-2.0
// nx services and nx kill: what nexus-init supervises.
#include "command.h"
#include "nexus/registry.h"
#include <inttypes.h>
#include <stdio.h>

static const char *const names[] = {"console", "packages", "block"};

static const char *state_name(enum nx_service_state state)
{
    switch (state) {
    case NX_SERVICE_ABSENT:
        return "absent";
    case NX_SERVICE_STARTING:
        return "starting";
    case NX_SERVICE_READY:
        return "ready";
    case NX_SERVICE_WAITING:
        return "waiting";
    case NX_SERVICE_DOWN:
        return "down";
    default:
        return "unknown";
    }
}

static void service_show(struct invocation *invocation, const char *name,
                         const struct nx_service_facts *facts)
{
    if (!invocation->json) {
        printf("%-10s %-8s restarts=%" PRIu64 "\n", name, state_name(facts->state),
               facts->restarts);
        return;
    }
    json_object(invocation->out, NULL);
    json_text(invocation->out, "name", name);
    json_text(invocation->out, "state", state_name(facts->state));
    json_u64(invocation->out, "restarts", facts->restarts);
    json_end(invocation->out);
}

int services_run(struct invocation *invocation)
{
    struct nx_service_facts facts[sizeof(names) / sizeof(names[0])];

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        enum nx_status status = nx_registry_status(names[i], &facts[i]);
        if (status != NX_OK) {
            return command_failed(invocation, names[i], status);
        }
    }
    if (invocation->json) {
        json_array(invocation->out, NULL);
    }
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        service_show(invocation, names[i], &facts[i]);
    }
    if (invocation->json) {
        json_end(invocation->out);
    }
    return EXIT_OK;
}

int kill_run(struct invocation *invocation)
{
    const char *name = invocation->arguments[0];
    enum nx_status status = nx_registry_kill(name);

    if (status != NX_OK) {
        return command_failed(invocation, name, status);
    }
    if (invocation->json) {
        json_object(invocation->out, NULL);
        json_text(invocation->out, "killed", name);
        json_end(invocation->out);
    } else {
        printf("killed %s\n", name);
    }
    return EXIT_OK;
}
