// SPDX-License-Identifier: Apache-2.0
// Fuzzes the executable checker: whatever the bytes are, nothing outside them is read, and an
// accepted image keeps every promise of elf/elf.h. Sources besides this file: elf_sources.
#include "parsers/elf_exercise.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    elf_exercise(data, size);
    return 0;
}
