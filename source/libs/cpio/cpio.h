// SPDX-License-Identifier: Apache-2.0
// Reader of cpio archives in the "newc" format (cpio(5), "New ASCII Format"; magic 070701) that lie
// in memory, made for hostile input.
//
// Nothing is allocated or copied: names and data of entries point into the archive, which the
// caller keeps unchanged as long as a cursor or an entry is in use. No locks.
//
//     struct cpio_cursor cursor = cpio_start(archive, size);
//     while ((status = cpio_next(&cursor, &entry)) == NX_OK)
//         ...;
//     // NX_ERR_NOT_FOUND: all entries have been seen. Anything else: bad archive, at
//     cursor.offset.
//
// Hard links: the format stores the data with the last name of a file only; the other names are
// entries of size 0. Archives made from trees without hard links do not have such entries.
#ifndef CPIO_CPIO_H
#define CPIO_CPIO_H

#include <stddef.h>
#include <stdint.h>

#include "nexus/status.h"

#define CPIO_NAME_MAX 255u // characters of a name, without its NUL

// Values of `mode`, as in cpio(5).
#define CPIO_MODE_TYPE      0170000u
#define CPIO_MODE_DIRECTORY 0040000u
#define CPIO_MODE_REGULAR   0100000u
#define CPIO_MODE_SYMLINK   0120000u

struct cpio_entry {
    const char *name; // NUL-terminated, in the archive, as stored (perhaps with a leading "./")
    const uint8_t
        *data;     // in the archive, 4-byte aligned to its start; a link's target for a symlink
    uint32_t size; // bytes of data
    uint32_t mode; // type and permissions
};

// Position in an archive.
struct cpio_cursor {
    const uint8_t *archive; // constant
    size_t size;            // constant: bytes of archive that may be read
    size_t offset;          // of the header of the next entry; after an error, of the bad one
};

static inline struct cpio_cursor cpio_start(const void *archive, size_t size)
{
    return (struct cpio_cursor){.archive = archive, .size = size, .offset = 0};
}

// Returns the entry at the cursor and moves past it. On any failure the cursor stays.
// NX_ERR_NOT_FOUND: the cursor is at the trailer, which ends a complete archive.
// NX_ERR_TRUNCATED: header, name or data end after the archive, or there is no trailer.
// NX_ERR_UNSUPPORTED: a cpio archive in another format. NX_ERR_BAD_FORMAT: no cpio header, a digit
// that is not hexadecimal, or a name that is empty or does not have its NUL at its end and only
// there. NX_ERR_NAME_TOO_LONG: over CPIO_NAME_MAX.
NX_MUST_CHECK enum nx_status cpio_next(struct cpio_cursor *cursor, struct cpio_entry *entry);

// Finds the entry called `name`; leading "./" and "/" of both names mean nothing. The first counts.
// NX_ERR_NOT_FOUND: a complete archive without it. Else the errors of cpio_next() for what comes
// before it: entries after the one found are not looked at.
NX_MUST_CHECK enum nx_status cpio_find(const void *archive, size_t size, const char *name,
                                       struct cpio_entry *entry);

#endif
