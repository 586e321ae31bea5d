// SPDX-License-Identifier: Apache-2.0
// Address space identifiers: which of them are in use, and when one may be used again.
//
// An ASID that was freed may still have translations cached on any hart: it is stale, and not used
// again before every online hart was flushed, which happens once for all stale ones when the search
// for a free one has come to the end. (A hart that comes online later flushes then.)
// ASID 0 is the kernel table's, and of spaces that got none of their own: those are flushed at each
// activation.
#ifndef ARCH_ASID_H
#define ARCH_ASID_H

#include "core/types.h"

#define ASID_SHARED 0u

// Boot hart, once: finds out how many bits the machine has.
void asid_probe(void);

// ASID_SHARED when the machine has none left.
uint32_t asid_alloc(void);
void asid_free(uint32_t asid);

#endif
