// SPDX-License-Identifier: Apache-2.0
// The table of nx commands. Adding a command is one row here and its handler.
#include "command.h"

static const char *const package_paths[] = {"pkg://", NULL};
static const char *const program_paths[] = {"pkg://bin/", NULL};

// clang-format off
const struct command commands[] = {
    // name, arguments, help, handler, least and most arguments, -r, passes words, completions
    {"help", "[COMMAND...]", "list the commands, or explain one",
     help_run, 0, 3, false, false, NULL},
    {"hw smp", "", "harts: state, ticks, inter-processor interrupts, load",
     smp_run, 0, 0, false, false, NULL},
    {"hw vblk info", "", "disk: size, transport, features, request counters",
     vblk_run, 0, 0, false, false, NULL},
    {"hw dt", "", "device tree: devices, addresses, interrupts, timebase",
     devicetree_run, 0, 0, false, false, NULL},
    {"hw sbi", "", "firmware: SBI version, implementation, extensions",
     sbi_run, 0, 0, false, false, NULL},
    {"hw irq", "", "device interrupts: source, hart, deliveries",
     irq_run, 0, 0, false, false, NULL},
    {"ps", "", "processes: threads, memory, time",
     processes_run, 0, 0, false, false, NULL},
    {"mem", "", "memory of the machine: total, used, free",
     memory_run, 0, 0, false, false, NULL},
    {"services", "", "services: state and restarts",
     services_run, 0, 0, false, false, NULL},
    {"kill", "SERVICE", "kill a service, by its name or its program's; it starts again",
     kill_run, 1, 1, false, false, service_names},
    {"pkg info", "", "pkg://: image, its version, blocks verified and refused",
     package_info_run, 0, 0, false, false, NULL},
    {"ls", "PATH", "list a directory of pkg://",
     list_run, 1, 1, false, false, package_paths},
    {"cat", "PATH", "print a file of pkg://",
     cat_run, 1, 1, false, false, package_paths},
    {"stat", "PATH", "size, type, mode and node of a file",
     stat_run, 1, 1, false, false, package_paths},
    {"sum", "[-r] PATH", "SHA-256 of a file, or of all files below a directory",
     sum_run, 1, 1, true, false, package_paths},
    {"run", "PATH [WORD...]", "run a program of pkg:// (budget: up to 4 MiB); Ctrl-C ends it",
     program_run, 1, 31, false, true, program_paths},
    {"measure", "", "instructions of a system call and of a message, by this kernel",
     measure_run, 0, 0, false, false, NULL},
    {"reboot", "", "restart the machine",
     reboot_run, 0, 0, false, false, NULL},
    {"poweroff", "", "switch the machine off",
     power_off_run, 0, 0, false, false, NULL},
};
// clang-format on

const size_t command_count = sizeof(commands) / sizeof(commands[0]);
