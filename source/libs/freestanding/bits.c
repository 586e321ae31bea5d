// SPDX-License-Identifier: Apache-2.0
// Bit counts that the compiler calls by these names on a machine without instructions for them.
#include <stdint.h>

int __ctzdi2(uint64_t value);
int __clzdi2(uint64_t value);
int __popcountdi2(uint64_t value);

// A de Bruijn sequence: its 64 windows of six bits all differ.
#define DE_BRUIJN 0x03f79d71b4cb0a89ul

int __ctzdi2(uint64_t value)
{
    static const uint8_t positions[64] = {
        0,  1,  48, 2,  57, 49, 28, 3,  61, 58, 50, 42, 38, 29, 17, 4,  62, 55, 59, 36, 53, 51,
        43, 22, 45, 39, 33, 30, 24, 18, 12, 5,  63, 47, 56, 27, 60, 41, 37, 16, 54, 35, 52, 21,
        44, 32, 23, 11, 46, 26, 40, 15, 34, 20, 31, 10, 25, 14, 19, 9,  13, 8,  7,  6,
    };

    return positions[(value & (0 - value)) * DE_BRUIJN >> 58];
}

int __clzdi2(uint64_t value)
{
    int count = 0;

    for (int width = 32; width > 0; width /= 2) {
        if (value >> (64 - width) == 0) {
            count += width;
            value <<= width;
        }
    }
    return count;
}

int __popcountdi2(uint64_t value)
{
    int count = 0;

    for (; value != 0; value &= value - 1)
        count++;
    return count;
}
