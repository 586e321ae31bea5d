// SPDX-License-Identifier: Apache-2.0
// Memory and string functions of the freestanding kernel. The compiler calls the mem* ones on its
// own; this file is built so that it does not turn their loops back into calls of themselves.
#include <string.h>

#include <stdbool.h>
#include <stdint.h>

// A word that may lie over objects of any type.
typedef uint64_t __attribute__((may_alias)) word;

// Words that one turn of a loop handles.
#define BLOCK_WORDS 8

#define WORD_BITS 64u

// Below this, what is not aligned alike is copied byte by byte.
#define MERGE_BYTES_MIN 32u

static bool both_aligned(const void *one, const void *other)
{
    return (((uintptr_t)one | (uintptr_t)other) & (sizeof(word) - 1)) == 0;
}

// Bytes of the first aligned word at `address` that lie before it.
static size_t offset_in_word(const void *address)
{
    return (uintptr_t)address % sizeof(word);
}

// Copies upwards, word after word: words that lie otherwise than the target's are put together from
// two, of which each holds bytes of the range, so no page is read that the range is not in. The two
// may overlap if `to` is the lower: no restrict here, which would allow the compiler to store
// before it loads.
static void *copy_up(void *to, const void *from, size_t length)
{
    uint8_t *target = to;
    const uint8_t *source = from;

    if (!both_aligned(to, from) && length >= MERGE_BYTES_MIN) {
        for (; offset_in_word(target) != 0; length--)
            *target++ = *source++;
        const size_t skip = offset_in_word(source);
        const word *in = (const word *)(const void *)(source - skip);
        word carried = skip != 0 ? *in++ : 0;
        for (; skip != 0 && length >= sizeof(word); length -= sizeof(word)) {
            const word next = *in++;
            *(word *)(void *)target = carried >> (8 * skip) | next << (WORD_BITS - 8 * skip);
            carried = next;
            target += sizeof(word);
            source += sizeof(word);
        }
    }
    if (both_aligned(target, source)) {
        for (; length >= BLOCK_WORDS * sizeof(word); length -= BLOCK_WORDS * sizeof(word)) {
#pragma GCC unroll 8
            for (unsigned i = 0; i < BLOCK_WORDS; i++)
                ((word *)(void *)target)[i] = ((const word *)(const void *)source)[i];
            target += BLOCK_WORDS * sizeof(word);
            source += BLOCK_WORDS * sizeof(word);
        }
        for (; length >= sizeof(word); length -= sizeof(word)) {
            *(word *)(void *)target = *(const word *)(const void *)source;
            target += sizeof(word);
            source += sizeof(word);
        }
    }
    while (length-- > 0)
        *target++ = *source++;
    return to;
}

void *memcpy(void *restrict to, const void *restrict from, size_t length)
{
    return copy_up(to, from, length);
}

void *memmove(void *to, const void *from, size_t length)
{
    uint8_t *target = to;
    const uint8_t *source = from;

    // Upwards is right unless the target starts inside the source.
    if ((uintptr_t)to - (uintptr_t)from >= length)
        return copy_up(to, from, length);
    if (both_aligned(to, from)) {
        for (; length % sizeof(word) != 0; length--)
            target[length - 1] = source[length - 1];
        for (; length > 0; length -= sizeof(word)) {
            *(word *)(void *)&target[length - sizeof(word)] =
                *(const word *)(const void *)&source[length - sizeof(word)];
        }
    }
    while (length-- > 0)
        target[length] = source[length];
    return to;
}

void *memset(void *to, int value, size_t length)
{
    uint8_t *target = to;
    const uint8_t byte = (uint8_t)value;

    if (both_aligned(to, to)) {
        const word pattern = byte * (UINT64_MAX / UINT8_MAX);

        for (; length >= BLOCK_WORDS * sizeof(word); length -= BLOCK_WORDS * sizeof(word)) {
#pragma GCC unroll 8
            for (unsigned i = 0; i < BLOCK_WORDS; i++)
                ((word *)(void *)target)[i] = pattern;
            target += BLOCK_WORDS * sizeof(word);
        }
        for (; length >= sizeof(word); length -= sizeof(word)) {
            *(word *)(void *)target = pattern;
            target += sizeof(word);
        }
    }
    while (length-- > 0)
        *target++ = byte;
    return to;
}

int memcmp(const void *one, const void *other, size_t length)
{
    const uint8_t *left = one;
    const uint8_t *right = other;

    for (size_t i = 0; i < length; i++)
        if (left[i] != right[i])
            return left[i] - right[i];
    return 0;
}

size_t strlen(const char *text)
{
    size_t length = 0;

    while (text[length] != '\0')
        length++;
    return length;
}

int strncmp(const char *one, const char *other, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (one[i] != other[i] || one[i] == '\0')
            return (unsigned char)one[i] - (unsigned char)other[i];
    return 0;
}

int strcmp(const char *one, const char *other)
{
    return strncmp(one, other, SIZE_MAX);
}
