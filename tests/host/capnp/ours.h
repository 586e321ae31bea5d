// SPDX-License-Identifier: Apache-2.0
// Our accessors, used by hand for every field of every schema: the counterpart of the oracle.
#ifndef TESTS_CAPNP_OURS_H
#define TESTS_CAPNP_OURS_H

#include "dump.h"
#include "nexus/status.h"

struct ours {
    const char *root; // as the oracle names it
    // Builds the message that oracle_fill builds, in `size` bytes; *length is its length.
    enum nx_status (*fill)(unsigned member, void *buffer, size_t size, size_t *length);
    // Dumps a message as our accessors read it.
    void (*dump)(const void *bytes, size_t length, struct dump *dump);
};

extern const struct ours ours_storage[]; // virtio_blk and package_fs
extern const size_t ours_storage_count;
extern const struct ours ours_uart[];
extern const size_t ours_uart_count;
extern const struct ours ours_everything[]; // the test-only schema
extern const size_t ours_everything_count;

#define EVERYTHING_ROOT 0 // of ours_everything
#define OLDER_ROOT      1
#define NEWER_ROOT      2

#endif
