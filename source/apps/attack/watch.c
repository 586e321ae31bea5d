// SPDX-License-Identifier: Apache-2.0
// What the machine has, before and after: free frames, and pages, handles and threads of each
// process.
#include "attack.h"
#include "nexus/clock.h"
#include "nexus/log.h"
#include <stdarg.h>
#include <stdio.h>

#define SETTLE_PATIENCE (20 * NX_SECOND)
#define GROWTH_MAX      48 // pages of one service, ever

bool report_fail(struct report *report, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(report->reason, sizeof(report->reason), format, arguments);
    va_end(arguments);
    return false;
}

bool report_tell(const char *name, bool contained, const struct report *report)
{
    if (contained) {
        nx_log("ATTACK: %s contained%s", name, report->figures);
    } else {
        nx_log("ATTACK: %s FAIL reason=%s", name, report->reason);
    }
    return contained;
}

uint32_t machine_harts(void)
{
    struct nx_info_system system;
    return nx_machine_record(NX_INFO_SYSTEM, 0, &system, sizeof(system)) == NX_OK ? system.harts
                                                                                  : 1;
}

enum nx_status machine_look(struct machine_state *state)
{
    struct nx_info_system system;
    enum nx_status status;
    memset(state, 0, sizeof(*state));
    state->count = 0;
    do {
        status = nx_machine_record(NX_INFO_PROCESS, state->count, &state->processes[state->count],
                                   sizeof(state->processes[0]));
        state->count += status == NX_OK;
    } while (status == NX_OK && state->count < WATCH_PROCESSES);
    if (status == NX_ERR_NOT_FOUND) {
        status = nx_machine_record(NX_INFO_SYSTEM, 0, &system, sizeof(system));
    } else if (status == NX_OK) {
        status = NX_ERR_TOO_LARGE;
    }
    state->frames_free = system.frames_free + system.frames_pooled;
    state->pooled_bytes = system.pooled_bytes;
    state->retired = system.objects_retired;
    return status;
}

// ---- Comparing ----------------------------------------------------------------------------------

struct settling {
    const struct machine_state *before;
    struct machine_state now;
    uint64_t growth; // pages
};

static const struct nx_info_process *find(const struct machine_state *state, uint64_t id)
{
    for (uint32_t i = 0; i < state->count; i++) {
        if (state->processes[i].id == id) {
            return &state->processes[i];
        }
    }
    return NULL;
}

// The pages that a service has more than before: those that it has touched for the first time, of
// its stack or its caches. Ours and the neighbour's have no such excuse.
static int64_t growth_of(const struct nx_info_process *now, const struct nx_info_process *old)
{
    return (int64_t)(now->pages_used - old->pages_used);
}

static bool may_grow(const struct nx_info_process *process)
{
    static const char *const services[] = {"nexus-init", "uartd", "virtioblkd", "packagefsd"};
    for (size_t i = 0; i < sizeof(services) / sizeof(services[0]); i++) {
        if (strcmp(process->name, services[i]) == 0) {
            return true;
        }
    }
    return false;
}

static bool is_as_before(const struct nx_info_process *now, const struct machine_state *before)
{
    const struct nx_info_process *old = find(before, now->id);
    if (old == NULL || now->handles != old->handles || now->threads != old->threads) {
        return false;
    }
    int64_t growth = growth_of(now, old);
    return growth == 0 || (may_grow(now) && growth > 0 && growth <= GROWTH_MAX);
}

// Every frame that is gone is one that a process has more, and is charged for.
static bool is_settled(void *context)
{
    struct settling *settling = context;
    const struct machine_state *now = &settling->now;
    uint64_t growth = 0;
    if (machine_look(&settling->now) != NX_OK || now->retired != 0 ||
        now->count != settling->before->count) {
        return false;
    }
    for (uint32_t i = 0; i < now->count; i++) {
        if (!is_as_before(&now->processes[i], settling->before)) {
            return false;
        }
        growth +=
            (uint64_t)growth_of(&now->processes[i], find(settling->before, now->processes[i].id));
    }
    settling->growth = growth;
    return now->frames_free + growth == settling->before->frames_free &&
           now->pooled_bytes == settling->before->pooled_bytes;
}

bool machine_settles(struct report *report, const struct machine_state *before, uint64_t *growth)
{
    static struct settling settling; // of one thread; too large for the stack's taste
    settling.before = before;
    if (nx_wait_until(is_settled, &settling, SETTLE_PATIENCE)) {
        *growth = settling.growth;
        return true;
    }
    const struct machine_state *now = &settling.now;
    char text[160] = "";
    size_t used = 0;
    for (uint32_t i = 0; i < now->count && used < sizeof(text); i++) {
        const struct nx_info_process *one = &now->processes[i];
        static const struct nx_info_process none;
        const struct nx_info_process *old = find(before, one->id);
        old = old != NULL ? old : &none;
        if (!is_as_before(one, before)) {
            used += (size_t)snprintf(
                text + used, sizeof(text) - used, " %s pages=%llu(%llu) handles=%llu(%llu)",
                one->name, (unsigned long long)one->pages_used, (unsigned long long)old->pages_used,
                (unsigned long long)one->handles, (unsigned long long)old->handles);
        }
    }
    return report_fail(
        report,
        "not everything came back: frames=%llu(%llu) objects=%llu(%llu) retired=%llu "
        "processes=%u(%u)%s",
        (unsigned long long)now->frames_free, (unsigned long long)before->frames_free,
        (unsigned long long)now->pooled_bytes, (unsigned long long)before->pooled_bytes,
        (unsigned long long)now->retired, now->count, before->count, text);
}

static bool has_no_more(void *context)
{
    struct settling *settling = context;
    return machine_look(&settling->now) == NX_OK && settling->now.retired == 0 &&
           settling->now.count <= settling->before->count;
}

bool machine_look_settled(struct machine_state *state, uint32_t processes)
{
    static struct machine_state wanted;
    static struct settling settling;
    wanted.count = processes;
    settling.before = &wanted;
    bool settled = nx_wait_until(has_no_more, &settling, SETTLE_PATIENCE);
    *state = settling.now;
    return settled;
}
