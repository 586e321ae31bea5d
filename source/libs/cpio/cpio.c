// SPDX-License-Identifier: Apache-2.0
// Reader of cpio "newc" archives: cpio(5), "New ASCII Format".
//
// An entry is a header of 110 characters, the name with its NUL, padding to a multiple of 4, the
// data, padding to a multiple of 4. Every length is compared with what is left of the archive
// before it is used, by subtraction, so that nothing can overflow.
#include "cpio/cpio.h"

#include <stdbool.h>
#include <string.h>

// The header: a magic number of six characters, then 13 numbers of eight hexadecimal digits.
#define MAGIC_LENGTH  6u
#define FIELD_LENGTH  8u
#define FIELD_COUNT   13u
#define HEADER_LENGTH (MAGIC_LENGTH + FIELD_LENGTH * FIELD_COUNT)
#define ALIGNMENT     4u

_Static_assert(HEADER_LENGTH == 110, "cpio(5) says 110");

// Positions of the numbers, named as in cpio(5).
enum cpio_field {
    C_INO = 0,
    C_MODE = 1,
    C_UID = 2,
    C_GID = 3,
    C_NLINK = 4,
    C_MTIME = 5,
    C_FILESIZE = 6,
    C_DEVMAJOR = 7,
    C_DEVMINOR = 8,
    C_RDEVMAJOR = 9,
    C_RDEVMINOR = 10,
    C_NAMESIZE = 11,
    C_CHECK = 12,
};

static const char trailer_name[] = "TRAILER!!!";

static bool read_hex_digit(uint8_t character, uint32_t *value)
{
    if (character >= '0' && character <= '9') {
        *value = (uint32_t)(character - '0');
    } else if (character >= 'a' && character <= 'f') {
        *value = (uint32_t)(character - 'a') + 10;
    } else if (character >= 'A' && character <= 'F') {
        *value = (uint32_t)(character - 'A') + 10;
    } else {
        return false;
    }
    return true;
}

// Reads all numbers of a header, so that a bad digit anywhere in it is noticed.
static enum nx_status read_fields(const uint8_t *header, uint32_t fields[FIELD_COUNT])
{
    if (memcmp(header, "070701", MAGIC_LENGTH) != 0) {
        bool other_cpio = memcmp(header, "070702", MAGIC_LENGTH) == 0 ||
                          memcmp(header, "070707", MAGIC_LENGTH) == 0;
        return other_cpio ? NX_ERR_UNSUPPORTED : NX_ERR_BAD_FORMAT;
    }
    const uint8_t *digits = header + MAGIC_LENGTH;
    for (uint32_t field = 0; field < FIELD_COUNT; field++) {
        uint32_t value = 0;
        for (uint32_t i = 0; i < FIELD_LENGTH; i++) {
            uint32_t digit;
            if (!read_hex_digit(digits[field * FIELD_LENGTH + i], &digit)) {
                return NX_ERR_BAD_FORMAT;
            }
            value = value << 4 | digit;
        }
        fields[field] = value;
    }
    return NX_OK;
}

// Checks the name of `size` bytes with its NUL at `name`, of which `left` bytes are in the archive.
static enum nx_status check_name(const uint8_t *name, uint32_t size, size_t left)
{
    if (size < 2) {
        return NX_ERR_BAD_FORMAT; // a name has at least one character and a NUL
    }
    if (size - 1 > CPIO_NAME_MAX) {
        return NX_ERR_NAME_TOO_LONG;
    }
    if (size > left) {
        return NX_ERR_TRUNCATED;
    }
    for (uint32_t i = 0; i < size; i++) {
        if ((name[i] == 0) != (i == size - 1)) {
            return NX_ERR_BAD_FORMAT;
        }
    }
    return NX_OK;
}

// Moves `offset` up to a multiple of 4, or to the end of the archive if that comes first: padding
// may be missing at the very end.
static size_t skip_padding(size_t offset, size_t size)
{
    size_t padding = (ALIGNMENT - offset % ALIGNMENT) % ALIGNMENT;
    return padding < size - offset ? offset + padding : size;
}

enum nx_status cpio_next(struct cpio_cursor *cursor, struct cpio_entry *entry)
{
    size_t offset = cursor->offset;
    if (cursor->size - offset < HEADER_LENGTH) {
        return NX_ERR_TRUNCATED;
    }
    uint32_t fields[FIELD_COUNT];
    enum nx_status status = read_fields(cursor->archive + offset, fields);
    if (status != NX_OK) {
        return status;
    }
    offset += HEADER_LENGTH;
    const uint8_t *name = cursor->archive + offset;
    status = check_name(name, fields[C_NAMESIZE], cursor->size - offset);
    if (status != NX_OK) {
        return status;
    }
    if (strcmp((const char *)name, trailer_name) == 0) {
        return NX_ERR_NOT_FOUND;
    }
    offset = skip_padding(offset + fields[C_NAMESIZE], cursor->size);
    if (fields[C_FILESIZE] > cursor->size - offset) {
        return NX_ERR_TRUNCATED;
    }
    *entry = (struct cpio_entry){
        .name = (const char *)name,
        .data = cursor->archive + offset,
        .size = fields[C_FILESIZE],
        .mode = fields[C_MODE],
    };
    cursor->offset = skip_padding(offset + fields[C_FILESIZE], cursor->size);
    return NX_OK;
}

// Leaves out what does not tell one name in an archive from another.
static const char *plain_name(const char *name)
{
    for (;;) {
        if (name[0] == '/') {
            name += 1;
        } else if (name[0] == '.' && name[1] == '/') {
            name += 2;
        } else {
            return name;
        }
    }
}

enum nx_status cpio_find(const void *archive, size_t size, const char *name,
                         struct cpio_entry *entry)
{
    struct cpio_cursor cursor = cpio_start(archive, size);
    for (;;) {
        struct cpio_entry candidate;
        enum nx_status status = cpio_next(&cursor, &candidate);
        if (status != NX_OK) {
            return status;
        }
        if (strcmp(plain_name(candidate.name), plain_name(name)) == 0) {
            *entry = candidate;
            return NX_OK;
        }
    }
}
