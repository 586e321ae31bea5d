// SPDX-License-Identifier: Apache-2.0
// nx ps and nx mem: who runs, and what memory there is.
#include "command.h"
#include "nexus/clock.h"
#include "nexus/machine.h"
#include <inttypes.h>
#include <stdio.h>

static const char *state_name(uint32_t state)
{
    static const char *const names[] = {
        [NX_PROCESS_NEW] = "new",   [NX_PROCESS_ALIVE] = "alive", [NX_PROCESS_DYING] = "dying",
        [NX_PROCESS_HELD] = "held", [NX_PROCESS_DEAD] = "dead",
    };
    return state < sizeof(names) / sizeof(names[0]) ? names[state] : "unknown";
}

static void process_show(struct invocation *invocation, const struct nx_info_process *record)
{
    struct json *out = invocation->out;
    uint64_t microseconds = nx_ticks_to_nanoseconds(record->run_time) / NX_MICROSECOND;

    if (!invocation->json) {
        printf("%4" PRIu64 " %-16.*s %-5s %7" PRIu32 " %7" PRIu64 " %6" PRIu64 " %7" PRIu64
               " %6" PRIu64 ".%06" PRIu64 "\n",
               record->id, (int)NX_NAME_BYTES, record->name, state_name(record->state),
               record->threads, record->pages_used, record->pages_budget, record->handles,
               microseconds / 1000000, microseconds % 1000000);
        return;
    }
    json_object(out, NULL);
    json_u64(out, "id", record->id);
    json_bytes(out, "name", record->name, strnlen(record->name, NX_NAME_BYTES));
    json_text(out, "state", state_name(record->state));
    json_u64(out, "threads", record->threads);
    json_u64(out, "pagesUsed", record->pages_used);
    json_u64(out, "pagesBudget", record->pages_budget);
    json_u64(out, "handles", record->handles);
    json_u64(out, "runMicroseconds", microseconds);
    json_end(out);
}

int processes_run(struct invocation *invocation)
{
    struct nx_info_process record;
    enum nx_status status = nx_machine_record(NX_INFO_PROCESS, 0, &record, sizeof(record));

    if (status != NX_OK) {
        return command_failed(invocation, "process records", status);
    }
    if (invocation->json) {
        json_array(invocation->out, NULL);
    } else {
        printf("  id name             state threads charged budget handles       seconds\n");
    }
    for (uint64_t index = 1; status == NX_OK; index++) {
        process_show(invocation, &record);
        status = nx_machine_record(NX_INFO_PROCESS, index, &record, sizeof(record));
    }
    if (invocation->json) {
        json_end(invocation->out);
    }
    return status == NX_ERR_NOT_FOUND ? EXIT_OK : EXIT_FAILED;
}

int memory_run(struct invocation *invocation)
{
    struct nx_info_system system;
    struct json *out = invocation->out;

    enum nx_status status = nx_machine_record(NX_INFO_SYSTEM, 0, &system, sizeof(system));
    if (status != NX_OK) {
        return command_failed(invocation, "system record", status);
    }
    uint64_t total = system.frames_total * (NX_PAGE_SIZE / 1024);
    uint64_t available = system.frames_free * (NX_PAGE_SIZE / 1024);
    if (!invocation->json) {
        printf("total %" PRIu64 " KiB  used %" PRIu64 " KiB  free %" PRIu64 " KiB\n", total,
               total - available, available);
        printf("kernel objects waiting for reclamation %" PRIu64 ", reclaimed %" PRIu64 "\n",
               system.objects_retired, system.objects_reclaimed);
        return EXIT_OK;
    }
    json_object(out, NULL);
    json_u64(out, "totalKiB", total);
    json_u64(out, "freeKiB", available);
    json_u64(out, "objectsRetired", system.objects_retired);
    json_u64(out, "objectsReclaimed", system.objects_reclaimed);
    json_end(out);
    return EXIT_OK;
}
