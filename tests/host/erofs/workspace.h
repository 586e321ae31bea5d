// SPDX-License-Identifier: Apache-2.0
// A temporary directory with the trees and images that make_images.py writes.
#ifndef TESTS_EROFS_WORKSPACE_H
#define TESTS_EROFS_WORKSPACE_H

#include <stddef.h>
#include <stdint.h>

// Makes a temporary directory and runs `python script DIRECTORY what` for it. Returns 0, or -1 with
// a message printed.
int workspace_make(const char *python, const char *script, const char *what);

// Removes the directory and everything in it.
void workspace_remove(void);

// Path of `name` inside the directory. The caller frees it.
char *workspace_path(const char *name);

// Reads a whole file into memory of exactly its size (at least one byte is allocated); aborts the
// test run when that fails. The caller frees it.
uint8_t *file_load(const char *path, size_t *size);

#endif
