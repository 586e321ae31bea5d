// SPDX-License-Identifier: Apache-2.0
// Copying, filling and searching memory: picolibc's are small, these are fast.
//
// All of them move aligned words of eight bytes, many a turn where there are many; no access is
// misaligned, and none leaves an aligned word that holds at least one byte of the range, so none
// touches a page that the range does not. This file replaces the library's functions of the same
// names; the host tests compile it under others.
#include <stddef.h>
#include <stdint.h>

void *memcpy(void *restrict to, const void *restrict from, size_t length);
void *memmove(void *to, const void *from, size_t length);
void *memset(void *to, int value, size_t length);
int memcmp(const void *left, const void *right, size_t length);
void *memchr(const void *bytes, int value, size_t length);
size_t strlen(const char *text);

// Or the compiler finds a memcpy in memcpy.
#pragma GCC optimize("no-tree-loop-distribute-patterns")

typedef uint64_t __attribute__((may_alias)) word;

#define WORD_BYTES ((size_t)8)
#define WORD_BITS  64u
#define TURN_WORDS ((size_t)16) // in two halves, so that loads and stores need eight registers
#define TURN_BYTES (TURN_WORDS * WORD_BYTES)

// Below this, what is not aligned alike is moved byte by byte.
#define MERGE_BYTES_MIN ((size_t)32)

#define EVERY_BYTE(value) ((uint64_t)0x0101010101010101 * (value))

static inline size_t offset_in_word(const void *address)
{
    return (uintptr_t)address % WORD_BYTES;
}

// ---- Copying ------------------------------------------------------------------------------------

// Eight words; all are read before the first is written.
static inline void move_8(word *to, const word *from)
{
    uint64_t a = from[0], b = from[1], c = from[2], d = from[3];
    uint64_t e = from[4], f = from[5], g = from[6], h = from[7];
    to[0] = a, to[1] = b, to[2] = c, to[3] = d;
    to[4] = e, to[5] = f, to[6] = g, to[7] = h;
}

// Both aligned. Returns the bytes that are left, fewer than a word.
static inline size_t copy_words(unsigned char **to, const unsigned char **from, size_t length)
{
    word *out = (word *)(void *)*to;
    const word *in = (const word *)(const void *)*from;
    for (; length >= TURN_BYTES; length -= TURN_BYTES) {
        move_8(out, in);
        move_8(out + TURN_WORDS / 2, in + TURN_WORDS / 2);
        out += TURN_WORDS;
        in += TURN_WORDS;
    }
    for (; length >= WORD_BYTES; length -= WORD_BYTES) {
        *out++ = *in++;
    }
    *to = (unsigned char *)out;
    *from = (const unsigned char *)in;
    return length;
}

// Only `to` is aligned: each word written is put together from two aligned ones. The words read are
// those that hold bytes of the range, which is at least a word long.
static inline size_t copy_merged(unsigned char **to, const unsigned char **from, size_t length)
{
    size_t skip = offset_in_word(*from);
    unsigned low = (unsigned)skip * 8;
    const word *in = (const word *)(const void *)(*from - skip);
    word *out = (word *)(void *)*to;
    size_t count = length / WORD_BYTES;
    uint64_t carried = *in++;
    for (size_t i = 0; i < count; i++) {
        uint64_t next = *in++;
        *out++ = carried >> low | next << (WORD_BITS - low);
        carried = next;
    }
    *to = (unsigned char *)out;
    *from += count * WORD_BYTES;
    return length % WORD_BYTES;
}

// Upwards: right for ranges that do not overlap, and where `to` lies below `from`.
static inline void copy_up(unsigned char *to, const unsigned char *from, size_t length)
{
    if (length >= WORD_BYTES &&
        (offset_in_word(to) == offset_in_word(from) || length >= MERGE_BYTES_MIN)) {
        while (offset_in_word(to) != 0) {
            *to++ = *from++;
            length--;
        }
        length = offset_in_word(from) == 0 ? copy_words(&to, &from, length)
                                           : copy_merged(&to, &from, length);
    }
    while (length > 0) {
        *to++ = *from++;
        length--;
    }
}

