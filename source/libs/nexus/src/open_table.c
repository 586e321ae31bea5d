// SPDX-License-Identifier: Apache-2.0
// Open files by path.
#include "open_table.h"
#include <string.h>

#define HASH_FACTOR 31u

struct open_path open_path_of(const char *text)
{
    const char *at = text;
    uint64_t hash = 0;
    for (; *at != '\0'; at++) {
        hash = hash * HASH_FACTOR + (unsigned char)*at;
    }
    return (struct open_path){.text = text, .length = (size_t)(at - text), .hash = hash};
}

static struct open_entry **bucket_of(struct open_table *table, uint64_t hash)
{
    return &table->buckets[hash % OPEN_TABLE_BUCKETS];
}

// ---- The idle list ------------------------------------------------------------------------------

// One that is too heavy for the list by itself is the first to go: it pushes no other out.
static void idle_push(struct open_table *table, struct open_entry *entry)
{
    bool as_oldest = entry->weight > OPEN_TABLE_IDLE_WEIGHT;
    entry->idle_newer = as_oldest ? table->idle_oldest : NULL;
    entry->idle_older = as_oldest ? NULL : table->idle_newest;
    *(entry->idle_older != NULL ? &entry->idle_older->idle_newer : &table->idle_oldest) = entry;
    *(entry->idle_newer != NULL ? &entry->idle_newer->idle_older : &table->idle_newest) = entry;
    table->idle_count++;
    table->idle_weight += entry->weight;
}

static void idle_remove(struct open_table *table, struct open_entry *entry)
{
    struct open_entry *newer = entry->idle_newer;
    struct open_entry *older = entry->idle_older;
    *(newer != NULL ? &newer->idle_older : &table->idle_newest) = older;
    *(older != NULL ? &older->idle_newer : &table->idle_oldest) = newer;
    table->idle_count--;
    table->idle_weight -= entry->weight;
}

// ---- The table ----------------------------------------------------------------------------------

static bool path_equal(const struct open_path *a, const struct open_path *b)
{
    return a->hash == b->hash && a->length == b->length && memcmp(a->text, b->text, a->length) == 0;
}

struct open_entry *open_table_take(struct open_table *table, const struct open_path *path)
{
    struct open_entry *entry = *bucket_of(table, path->hash);
    while (entry != NULL && !path_equal(&entry->path, path)) {
        entry = entry->next;
    }
    if (entry == NULL) {
        return NULL;
    }
    if (entry->references == 0) {
        idle_remove(table, entry);
    }
    entry->references++;
    return entry;
}

void open_table_add(struct open_table *table, struct open_entry *entry)
{
    struct open_entry **bucket = bucket_of(table, entry->path.hash);
    entry->references = 1;
    entry->next = *bucket;
    *bucket = entry;
}

void open_table_give(struct open_table *table, struct open_entry *entry)
{
    entry->references--;
    if (entry->references == 0) {
        idle_push(table, entry);
    }
}

struct open_entry *open_table_evict(struct open_table *table)
{
    struct open_entry *entry = table->idle_oldest;
    if (entry == NULL) {
        return NULL;
    }
    idle_remove(table, entry);
    struct open_entry **link = bucket_of(table, entry->path.hash);
    while (*link != entry) {
        link = &(*link)->next;
    }
    *link = entry->next;
    return entry;
}

struct open_entry *open_table_excess(struct open_table *table)
{
    bool within =
        table->idle_count <= OPEN_TABLE_IDLE_MAX && table->idle_weight <= OPEN_TABLE_IDLE_WEIGHT;
    return within ? NULL : open_table_evict(table);
}
