// SPDX-License-Identifier: Apache-2.0
// Fuzzes the cpio reader: whatever the bytes are, nothing outside them is read and the walk ends.
// Sources besides this file: cpio_sources.
#include "parsers/cpio_exercise.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    unsigned entries;
    (void)cpio_exercise(data, size, &entries);
    return 0;
}
