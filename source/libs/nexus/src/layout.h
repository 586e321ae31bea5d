// SPDX-License-Identifier: Apache-2.0
// Places in a program's address space that the runtime assigns itself. The kernel chooses all other
// mappings' addresses from below.
#ifndef NEXUS_LAYOUT_H
#define NEXUS_LAYOUT_H

#include "nexus/limits.h"

// The first thread's stack ends here, and its message page begins; the guard is what is unmapped
// below the stack.
#define NX_LAYOUT_STACK_TOP 0x3700000000ul

// Stacks of further threads, one stride each.
#define NX_LAYOUT_THREADS       0x3800000000ul
#define NX_LAYOUT_THREAD_STRIDE (16ul << 20)

_Static_assert(NX_LAYOUT_THREADS + NX_THREADS_MAX * NX_LAYOUT_THREAD_STRIDE <= NX_USER_END,
               "the thread area lies in user space");

#endif
