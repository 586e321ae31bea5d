// SPDX-License-Identifier: Apache-2.0
// nx reboot and nx poweroff.
#include "command.h"
#include "nexus/process.h"
#include <stdio.h>

static int reset(struct invocation *invocation, enum nx_reset_kind kind)
{
    (void)fflush(stdout);
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
