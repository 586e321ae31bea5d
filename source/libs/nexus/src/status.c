// SPDX-License-Identifier: Apache-2.0
// Status codes as words for people.
#include "nexus/process.h"

static const char *const status_texts[NX_STATUS_COUNT] = {
    [NX_OK] = "ok",
    [NX_ERR_INVALID_ARGUMENT] = "invalid argument",
    [NX_ERR_BAD_HANDLE] = "bad handle",
    [NX_ERR_WRONG_TYPE] = "wrong object type",
    [NX_ERR_ACCESS_DENIED] = "access denied",
    [NX_ERR_NO_MEMORY] = "out of memory",
    [NX_ERR_OUT_OF_RANGE] = "out of range",
    [NX_ERR_OVERFLOW] = "overflow",
    [NX_ERR_ALREADY_EXISTS] = "already exists",
    [NX_ERR_NOT_FOUND] = "not found",
    [NX_ERR_BUSY] = "busy",
    [NX_ERR_TIMED_OUT] = "timed out",
    [NX_ERR_PEER_CLOSED] = "service is gone",
    [NX_ERR_CANCELLED] = "cancelled",
    [NX_ERR_UNSUPPORTED] = "unsupported",
    [NX_ERR_BAD_FORMAT] = "bad format",
    [NX_ERR_TRUNCATED] = "truncated",
    [NX_ERR_IO] = "i/o error",
    [NX_ERR_DEVICE] = "device broke its protocol",
    [NX_ERR_BAD_STATE] = "bad state",
    [NX_ERR_NOT_DIRECTORY] = "not a directory",
    [NX_ERR_IS_DIRECTORY] = "is a directory",
    [NX_ERR_NAME_TOO_LONG] = "name too long",
    [NX_ERR_READ_ONLY] = "read-only",
    [NX_ERR_TOO_LARGE] = "too large",
    [NX_ERR_BAD_SYSCALL] = "no such system call",
    [NX_ERR_HASH] = "hash mismatch",
};

const char *nx_status_text(enum nx_status status)
{
    if ((unsigned)status >= NX_STATUS_COUNT) {
        return "unknown status";
    }
    return status_texts[status];
}
