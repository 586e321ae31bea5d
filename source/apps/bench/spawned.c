// SPDX-License-Identifier: Apache-2.0
// bench-spawned: what the subject `spawn` starts, a program that ends at once. Its table makes the
// file 64 KiB long, as a program of some size is.
#include "spawned.h"
#include <stdint.h>
#include <string.h>

#define TABLE_BYTES (48u << 10)

// Read-only data, which a volatile object would not be.
static const uint8_t table[TABLE_BYTES] = {[TABLE_BYTES - 1] = SPAWNED_STATUS};

int main(int argc, char **argv)
{
    const volatile uint8_t *last = &table[TABLE_BYTES - 1];
    return argc == 2 && strcmp(argv[1], SPAWNED_WORD) == 0 ? *last : 1;
}
