// SPDX-License-Identifier: Apache-2.0
// A command of nx: its row in the table, and what its handler gets.
//
// docs/howto/add-an-nx-command.md shows how to add one.
#ifndef NX_COMMAND_H
#define NX_COMMAND_H

#include "json.h"
#include "nexus/status.h"
#include <stdbool.h>
#include <stddef.h>

// Exit statuses of nx.
enum exit_status {
    EXIT_OK = 0,
    EXIT_FAILED = 1, // the command ran and did not succeed
    EXIT_USAGE = 2,  // the command was not understood
};

// One use of a command.
struct invocation {
    const struct command *command;
    size_t argument_count; // without the command's name, --json and the option letters
    char **arguments;
    bool json;        // --json
    bool recursive;   // -r
    struct json *out; // JSON to standard output; only with `json`
};

struct command {
    const char *name;                          // one or more words, separated by single blanks
    const char *arguments;                     // as the usage line shows them, "" for none
    const char *help;                          // one line
    int (*run)(struct invocation *invocation); // returns an enum exit_status
    size_t least;                              // arguments
    size_t most;
    bool takes_recursive; // knows -r
    bool passes_words;    // what follows the first argument is not nx's: no options in it
    // Completions beside the name itself, NULL-terminated: each is typed after the name. NULL: the
    // name alone is offered.
    const char *const *completions;
};

extern const struct command commands[];
extern const size_t command_count;

// The services of nexus-init, NULL-terminated, for completion: empty until service_names_load.
extern const char *service_names[];
void service_names_load(void); // services.c

// Finds and runs the command of these words; prints a usage line when there is none. A leading "nx"
// is taken off. Returns an enum exit_status, or the status of a program that the command ran.
int command_run(size_t count, char **words);

// The interactive prompt; returns when the console is gone.
int shell_run(void);

// Says what failed, as a line or as {"error": ...}; returns EXIT_FAILED.
int command_failed(struct invocation *invocation, const char *what, enum nx_status status);

// Says that the use was wrong and what the right one is, as a line or as {"error": ..., "usage":
// ...}; returns EXIT_USAGE.
int command_usage(struct invocation *invocation);

// Handlers, by file.
int help_run(struct invocation *invocation);       // help.c
int smp_run(struct invocation *invocation);        // hw_smp.c
int vblk_run(struct invocation *invocation);       // hw_vblk.c
int devicetree_run(struct invocation *invocation); // hw_dt.c
int sbi_run(struct invocation *invocation);        // hw_sbi.c
int irq_run(struct invocation *invocation);        // hw_irq.c
int processes_run(struct invocation *invocation);  // processes.c
int memory_run(struct invocation *invocation);
int services_run(struct invocation *invocation); // services.c
int kill_run(struct invocation *invocation);
int package_info_run(struct invocation *invocation); // package_info.c
int list_run(struct invocation *invocation);         // package.c
int cat_run(struct invocation *invocation);
int stat_run(struct invocation *invocation);
int sum_run(struct invocation *invocation);     // package_sum.c
int program_run(struct invocation *invocation); // program.c
int measure_run(struct invocation *invocation);
int reboot_run(struct invocation *invocation); // power.c
int power_off_run(struct invocation *invocation);

#endif
