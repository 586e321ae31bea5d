// SPDX-License-Identifier: Apache-2.0
// The open files of a program by path, and those that it has closed and may open again.
//
// Opening a path that is open already shares the entry. An entry whose last reference is given back
// stays for a while: up to OPEN_TABLE_IDLE_MAX entries that together weigh at most
// OPEN_TABLE_IDLE_WEIGHT; the one given back longest ago goes first. Who gives an entry back then
// asks for what has to go, and ends it:
//
//     open_table_take, else open_table_add -> ... -> open_table_give
//         -> while ((entry = open_table_excess(table)) != NULL) ... end it ...
//
// An entry is in the table from add until excess or evict returns it. It is embedded in what it
// stands for: nothing is allocated. No locks: the owner of the table guards it.
#ifndef NEXUS_OPEN_TABLE_H
#define NEXUS_OPEN_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define OPEN_TABLE_BUCKETS     16u // a power of two
#define OPEN_TABLE_IDLE_MAX    8u
#define OPEN_TABLE_IDLE_WEIGHT (256ul << 10)

struct open_path {
    const char *text; // NUL-terminated
    size_t length;
    uint64_t hash;
};

struct open_entry {
    // Constant while the entry is in the table.
    struct open_path path;
    uint64_t weight;

    // The table's.
    uint32_t references;
    struct open_entry *next;       // in its bucket's chain
    struct open_entry *idle_newer; // in the list of idle entries, while without references
    struct open_entry *idle_older;
};

// All zero is an empty table.
struct open_table {
    struct open_entry *buckets[OPEN_TABLE_BUCKETS];
    struct open_entry *idle_newest;
    struct open_entry *idle_oldest;
    uint32_t idle_count;
    uint64_t idle_weight;
};

// Length and hash of a path.
struct open_path open_path_of(const char *text);

// The entry of exactly that path, with one reference more; NULL: there is none.
struct open_entry *open_table_take(struct open_table *table, const struct open_path *path);

// Adds an entry whose path and weight are filled in; it has one reference. Another of the same path
// may be there: take finds the one added last.
void open_table_add(struct open_table *table, struct open_entry *entry);

// Gives a reference back.
void open_table_give(struct open_table *table, struct open_entry *entry);

// Removes and returns one idle entry that is too many; NULL: there is none.
struct open_entry *open_table_excess(struct open_table *table);

// Removes and returns any idle entry; NULL: there is none.
struct open_entry *open_table_evict(struct open_table *table);

#endif
