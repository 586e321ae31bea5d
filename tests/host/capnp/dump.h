// SPDX-License-Identifier: Apache-2.0
// What a message says, field by field, as either library reads it; and the values that tests write.
//
// A dump is a list of paths ("list.entries[1].name") with a value or an error each. Two dumps of
// the same bytes, ours and the official library's, are compared path by path.
#ifndef TESTS_CAPNP_DUMP_H
#define TESTS_CAPNP_DUMP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define DUMP_ENTRIES  1024
#define DUMP_PATH     96
#define DUMP_ELEMENTS 6            // of a list; the count is dumped apart
#define DUMP_UNKNOWN  UINT64_C(~0) // a union member that the schema does not have
#define FILL_ELEMENTS 3            // how long the lists are that tests write
#define MESSAGE_BYTES 8192

struct dump_entry {
    char path[DUMP_PATH];
    uint64_t value;
    int error; // 0, or why there is no value: an enum nx_status of ours, -1 for the official
               // library
};

struct dump {
    size_t count;
    char path[DUMP_PATH]; // of the object being dumped
    struct dump_entry entries[DUMP_ENTRIES];
};

struct dump_verdict {
    const struct dump_entry *official; // the first disagreement, or NULL
    const struct dump_entry *ours;
    size_t refused; // values of the official library that ours refuses with an error
};

void dump_reset(struct dump *dump);

// Goes down to a member of the current object (index < 0: not an element), and back up to `mark`.
size_t dump_enter(struct dump *dump, const char *name, int index);
void dump_leave(struct dump *dump, size_t mark);

// Records the current object's value or error.
void dump_value(struct dump *dump, uint64_t value);
void dump_error(struct dump *dump, int error);

// The value of bytes and of a float, for dump_value.
uint64_t dump_bytes(const void *bytes, size_t length);
uint64_t dump_number(double number);

// Compares: every value that ours gives must be the official one. Where ours gives an error
// instead, the status must be one of `permitted` (ends with 0).
struct dump_verdict dump_compare(const struct dump *official, const struct dump *ours,
                                 const int *permitted);

// The value that tests write at `path`.
uint64_t fill_value(const char *path);

// Joins a path and a member's name or, with index >= 0, an element.
const char *fill_path(char *buffer, const char *path, const char *name, int index);

#ifdef __cplusplus
}
#endif

#endif
