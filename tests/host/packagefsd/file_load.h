// SPDX-License-Identifier: Apache-2.0
// A whole file that a test was given by name.
#ifndef TEST_FILE_LOAD_H
#define TEST_FILE_LOAD_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

// Its bytes, which the caller frees, and a zero behind them. Ends the program if it cannot be read.
static inline uint8_t *file_load(const char *path, uint64_t *size)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL || fseek(file, 0, SEEK_END) != 0) {
        perror(path);
        exit(EXIT_FAILURE);
    }
    *size = (uint64_t)ftell(file);
    rewind(file);
    uint8_t *bytes = calloc(1, *size + 1);
    if (bytes == NULL || fread(bytes, 1, *size, file) != *size) {
        perror(path);
        exit(EXIT_FAILURE);
    }
    fclose(file);
    return bytes;
}

#endif
