// SPDX-License-Identifier: Apache-2.0
// Walks a cpio archive and reads every byte that the reader hands out, so that a sanitizer sees any
// access outside the archive. Used by the mutation test and by the fuzzer.
#ifndef PARSERS_CPIO_EXERCISE_H
#define PARSERS_CPIO_EXERCISE_H

#include <string.h>

#include "cpio/cpio.h"

// Keeps the compiler from leaving out reads whose result nobody uses.
static volatile uint64_t cpio_exercise_sink;

// Returns why the walk ended; sets `entries` to the number of entries before that.
static inline enum nx_status cpio_exercise(const void *archive, size_t size, unsigned *entries)
{
    struct cpio_cursor cursor = cpio_start(archive, size);
    struct cpio_entry entry;
    enum nx_status status;
    *entries = 0;
    while ((status = cpio_next(&cursor, &entry)) == NX_OK) {
        uint64_t sum = strlen(entry.name) + entry.mode;
        for (uint32_t i = 0; i < entry.size; i++) {
            sum += entry.data[i];
        }
        cpio_exercise_sink += sum;
        *entries += 1;
    }
    cpio_exercise_sink += (uint64_t)cpio_find(archive, size, "etc/file", &entry);
    return status;
}

#endif
