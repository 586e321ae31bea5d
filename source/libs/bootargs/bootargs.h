// SPDX-License-Identifier: Apache-2.0
// The boot arguments (/chosen/bootargs, Devicetree 0.4, section 3.6): words between blanks, those
// of the form NAME=VALUE mean something here. Allocates nothing; the text must be NUL-terminated.
#ifndef BOOTARGS_H
#define BOOTARGS_H

#include <stdbool.h>
#include <stddef.h>

// The value of the first word NAME=VALUE, of `*length` bytes inside `arguments`, or NULL.
const char *bootargs_find(const char *arguments, const char *name, size_t *length);

// Whether the value is there and exactly `value`.
bool bootargs_is(const char *arguments, const char *name, const char *value);

#endif
