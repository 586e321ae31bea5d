// SPDX-License-Identifier: Apache-2.0
// The cache of what paths lead to.
#include "path_cache.h"
#include <string.h>

// An odd number without a pattern: multiplying by it spreads every bit upwards.
#define HASH_FACTOR UINT64_C(0x9e3779b97f4a7c15)

void path_cache_init(struct path_cache *cache)
{
    *cache = (struct path_cache){0};
    recency_init(&cache->uses);
    for (uint32_t i = 0; i < PATH_CACHE_ENTRIES; i++) {
        recency_add(&cache->uses, &cache->entries[i].use);
    }
}

static size_t key_words(const struct path_key *key)
{
    return (key->length + sizeof(key->words[0]) - 1) / sizeof(key->words[0]);
}

bool path_key_make(struct path_key *key, const char *path, size_t length,
                   enum erofs_final_link final_link)
{
    if (length > PATH_CACHE_BYTES) {
        return false;
    }
    key->length = (uint32_t)length;
    key->final_link = final_link;
    size_t words = key_words(key);
    if (words > 0) {
        key->words[words - 1] = 0;
        memcpy(key->words, path, length);
    }
    uint64_t hash = length + (uint64_t)final_link;
    for (size_t i = 0; i < words; i++) {
        hash = (hash ^ key->words[i]) * HASH_FACTOR;
        hash ^= hash >> 32; // the bucket is made of low bits
    }
    key->hash = hash;
    return true;
}

static bool key_equal(const struct path_key *a, const struct path_key *b)
{
    if (a->hash != b->hash || a->length != b->length || a->final_link != b->final_link) {
        return false;
    }
    size_t words = key_words(a);
    for (size_t i = 0; i < words; i++) {
        if (a->words[i] != b->words[i]) {
            return false;
        }
    }
    return true;
}

static struct path_cache_entry **bucket_of(struct path_cache *cache, const struct path_key *key)
{
    return &cache->buckets[key->hash % PATH_CACHE_BUCKETS];
}

const struct erofs_inode *path_cache_find(struct path_cache *cache, const struct path_key *key)
{
    struct path_cache_entry *entry = *bucket_of(cache, key);

    while (entry != NULL && !key_equal(&entry->key, key)) {
        entry = entry->next;
    }
    if (entry == NULL) {
        cache->misses++;
        return NULL;
    }
    cache->hits++;
    recency_touch(&cache->uses, &entry->use);
    return &entry->inode;
}

static void entry_release(struct path_cache *cache, struct path_cache_entry *entry)
{
    struct path_cache_entry **link = bucket_of(cache, &entry->key);
    while (*link != entry) {
        link = &(*link)->next;
    }
    *link = entry->next;
    entry->claimed = false;
}

const struct erofs_inode *path_cache_add(struct path_cache *cache, const struct path_key *key,
                                         const struct erofs_inode *inode)
{
    struct path_cache_entry *entry =
        RECENCY_MEMBER(recency_oldest(&cache->uses), struct path_cache_entry, use);

    if (entry->claimed) {
        entry_release(cache, entry);
    }
    struct path_cache_entry **bucket = bucket_of(cache, key);
    entry->key = *key;
    entry->inode = *inode;
    entry->claimed = true;
    entry->next = *bucket;
    *bucket = entry;
    recency_touch(&cache->uses, &entry->use);
    return &entry->inode;
}
