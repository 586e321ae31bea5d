// SPDX-License-Identifier: Apache-2.0
// The part of the C library's <string.h> that the kernel and the libraries in it use.
#ifndef NEURON_STRING_H
#define NEURON_STRING_H

#include <stddef.h>

void *memcpy(void *restrict to, const void *restrict from, size_t length);
void *memmove(void *to, const void *from, size_t length);
void *memset(void *to, int value, size_t length);
int memcmp(const void *one, const void *other, size_t length);
size_t strlen(const char *text);
int strcmp(const char *one, const char *other);
int strncmp(const char *one, const char *other, size_t length);

#endif
