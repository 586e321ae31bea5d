// SPDX-License-Identifier: Apache-2.0
// Looks an address up in the table that tools/kernel-symbols generates.
#include "core/symbols.h"

// Ascending offsets from __text_start, and where in symbol_names each one's name starts.
extern const uint32_t symbol_count;
extern const uint32_t symbol_offsets[];
extern const uint32_t symbol_name_starts[];
extern const char symbol_names[];

// kernel.ld
extern const char __text_start[];
extern const char __text_end[];

const char *symbol_find(uint64_t pc, uint64_t *offset)
{
    const uint64_t base = (uint64_t)__text_start;
    uint32_t low = 0;
    uint32_t high = symbol_count;

    *offset = 0;
    if (pc < base || pc >= (uint64_t)__text_end)
        return "?";
    // symbol_offsets[low - 1] <= pc - base < symbol_offsets[high]
    while (low < high) {
        const uint32_t middle = low + (high - low) / 2;

        if (symbol_offsets[middle] <= pc - base)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == 0)
        return "?";
    *offset = pc - base - symbol_offsets[low - 1];
    return symbol_names + symbol_name_starts[low - 1];
}
