// SPDX-License-Identifier: Apache-2.0
// nx reboot and nx poweroff.
#include "command.h"
#include "nexus/clock.h"
#include "nexus/console.h"
#include "nexus/process.h"
#include <stdio.h>

#define FLUSH_PATIENCE (5 * NX_SECOND) // for the console to print what it has

static int reset(struct invocation *invocation, enum nx_reset_kind kind)
{
    (void)fflush(stdout);
    // A console that does not work, or is not there, is no reason to stay on.
    (void)!nx_console_flush(nx_deadline_after(FLUSH_PATIENCE));
    enum nx_status status = nx_system_reset(nx_start_handle(NX_START_MACHINE), kind);
    return command_failed(invocation, invocation->command->name, status);
}

int reboot_run(struct invocation *invocation)
{
    return reset(invocation, NX_RESET_REBOOT);
}

int power_off_run(struct invocation *invocation)
{
    return reset(invocation, NX_RESET_POWER_OFF);
}
