// SPDX-License-Identifier: Apache-2.0
// Thread-local storage: copies of the program's template.
//
// RISC-V's tp points at the first byte of the block, and the offset of a variable in the block is
// its offset in the template (there is no control block before it).
#include "tls.h"
#include <stdint.h>
#include <string.h>

// Defined by user.ld. The sizes are addresses of symbols, not objects.
extern const char __tls_template[];
extern const char __tls_template_bytes[];
extern const char __tls_bytes[];

size_t nx_tls_bytes(void)
{
    return (size_t)(uintptr_t)__tls_bytes;
}

void nx_tls_initialise(void *block)
{
    size_t filled = (size_t)(uintptr_t)__tls_template_bytes;
    memcpy(block, __tls_template, filled);
    memset((char *)block + filled, 0, nx_tls_bytes() - filled);
}
