// SPDX-License-Identifier: Apache-2.0
// Names of the kernel's functions, for backtraces.
//
// The table is made from the linked kernel and linked in by a second link, which moves no code
// (tools/kernel-symbols). A kernel of the first link has an empty one.
#ifndef NEURON_SYMBOLS_H
#define NEURON_SYMBOLS_H

#include <stdint.h>

// The function that holds `pc` and the offset into it; "?" with offset 0 when there is none.
const char *symbol_find(uint64_t pc, uint64_t *offset);

#endif
