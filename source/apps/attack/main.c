// SPDX-License-Identifier: Apache-2.0
// attack: programs that try to break the system or to take from others. See attack.h.
//
//   attack NAME...            the named attacks, one after the other; "all": every one but fuzz
//   attack fuzz CALLS [SEED]  so many random system calls
//   attack --role ROLE ...    a process of an attack
//
// On the console, `ATTACK: NAME contained`, with what was measured, or `ATTACK: NAME FAIL
// reason=...`.
#include "attack.h"
#include "nexus/log.h"
#include <stdlib.h>

struct role {
    const char *name;
    int (*run)(int argc, char **argv);
};

// Adding a role is one row.
static const struct role roles[] = {
    {"neighbour", neighbour_main},
    {"fuzz", fuzz_worker_main},
    {"attacker", attacker_main},
};

static int role_run(const char *name, int argc, char **argv)
{
    for (size_t i = 0; i < sizeof(roles) / sizeof(roles[0]); i++) {
        if (strcmp(roles[i].name, name) == 0) {
            return roles[i].run(argc, argv);
        }
    }
    return EXIT_FAILURE;
}

static int fuzz_run(int argc, char **argv)
{
    struct report report = {.reason = ""};
    uint64_t calls = argc > 0 ? strtoull(argv[0], NULL, 0) : 0;
    uint64_t seed = argc > 1 ? strtoull(argv[1], NULL, 0) : 0;
    if (calls == 0) {
        nx_log("usage: attack fuzz CALLS [SEED]");
        return EXIT_FAILURE;
    }
    return report_tell("fuzz", attack_fuzz(&report, calls, seed), &report) ? EXIT_SUCCESS
                                                                           : EXIT_FAILURE;
}

int main(int argc, char **argv)
{
    if (argc >= 3 && strcmp(argv[1], "--role") == 0) {
        return role_run(argv[2], argc - 3, argv + 3);
    }
    if (argc >= 2 && strcmp(argv[1], "fuzz") == 0) {
        return fuzz_run(argc - 2, argv + 2);
    }
    bool contained = true;
    for (int i = 1; i < argc; i++) {
        if (!programs_run(strcmp(argv[i], "all") == 0 ? NULL : argv[i], &contained)) {
            nx_log("attack: there is no attack %s", argv[i]);
            return EXIT_FAILURE;
        }
    }
    if (argc < 2) {
        nx_log("usage: attack NAME... | fuzz CALLS [SEED]");
    }
    return argc >= 2 && contained ? EXIT_SUCCESS : EXIT_FAILURE;
}
