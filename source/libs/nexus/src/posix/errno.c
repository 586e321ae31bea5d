// SPDX-License-Identifier: Apache-2.0
// errno values of status codes.
#include "posix.h"
#include <errno.h>

static const int status_errnos[NX_STATUS_COUNT] = {
    [NX_ERR_INVALID_ARGUMENT] = EINVAL,
    [NX_ERR_BAD_HANDLE] = EBADF,
    [NX_ERR_WRONG_TYPE] = EBADF,
    [NX_ERR_ACCESS_DENIED] = EACCES,
    [NX_ERR_NO_MEMORY] = ENOMEM,
    [NX_ERR_OUT_OF_RANGE] = ERANGE,
    [NX_ERR_OVERFLOW] = EOVERFLOW,
    [NX_ERR_ALREADY_EXISTS] = EEXIST,
    [NX_ERR_NOT_FOUND] = ENOENT,
    [NX_ERR_BUSY] = EBUSY,
    [NX_ERR_TIMED_OUT] = ETIMEDOUT,
    [NX_ERR_PEER_CLOSED] = EIO,
    [NX_ERR_CANCELLED] = EINTR,
    [NX_ERR_UNSUPPORTED] = ENOTSUP,
    [NX_ERR_BAD_FORMAT] = EIO,
    [NX_ERR_TRUNCATED] = EIO,
    [NX_ERR_IO] = EIO,
    [NX_ERR_DEVICE] = EIO,
    [NX_ERR_BAD_STATE] = EIO,
    [NX_ERR_NOT_DIRECTORY] = ENOTDIR,
    [NX_ERR_IS_DIRECTORY] = EISDIR,
    [NX_ERR_NAME_TOO_LONG] = ENAMETOOLONG,
    [NX_ERR_READ_ONLY] = EROFS,
    [NX_ERR_TOO_LARGE] = EFBIG,
    [NX_ERR_BAD_SYSCALL] = ENOSYS,
    [NX_ERR_HASH] = EIO,
};

int posix_errno(enum nx_status status)
{
    return (unsigned)status < NX_STATUS_COUNT ? status_errnos[status] : EIO;
}

int posix_result(enum nx_status status)
{
    if (status == NX_OK) {
        return 0;
    }
    errno = posix_errno(status);
    return -1;
}
