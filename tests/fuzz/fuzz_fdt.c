// SPDX-License-Identifier: Apache-2.0
// Fuzzes the device tree reader: whatever the bytes are, nothing outside them is read, and what
// opens can be walked. Sources besides this file: fdt_sources.
#include "parsers/fdt_exercise.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct dtb tree;
    if (dtb_open(&tree, data, size) == NX_OK) {
        fdt_exercise(&tree, 1, 0);
    }
    return 0;
}
