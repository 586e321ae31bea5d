// SPDX-License-Identifier: Apache-2.0
// The official Cap'n Proto library, driven by the schemas at run time: writes and reads any message
// of theirs. A root is named "virtio_blk.capnp:Request".
#ifndef TESTS_CAPNP_ORACLE_H
#define TESTS_CAPNP_ORACLE_H

#include "dump.h"

#ifdef __cplusplus
extern "C" {
#endif

// Loads the schemas from a file that `capnp compile -o-` wrote. Ends the program when it cannot.
void oracle_load(const char *path);

// How many members the root's union has; 1 without a union.
unsigned oracle_members(const char *root);

// Builds a message with every field set to its fill_value; in each union, member number `member`
// modulo their count is the current one. Returns its length.
size_t oracle_fill(const char *root, unsigned member, void *buffer, size_t size);

// Dumps a message as the official library reads it; the bytes are in a segment of their own.
void oracle_dump(const char *root, const void *bytes, size_t length, struct dump *dump);

#ifdef __cplusplus
}
#endif

#endif
