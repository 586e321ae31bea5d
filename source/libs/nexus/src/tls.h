// SPDX-License-Identifier: Apache-2.0
// Thread-local storage: the block that tp points at, as the linker script lays it out.
#ifndef NEXUS_TLS_H
#define NEXUS_TLS_H

#include <stddef.h>

#define NX_TLS_ALIGN 64u // of the block; user.ld aligns the template alike

// Bytes of one thread's block.
size_t nx_tls_bytes(void);

// Fills a block from the program's template.
void nx_tls_initialise(void *block);

#endif
