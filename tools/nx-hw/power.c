// SPDX-License-Identifier: Apache-2.0
// nx reboot and nx poweroff.
#include "command.h"
#include "nexus/clock.h"
#include "nexus/console.h"
#include "nexus/log.h"
#include "nexus/process.h"
#include <stdio.h>

#define FLUSH_PATIENCE (5 * NX_SECOND) // for the console to print what it has

static int reset(struct invocation *invocation, enum nx_reset_kind kind)
{
    const char *name = invocation->command->name;
    if (invocation->json) { // now or never
        json_object(invocation->out, NULL);
        json_text(invocation->out, "reset", name);
        json_end(invocation->out);
        printf("\n");
    }
    (void)fflush(stdout);
    // A console that does not work, or is not there, is no reason to stay on.
    (void)!nx_console_flush(nx_deadline_after(FLUSH_PATIENCE));
    enum nx_status status = nx_system_reset(nx_start_handle(NX_START_MACHINE), kind);
    invocation->json = false; // its one value is out
    nx_log("nx: %s: %s", name, nx_status_text(status));
    return EXIT_FAILED;
}

int reboot_run(struct invocation *invocation)
{
    return reset(invocation, NX_RESET_REBOOT);
}

int power_off_run(struct invocation *invocation)
{
    return reset(invocation, NX_RESET_POWER_OFF);
}
