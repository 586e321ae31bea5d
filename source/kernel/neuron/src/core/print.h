// SPDX-License-Identifier: Apache-2.0
// Formatted text for the kernel: a subset of printf.
//
// Conversions: %c %s %d %i %u %x %p %%, with l, ll, z or j for 64-bit numbers, a width and the
// flags 0 and -. %p prints 0x and 16 digits. Anything else is printed as it stands.
#ifndef NEURON_PRINT_H
#define NEURON_PRINT_H

#include <stdarg.h>
#include <stddef.h>

// Longest line that kprint prints, without the end of line.
#define PRINT_LINE_MAX 256u

// Formats into `buffer`, always NUL-terminated if capacity > 0. Returns the length of the whole
// text, which was truncated if that is not below `capacity`.
int print_format(char *buffer, size_t capacity, const char *format, va_list arguments);
int print_to(char *buffer, size_t capacity, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

// Prints one line straight to the boot console, in one piece; the end of line is added. For early
// boot and panics: everything else goes through core/log.h.
void kprint(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
