// SPDX-License-Identifier: Apache-2.0
// nx hw smp: the harts and what they have done.
#include "command.h"
#include "nexus/machine.h"
#include <inttypes.h>
#include <stdio.h>

static const char *state_name(uint32_t state)
{
    static const char *const names[] = {
        [NX_HART_ABSENT] = "absent",   [NX_HART_STARTING] = "starting",
        [NX_HART_ONLINE] = "online",   [NX_HART_STOPPING] = "stopping",
        [NX_HART_STOPPED] = "stopped", [NX_HART_FAILED] = "failed",
    };
    return state < sizeof(names) / sizeof(names[0]) ? names[state] : "unknown";
}

// In percent of its time online.
static uint64_t idle_share(const struct nx_info_hart *hart)
{
    return hart->online_time == 0 ? 0 : hart->idle_time / (hart->online_time / 100 + 1);
}

static void pairs_print(const struct nx_info_hart *hart, uint32_t index, uint32_t harts)
{
    printf("      ipi sent:");
    for (uint32_t other = 0; other < harts; other++) {
        if (other != index) {
            printf(" ->%" PRIu32 " %" PRIu64, other, hart->ipi_sent_to[other]);
        }
    }
    printf("   received:");
    for (uint32_t other = 0; other < harts; other++) {
        if (other != index) {
            printf(" <-%" PRIu32 " %" PRIu64, other, hart->ipi_received_from[other]);
        }
    }
    printf("\n      ipi requested=%" PRIu64 " coalesced=%" PRIu64 " sent=%" PRIu64
           " trapped=%" PRIu64 " dispatched=%" PRIu64 "\n",
           hart->ipi_requested, hart->ipi_coalesced, hart->ipi_sent, hart->ipi_trapped,
           hart->ipi_dispatched);
}

static void hart_print(const struct nx_info_hart *hart, uint32_t index, uint32_t harts)
{
    printf("%4" PRIu32 " %7" PRIu64 "  %-8s %9" PRIu64 " %4" PRIu32 " %4" PRIu64 "%% %9" PRIu64
           " %6" PRIu64 " %9" PRIu64 " %9" PRIu64 " %9" PRIu64 "\n",
           index, hart->hart_id, state_name(hart->state), hart->ticks, hart->run_queue_length,
           idle_share(hart), hart->switches, hart->steals, hart->interrupts, hart->timer_interrupts,
           hart->set_timer_calls);
    if (harts > 1) {
        pairs_print(hart, index, harts);
    }
}

static void pairs_json(struct json *out, const char *key, const uint64_t *counts, uint32_t harts)
{
    json_array(out, key);
    for (uint32_t i = 0; i < harts; i++) {
        json_u64(out, NULL, counts[i]);
    }
    json_end(out);
}

static void hart_json(struct json *out, const struct nx_info_hart *hart, uint32_t index,
                      uint32_t harts)
{
    json_object(out, NULL);
    json_u64(out, "index", index);
    json_u64(out, "hartId", hart->hart_id);
    json_text(out, "state", state_name(hart->state));
    json_u64(out, "ticks", hart->ticks);
    json_u64(out, "runQueueLength", hart->run_queue_length);
    json_u64(out, "idlePercent", idle_share(hart));
    json_u64(out, "switches", hart->switches);
    json_u64(out, "steals", hart->steals);
    json_u64(out, "interrupts", hart->interrupts);
    json_u64(out, "timerInterrupts", hart->timer_interrupts);
    json_u64(out, "lockContended", hart->lock_contended);
    json_u64(out, "setTimerCalls", hart->set_timer_calls);
    json_u64(out, "ipiRequested", hart->ipi_requested);
    json_u64(out, "ipiCoalesced", hart->ipi_coalesced);
    json_u64(out, "ipiSent", hart->ipi_sent);
    json_u64(out, "ipiTrapped", hart->ipi_trapped);
    json_u64(out, "ipiDispatched", hart->ipi_dispatched);
    pairs_json(out, "ipiSentTo", hart->ipi_sent_to, harts);
    pairs_json(out, "ipiReceivedFrom", hart->ipi_received_from, harts);
    json_end(out);
}

static void all_json(struct json *out, const struct nx_info_system *system,
                     const struct nx_info_hart *records)
{
    json_object(out, NULL);
    json_u64(out, "harts", system->harts);
    json_u64(out, "online", system->harts_online);
    json_u64(out, "bootHartId", system->boot_hart_id);
    json_array(out, "hart");
    for (uint32_t i = 0; i < system->harts; i++) {
        hart_json(out, &records[i], i, system->harts);
    }
    json_end(out);
    json_end(out);
}

int smp_run(struct invocation *invocation)
{
    struct nx_info_system system;
    struct nx_info_hart records[NX_HARTS_MAX];

    enum nx_status status = nx_machine_record(NX_INFO_SYSTEM, 0, &system, sizeof(system));
    if (status == NX_OK && system.harts > NX_HARTS_MAX) {
        status = NX_ERR_BAD_FORMAT;
    }
    for (uint32_t i = 0; status == NX_OK && i < system.harts; i++) {
        status = nx_machine_record(NX_INFO_HART, i, &records[i], sizeof(records[i]));
    }
    if (status != NX_OK) {
        return command_failed(invocation, "hart records", status);
    }
    if (invocation->json) {
        all_json(invocation->out, &system, records);
        return EXIT_OK;
    }
    printf("hart hart id  state        ticks   rq  idle  switches steals  external     timer "
           "set_timer\n");
    for (uint32_t i = 0; i < system.harts; i++) {
        hart_print(&records[i], i, system.harts);
    }
    printf("nx: smp online=%" PRIu32 "\n", system.harts_online);
    return EXIT_OK;
}
