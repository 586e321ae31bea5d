// SPDX-License-Identifier: Apache-2.0
// Deterministic mutations of a file's bytes, and reading files, for the parser tests.
#ifndef PARSERS_MUTATE_H
#define PARSERS_MUTATE_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct bytes {
    uint8_t *data; // owned, malloc
    size_t size;
};

// Reads a whole file; exits when that fails, since no test can go on without its input.
static inline struct bytes bytes_from_file(const char *path)
{
    struct bytes bytes = {0};
    FILE *file = fopen(path, "rb");
    if (file == NULL || fseek(file, 0, SEEK_END) != 0) {
        perror(path);
        exit(1);
    }
    bytes.size = (size_t)ftell(file);
    bytes.data = malloc(bytes.size + 1);
    rewind(file);
    if (bytes.data == NULL || fread(bytes.data, 1, bytes.size, file) != bytes.size) {
        perror(path);
        exit(1);
    }
    fclose(file);
    return bytes;
}

// Copies into an allocation of exactly `size` bytes, so that AddressSanitizer sees any byte read
// after.
static inline uint8_t *bytes_exact_copy(const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size == 0 ? 1 : size);
    if (copy == NULL) {
        abort();
    }
    if (size != 0) {
        memcpy(copy, data, size);
    }
    return copy;
}

// splitmix64: every state gives a different, well mixed number.
static inline uint64_t prng_next(uint64_t *state)
{
    *state += 0x9e3779b97f4a7c15u;
    uint64_t z = *state;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static inline size_t prng_below(uint64_t *state, size_t bound)
{
    return bound == 0 ? 0 : (size_t)(prng_next(state) % bound);
}

// A number of 32 bits that is likely to hit a boundary of a format whose file has `size` bytes.
static inline uint32_t prng_interesting(uint64_t *state, size_t size)
{
    static const uint32_t values[] = {
        0,  1,  2,           3,           4,           5,           8,           9,          16,
        17, 40, 0x7fffffffu, 0x80000000u, 0xfffffff8u, 0xfffffffcu, 0xfffffffeu, 0xffffffffu};
    size_t choice = prng_below(state, sizeof(values) / sizeof(values[0]) + 4);
    if (choice < sizeof(values) / sizeof(values[0])) {
        return values[choice];
    }
    return (uint32_t)(prng_below(state, 2 * size) & ~(size_t)(choice % 2 == 0 ? 3 : 0));
}

static inline void store_be32(uint8_t *at, uint32_t value)
{
    at[0] = (uint8_t)(value >> 24);
    at[1] = (uint8_t)(value >> 16);
    at[2] = (uint8_t)(value >> 8);
    at[3] = (uint8_t)value;
}

// Changes a few bytes of `data`; `header` bytes at its start are hit more often than the rest.
static inline void mutate_bytes(uint8_t *data, size_t size, size_t header, uint64_t *state)
{
    size_t changes = 1 + prng_below(state, 4);
    for (size_t i = 0; i < changes && size >= 8; i++) {
        size_t area = prng_below(state, 8) == 0 && header <= size ? header : size;
        size_t at = prng_below(state, area - 3);
        switch (prng_below(state, 5)) {
        case 0:
            data[at] ^= (uint8_t)(1u << prng_below(state, 8));
            break;
        case 1:
            data[at] = (uint8_t)prng_next(state);
            break;
        case 2:
            store_be32(data + (at & ~(size_t)3), prng_interesting(state, size));
            break;
        case 3:
            data[at] = 0;
            break;
        default: { // copy a piece from elsewhere
            size_t length = 1 + prng_below(state, 64);
            size_t from = prng_below(state, size);
            length = length < size - from ? length : size - from;
            length = length < size - at ? length : size - at;
            memmove(data + at, data + from, length);
            break;
        }
        }
    }
}

#endif
