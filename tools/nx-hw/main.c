// SPDX-License-Identifier: Apache-2.0
// nx: the diagnostics console of the system.
//
//   nx COMMAND...   runs one command and ends with its status
//   nx              prompts for commands on the console
#include "command.h"

int main(int argc, char **argv)
{
    if (argc < 2) {
        return shell_run();
    }
    return command_run((size_t)argc - 1, argv + 1);
}
