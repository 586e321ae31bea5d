// SPDX-License-Identifier: Apache-2.0
// Dumps of messages and their comparison. Contract in dump.h.
#include "dump.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint64_t fnv1a(const void *bytes, size_t length)
{
    const uint8_t *byte = bytes;
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < length; i++)
        hash = (hash ^ byte[i]) * UINT64_C(0x100000001b3);
    return hash;
}

void dump_reset(struct dump *dump)
{
    dump->count = 0;
    dump->path[0] = 0;
}

const char *fill_path(char *buffer, const char *path, const char *name, int index)
{
    int length = index >= 0
                     ? snprintf(buffer, DUMP_PATH, "%s[%d]", path, index)
                     : snprintf(buffer, DUMP_PATH, "%s%s%s", path, path[0] != 0 ? "." : "", name);
    if (length < 0 || length >= DUMP_PATH)
        abort();
    return buffer;
}

size_t dump_enter(struct dump *dump, const char *name, int index)
{
    size_t mark = strlen(dump->path);
    char path[DUMP_PATH];
    memcpy(path, dump->path, mark + 1);
    fill_path(dump->path, path, name, index);
    return mark;
}

void dump_leave(struct dump *dump, size_t mark)
{
    dump->path[mark] = 0;
}

static struct dump_entry *new_entry(struct dump *dump)
{
    if (dump->count == DUMP_ENTRIES)
        abort();
    struct dump_entry *entry = &dump->entries[dump->count++];
    memcpy(entry->path, dump->path, strlen(dump->path) + 1);
    entry->value = 0;
    entry->error = 0;
    return entry;
}

void dump_value(struct dump *dump, uint64_t value)
{
    new_entry(dump)->value = value;
}

void dump_error(struct dump *dump, int error)
{
    new_entry(dump)->error = error;
}

uint64_t dump_bytes(const void *bytes, size_t length)
{
    return fnv1a(bytes, length) + length;
}

uint64_t dump_number(double number)
{
    // The payload of a NaN does not survive conversions, and means nothing.
    if (isnan(number))
        return 1;
    uint64_t bits;
    memcpy(&bits, &number, sizeof(bits));
    return bits;
}

uint64_t fill_value(const char *path)
{
    return fnv1a(path, strlen(path));
}

// Whether `path` is `ancestor` or something inside of it.
static bool is_within(const char *path, const char *ancestor)
{
    size_t length = strlen(ancestor);
    return strncmp(path, ancestor, length) == 0 &&
           (length == 0 || path[length] == 0 || path[length] == '.' || path[length] == '[');
}

// Both libraries are walked in schema order, so that the dumps differ only by what an error leaves
// out: one pass with two cursors compares them.
struct dump_verdict dump_compare(const struct dump *official, const struct dump *ours,
                                 const int *permitted)
{
    struct dump_verdict verdict = {0};
    size_t i = 0;
    size_t j = 0;
    while (i < official->count && j < ours->count) {
        const struct dump_entry *theirs = &official->entries[i];
        const struct dump_entry *mine = &ours->entries[j];
        if (mine->error != 0) {
            const int *status = permitted;
            while (*status != 0 && *status != mine->error)
                status++;
            bool both = theirs->error != 0 && strcmp(theirs->path, mine->path) == 0;
            size_t first = i;
            while (i < official->count && is_within(official->entries[i].path, mine->path))
                i++;
            if (!both && (*status == 0 || i == first))
                return (struct dump_verdict){theirs, mine, verdict.refused};
            verdict.refused += both ? 0 : 1;
            j++;
            continue;
        }
        if (theirs->error != 0 || strcmp(theirs->path, mine->path) != 0 ||
            theirs->value != mine->value)
            return (struct dump_verdict){theirs, mine, verdict.refused};
        i++;
        j++;
    }
    if (i < official->count)
        verdict.official = &official->entries[i];
    if (j < ours->count)
        verdict.ours = &ours->entries[j];
    return verdict;
}
