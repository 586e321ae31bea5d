// SPDX-License-Identifier: Apache-2.0
// nx services and nx kill: what nexus-init supervises.
#include "command.h"
#include "nexus/registry.h"
#include <inttypes.h>
#include <stdio.h>

#define SERVICES_MAX 16u

const char *service_names[SERVICES_MAX + 1];

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

static void service_show(struct invocation *invocation, const struct nx_service_names *names,
                         const struct nx_service_facts *facts)
{
    if (!invocation->json) {
        printf("%-10s %-12s %-8s restarts=%" PRIu64 "\n", names->service, names->program,
               state_name(facts->state), facts->restarts);
        return;
    }
    json_object(invocation->out, NULL);
    json_text(invocation->out, "name", names->service);
    json_text(invocation->out, "program", names->program);
    json_text(invocation->out, "state", state_name(facts->state));
    json_u64(invocation->out, "restarts", facts->restarts);
    json_end(invocation->out);
}

// Fills `names` with what nexus-init supervises, *count of them.
static enum nx_status services_list(struct nx_service_names names[SERVICES_MAX], size_t *count)
{
    enum nx_status status = NX_OK;

    for (*count = 0; *count < SERVICES_MAX; (*count)++) {
        status = nx_registry_list(*count, &names[*count]);
        if (status != NX_OK) {
            break;
        }
    }
    return status == NX_ERR_NOT_FOUND ? NX_OK : status;
}

void service_names_load(void)
{
    static struct nx_service_names names[SERVICES_MAX];
    size_t count;

    // Without names nothing is completed.
    if (services_list(names, &count) != NX_OK) {
        count = 0;
    }
    for (size_t i = 0; i < count; i++) {
        service_names[i] = names[i].service;
    }
    service_names[count] = NULL;
}

int services_run(struct invocation *invocation)
{
    struct nx_service_names names[SERVICES_MAX];
    struct nx_service_facts facts[SERVICES_MAX];
    size_t count;

    enum nx_status status = services_list(names, &count);
    if (status != NX_OK) {
        return command_failed(invocation, "list of services", status);
    }
    for (size_t i = 0; i < count; i++) {
        status = nx_registry_status(names[i].service, &facts[i]);
        if (status != NX_OK) {
            return command_failed(invocation, names[i].service, status);
        }
    }
    if (invocation->json) {
        json_array(invocation->out, NULL);
    }
    for (size_t i = 0; i < count; i++) {
        service_show(invocation, &names[i], &facts[i]);
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
