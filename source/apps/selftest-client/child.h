// SPDX-License-Identifier: Apache-2.0
// Small processes made by hand, whose code is one of the snippets of child_code.S.
//
// Life cycle: child_create; grants and bindings by the caller through `process`; child_start; then
// child_end, which kills what still runs. The layout of a child's address space:
//
//     CHILD_CODE    one page, read and execute
//     CHILD_STACK   one page, read and write, with nothing mapped below or above; the message page
//                   is the page after that gap
#ifndef SELFTEST_CHILD_H
#define SELFTEST_CHILD_H

#include "selftest.h"

#define CHILD_CODE        0x400000ul
#define CHILD_STACK       0x800000ul
#define CHILD_SPARE       0xa00000ul // never mapped by child_create
#define CHILD_EXIT_STATUS 7          // of every snippet that comes to its end

#define CHILD_PRIVILEGED 12u // instructions that user code may not execute

struct child {
    nx_handle process;
    nx_handle thread;
    nx_handle code;
    nx_handle stack;
};

// The snippets. Each gets `argument` in a0.
extern const uint8_t child_code_start[];
extern const uint8_t child_store[];      // stores to the address, exits
extern const uint8_t child_store_word[]; // the same with 32 bits
extern const uint8_t child_load_word[];
extern const uint8_t child_count[];      // counts in the word at the address, for ever
extern const uint8_t child_load[];       // loads from the address, exits
extern const uint8_t child_jump[];       // jumps to the address
extern const uint8_t child_overflow[];   // pushes without end
extern const uint8_t child_privileged[]; // the n-th of CHILD_PRIVILEGED instructions, exits
extern const uint8_t child_receive[]; // receives one message at the endpoint, exits without answer
extern const uint8_t child_echo[];    // answers every message at the endpoint with its own words
extern const uint8_t child_code_end[];

// Creates a process with the code and a stack in it; no thread yet. On a failure nothing remains.
NX_MUST_CHECK enum nx_status child_create(struct child *child);

// Starts a thread at `snippet`. `affinity` is a mask of harts, 0 for any.
NX_MUST_CHECK enum nx_status child_start(struct child *child, const uint8_t *snippet,
                                         uint64_t argument, uint64_t affinity);

// Kills the process and drops its handles.
void child_end(struct child *child);

#endif
