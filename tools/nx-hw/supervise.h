// SPDX-License-Identifier: Apache-2.0
// A program that nx runs, from its start to its end.
#ifndef NX_SUPERVISE_H
#define NX_SUPERVISE_H

#include "capture.h"
#include "nexus/spawn.h"
#include <stdbool.h>

#define PROGRAM_FAULT_BYTES 128u

struct program_end {
    int64_t exit_status;
    bool interrupted;                // by Ctrl-C
    char fault[PROGRAM_FAULT_BYTES]; // what it died of: cause, pc and address; empty: of no fault
};

// Runs the program of pkg:// until it ends, and ends it at Ctrl-C. `options` without exit
// notification and fault endpoint. `capture` NULL: the program has no console or that of others;
// else its endpoint is the program's console and is served here.
NX_MUST_CHECK enum nx_status program_supervise(const char *path,
                                               const struct nx_spawn_options *options,
                                               struct capture *capture, struct program_end *end);

#endif
