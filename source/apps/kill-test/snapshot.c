// SPDX-License-Identifier: Apache-2.0
// What the kernel and the processes hold at a quiet moment.
#include "kill_test.h"
#include "nexus/lock.h"
#include "nexus/log.h"
#include "nexus/machine.h"
#include <stdlib.h>

#define OWN_NAME "kill-test"
#define INTERVAL (20 * NX_MILLISECOND)
#define LOOKS    500u

static int compare_names(const void *left, const void *right)
{
    const struct snapshot_process *a = left;
    const struct snapshot_process *b = right;
    return strncmp(a->name, b->name, sizeof(a->name));
}

// What the kernel counts for one notification.
static bool notification_measure(uint64_t *bytes)
{
    struct nx_info_system before;
    struct nx_info_system after;
    nx_handle notification;

    if (nx_machine_record(NX_INFO_SYSTEM, 0, &before, sizeof(before)) != NX_OK ||
        nx_notification_create(&notification) != NX_OK) {
        return false;
    }
    bool known = nx_machine_record(NX_INFO_SYSTEM, 0, &after, sizeof(after)) == NX_OK;
    nx_handle_drop(notification);
    *bytes = after.pooled_bytes - before.pooled_bytes;
    return known;
}

static void mutexes_leave_out(struct snapshot *snapshot, uint64_t notification_bytes)
{
    uint32_t count = nx_mutex_wakeup_count();
    snapshot->object_bytes -= count * notification_bytes;
    for (uint32_t i = 0; i < snapshot->process_count; i++) {
        struct snapshot_process *process = &snapshot->processes[i];
        process->handles -=
            strncmp(process->name, OWN_NAME, sizeof(process->name)) == 0 ? count : 0;
    }
}

// One look. *retired: objects that wait for a grace period.
static bool look(struct snapshot *snapshot, uint64_t *retired)
{
    struct nx_info_system system;
    struct nx_info_process process;

    memset(snapshot, 0, sizeof(*snapshot));
    if (nx_machine_record(NX_INFO_SYSTEM, 0, &system, sizeof(system)) != NX_OK) {
        return false;
    }
    while (snapshot->process_count < PROCESSES_MAX &&
           nx_machine_record(NX_INFO_PROCESS, snapshot->process_count, &process, sizeof(process)) ==
               NX_OK) {
        struct snapshot_process *kept = &snapshot->processes[snapshot->process_count++];
        memcpy(kept->name, process.name, sizeof(kept->name));
        kept->pages = process.pages_used;
        kept->handles = process.handles;
        kept->threads = process.threads;
    }
    qsort(snapshot->processes, snapshot->process_count, sizeof(snapshot->processes[0]),
          compare_names);
    snapshot->frames = system.frames_total - system.frames_free - system.frames_pooled;
    snapshot->object_bytes = system.pooled_bytes;
    *retired = system.objects_retired;
    return true;
}

bool snapshot_take(struct snapshot *snapshot)
{
    static struct snapshot last;
    uint64_t retired;
    uint64_t notification_bytes;

    memset(&last, 0, sizeof(last));
    for (uint32_t i = 0; i < LOOKS; i++) {
        if (!look(snapshot, &retired)) {
            return false;
        }
        if (retired == 0 && memcmp(&last, snapshot, sizeof(last)) == 0) {
            if (!notification_measure(&notification_bytes)) {
                return false;
            }
            mutexes_leave_out(snapshot, notification_bytes);
            return true;
        }
        last = *snapshot;
        nx_sleep(INTERVAL);
    }
    return false;
}

static void process_report(const char *when, const struct snapshot_process *process)
{
    nx_log("kills: process %s %s pages=%llu handles=%llu threads=%u", process->name, when,
           (unsigned long long)process->pages, (unsigned long long)process->handles,
           (unsigned)process->threads);
}

bool snapshot_compare(const struct snapshot *before, const struct snapshot *after)
{
    nx_log("kills: memory frames before=%llu after=%llu object_bytes before=%llu after=%llu "
           "processes before=%u after=%u",
           (unsigned long long)before->frames, (unsigned long long)after->frames,
           (unsigned long long)before->object_bytes, (unsigned long long)after->object_bytes,
           (unsigned)before->process_count, (unsigned)after->process_count);
    if (memcmp(before, after, sizeof(*before)) == 0) {
        return true;
    }
    for (uint32_t i = 0; i < PROCESSES_MAX; i++) {
        if (memcmp(&before->processes[i], &after->processes[i], sizeof(before->processes[i]))) {
            process_report("before", &before->processes[i]);
            process_report("after", &after->processes[i]);
        }
    }
    return false;
}
