// SPDX-License-Identifier: Apache-2.0
// Strict base64 (RFC 4648, section 4): one text for each value.
#ifndef VERITY_BASE64_H
#define VERITY_BASE64_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BASE64_CHARACTERS(bytes) (((bytes) + 2) / 3 * 4)

// Decodes BASE64_CHARACTERS(length) characters into `length` bytes. False: a character that does
// not belong there, or bits that are not zero where none are meant.
bool base64_decode(const char *text, uint8_t *bytes, size_t length);

#endif
