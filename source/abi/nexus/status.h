// SPDX-License-Identifier: Apache-2.0
// Status codes: the one error vocabulary of the kernel, the libraries, the drivers and the
// services.
//
// Zero is success; every other value names what went wrong. The numbers are part of the ABI and of
// the service protocols: append, never renumber.
#ifndef NEXUS_STATUS_H
#define NEXUS_STATUS_H

#define NX_MUST_CHECK __attribute__((warn_unused_result))

enum nx_status {
    NX_OK = 0,
    NX_ERR_INVALID_ARGUMENT = 1, // a value that no state of the system would make right
    NX_ERR_BAD_HANDLE = 2,       // the handle names nothing in this process
    NX_ERR_WRONG_TYPE = 3,       // the handle names an object of another type
    NX_ERR_ACCESS_DENIED = 4,    // the handle lacks the right that this operation needs
    NX_ERR_NO_MEMORY = 5,        // the process's budget or the machine's memory is used up
    NX_ERR_OUT_OF_RANGE = 6,     // an offset, index or address past the end of its object
    NX_ERR_OVERFLOW = 7,         // arithmetic on the arguments would overflow
    NX_ERR_ALREADY_EXISTS = 8,
    NX_ERR_NOT_FOUND = 9,
    NX_ERR_BUSY = 10,      // owned or used by somebody else
    NX_ERR_TIMED_OUT = 11, // the deadline passed first
    NX_ERR_PEER_CLOSED = 12,
    NX_ERR_CANCELLED = 13,
    NX_ERR_UNSUPPORTED = 14, // well formed, but not something this system does
    NX_ERR_BAD_FORMAT = 15,  // data that breaks the rules of its format
    NX_ERR_TRUNCATED = 16,   // data that ends too early
    NX_ERR_IO = 17,          // the device reported a failed transfer
    NX_ERR_DEVICE = 18,      // the device broke its protocol
    NX_ERR_BAD_STATE = 19,   // right operation, wrong moment
    NX_ERR_NOT_DIRECTORY = 20,
    NX_ERR_IS_DIRECTORY = 21,
    NX_ERR_NAME_TOO_LONG = 22,
    NX_ERR_READ_ONLY = 23,
    NX_ERR_TOO_LARGE = 24,   // over a documented bound
    NX_ERR_BAD_SYSCALL = 25, // no such system call
    NX_ERR_HASH = 26,        // content that does not match its recorded hash
    NX_STATUS_COUNT
};

#endif
