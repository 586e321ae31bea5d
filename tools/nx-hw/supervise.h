// SPDX-License-Identifier: Apache-2.0
// A program that nx runs, from its start to its end.
#ifndef NX_SUPERVISE_H
#define NX_SUPERVISE_H

#include "nexus/spawn.h"
#include <stdbool.h>

struct program_end {
    int64_t exit_status;
    bool interrupted; // by Ctrl-C
};

// Runs the program of pkg:// until it ends, and ends it at Ctrl-C. A fault is printed with its
// cause, pc and address. `options` without exit notification and fault endpoint.
NX_MUST_CHECK enum nx_status program_supervise(const char *path,
                                               const struct nx_spawn_options *options,
                                               struct program_end *end);

#endif