// Downwards: right where `to` lies above `from`.
static inline void copy_down(unsigned char *to, const unsigned char *from, size_t length)
{
    to += length;
    from += length;
    if (offset_in_word(to) == offset_in_word(from)) {
        for (; length > 0 && offset_in_word(to) != 0; length--) {
            *--to = *--from;
        }
        for (; length >= WORD_BYTES; length -= WORD_BYTES) {
            to -= WORD_BYTES;
            from -= WORD_BYTES;
            *(word *)(void *)to = *(const word *)(const void *)from;
        }
    }
    for (; length > 0; length--) {
        *--to = *--from;
    }
}

void *memcpy(void *restrict to, const void *restrict from, size_t length)
{
    copy_up(to, from, length);
    return to;
}

void *memmove(void *to, const void *from, size_t length)
{
    // Unsigned: true as well when `to` lies below.
    if ((uintptr_t)to - (uintptr_t)from >= length) {
        copy_up(to, from, length);
    } else {
        copy_down(to, from, length);
    }
    return to;
}

void *memset(void *to, int value, size_t length)
{
    unsigned char *out = to;
    uint64_t pattern = EVERY_BYTE((uint64_t)(unsigned char)value);
    if (length >= WORD_BYTES) {
        for (; offset_in_word(out) != 0; length--) {
            *out++ = (unsigned char)value;
        }
        word *words = (word *)(void *)out;
        for (; length >= TURN_BYTES; length -= TURN_BYTES, words += TURN_WORDS) {
#pragma GCC unroll 16
            for (size_t i = 0; i < TURN_WORDS; i++) {
                words[i] = pattern;
            }
        }
        for (; length >= WORD_BYTES; length -= WORD_BYTES) {
            *words++ = pattern;
        }
        out = (unsigned char *)words;
    }
    for (; length > 0; length--) {
        *out++ = (unsigned char)value;
    }
    return to;
}

// ---- Comparing and searching --------------------------------------------------------------------

int memcmp(const void *left, const void *right, size_t length)
{
    const unsigned char *a = left;
    const unsigned char *b = right;
    if (offset_in_word(a) == offset_in_word(b)) {
        for (; length > 0 && offset_in_word(a) != 0 && *a == *b; length--) {
            a++;
            b++;
        }
        if (offset_in_word(a) == 0) {
            for (; length >= WORD_BYTES &&
                   *(const word *)(const void *)a == *(const word *)(const void *)b;
                 length -= WORD_BYTES) {
                a += WORD_BYTES;
                b += WORD_BYTES;
            }
        }
    }
    for (; length > 0; length--, a++, b++) {
        if (*a != *b) {
            return *a - *b;
        }
    }
    return 0;
}

// Not 0 if a byte of the word is 0: only such a byte borrows into its top bit without having it.
static inline uint64_t zero_bytes(uint64_t value)
{
    return (value - EVERY_BYTE(0x01)) & ~value & EVERY_BYTE(0x80);
}

void *memchr(const void *bytes, int value, size_t length)
{
    const unsigned char *at = bytes;
    uint64_t pattern = EVERY_BYTE((uint64_t)(unsigned char)value);
    for (; length > 0; length--, at++) {
        if (offset_in_word(at) == 0) {
            while (length >= WORD_BYTES &&
                   zero_bytes(*(const word *)(const void *)at ^ pattern) == 0) {
                at += WORD_BYTES;
                length -= WORD_BYTES;
            }
            if (length == 0) {
                break;
            }
        }
        if (*at == (unsigned char)value) {
            return (void *)(uintptr_t)at;
        }
    }
    return NULL;
}

size_t strlen(const char *text)
{
    const char *at = text;
    for (; offset_in_word(at) != 0; at++) {
        if (*at == '\0') {
            return (size_t)(at - text);
        }
    }
    while (zero_bytes(*(const word *)(const void *)at) == 0) {
        at += WORD_BYTES;
    }
    while (*at != '\0') {
        at++;
    }
    return (size_t)(at - text);
}
