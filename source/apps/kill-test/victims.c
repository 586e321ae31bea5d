// SPDX-License-Identifier: Apache-2.0
// The services that are killed: by nexus-init, on the request of a program that may ask for it.
#include "kill_test.h"
#include "nexus/console.h"
#include "nexus/registry.h"
#include <stdio.h>

#define PATIENCE (20 * NX_SECOND)
#define INTERVAL (100 * NX_MICROSECOND)

static enum nx_status block_probe(void)
{
    struct nx_block_facts facts;
    return nx_block_info(&facts);
}

static enum nx_status packages_probe(void)
{
    struct nx_package_report report;
    return nx_package_status(&report);
}

static enum nx_status console_probe(void)
{
    struct nx_console_facts facts;
    return nx_console_info(&facts);
}

static const struct {
    const char *name;
    enum nx_status (*probe)(void); // a call that the service answers
} victims[VICTIM_COUNT] = {
    [VICTIM_BLOCK] = {"block", block_probe},
    [VICTIM_PACKAGES] = {"packages", packages_probe},
    [VICTIM_CONSOLE] = {"console", console_probe},
};

const char *victim_name(enum victim victim)
{
    return victims[victim].name;
}

bool victim_find(const char *name, size_t length, enum victim *victim)
{
    for (*victim = 0; *victim < VICTIM_COUNT; (*victim)++) {
        const char *known = victims[*victim].name;
        if (strlen(known) == length && memcmp(known, name, length) == 0) {
            return true;
        }
    }
    return false;
}

uint64_t victim_restarts(enum victim victim)
{
    struct nx_service_facts facts = {0};
    (void)!nx_registry_status(victims[victim].name, &facts); // a known name
    return facts.restarts;
}

bool victim_kill(enum victim victim, char reason[REASON_BYTES])
{
    uint64_t deadline = nx_deadline_after(PATIENCE);
    enum nx_status status = nx_registry_kill(victims[victim].name);

    while (status == NX_ERR_BAD_STATE && nx_clock_now() < deadline) { // between two processes
        nx_sleep(INTERVAL);
        status = nx_registry_kill(victims[victim].name);
    }
    if (status != NX_OK) {
        (void)snprintf(reason, REASON_BYTES, "kill of %s: %s", victims[victim].name,
                       nx_status_text(status));
    }
    return status == NX_OK;
}

static bool is_ready(enum victim victim, uint64_t restarts)
{
    struct nx_service_facts facts;
    return nx_registry_status(victims[victim].name, &facts) == NX_OK &&
           facts.state == NX_SERVICE_READY && facts.restarts > restarts;
}

bool victim_recovered(enum victim victim, uint64_t restarts, char reason[REASON_BYTES])
{
    uint64_t deadline = nx_deadline_after(PATIENCE);
    bool late = false;

    for (;;) {
        // The call waits in the service's endpoint until somebody serves it.
        enum nx_status status = victims[victim].probe();
        bool ready = is_ready(victim, restarts);
        if (status == NX_OK && ready) {
            return true;
        }
        if (status != NX_OK || late) {
            (void)snprintf(reason, REASON_BYTES, "%s after a kill: %s ready=%d",
                           victims[victim].name, nx_status_text(status), ready);
            return false;
        }
        late = nx_clock_now() > deadline;
        nx_sleep(INTERVAL);
    }
}
