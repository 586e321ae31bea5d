// SPDX-License-Identifier: Apache-2.0
// nx hw irq: the device interrupts that drivers own.
#include "command.h"
#include "nexus/machine.h"
#include <inttypes.h>
#include <stdio.h>

static void interrupt_show(struct invocation *invocation, const struct nx_info_interrupt *record)
{
    struct json *out = invocation->out;

    if (!invocation->json) {
        printf("%6" PRIu32 " %-5s %4" PRIu32 " %7" PRIu32 " %9" PRIu64 " %12" PRIu64 "\n",
               record->source, record->bound != 0 ? "yes" : "no", record->hart, record->context,
               record->count, record->acknowledged);
        return;
    }
    json_object(out, NULL);
    json_u64(out, "source", record->source);
    json_bool(out, "bound", record->bound != 0);
    json_u64(out, "hart", record->hart);
    json_u64(out, "context", record->context);
    json_u64(out, "count", record->count);
    json_u64(out, "acknowledged", record->acknowledged);
    json_end(out);
}

int irq_run(struct invocation *invocation)
{
    struct nx_info_interrupt record;
    enum nx_status status = nx_machine_record(NX_INFO_INTERRUPT, 0, &record, sizeof(record));

    if (status != NX_OK && status != NX_ERR_NOT_FOUND) {
        return command_failed(invocation, "interrupt records", status);
    }
    if (invocation->json) {
        json_array(invocation->out, NULL);
    } else {
        printf("source bound hart context     count acknowledged\n");
    }
    for (uint64_t index = 1; status == NX_OK; index++) {
        interrupt_show(invocation, &record);
        status = nx_machine_record(NX_INFO_INTERRUPT, index, &record, sizeof(record));
    }
    if (invocation->json) {
        json_end(invocation->out);
    }
    return status == NX_ERR_NOT_FOUND ? EXIT_OK : EXIT_FAILED;
}
