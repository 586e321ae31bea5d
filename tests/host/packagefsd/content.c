// SPDX-License-Identifier: Apache-2.0
// What is in a package image, and what packagefsd says about it.
#include "content.h"
#include "fake_system.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define LISTING_MAX 65536u
#define CLIENT      1u

// ---- The truth ----------------------------------------------------------------------------------

struct raw_image {
    const uint8_t *bytes;
    uint64_t size;
};

static enum nx_status raw_read(void *context, uint64_t offset, void *buffer, size_t length)
{
    const struct raw_image *image = context;
    assert_true(offset <= image->size && length <= image->size - offset);
    memcpy(buffer, image->bytes + offset, length);
    return NX_OK;
}

// The entries one behind the other: type, name, zero byte.
static enum nx_status listing_read(const struct erofs *fs, const struct erofs_inode *inode,
                                   uint8_t *bytes, size_t *length)
{
    struct erofs_entry entry;
    uint64_t cookie = 0;
    enum nx_status status;

    *length = 0;
    while ((status = erofs_directory_next(fs, inode, &cookie, &entry)) == NX_OK) {
        assert_true(*length + entry.name_length + 2 <= LISTING_MAX);
        bytes[(*length)++] = (uint8_t)entry.type;
        memcpy(bytes + *length, entry.name, entry.name_length + 1);
        *length += entry.name_length + 1;
    }
    return status == NX_ERR_NOT_FOUND ? NX_OK : status;
}

static void node_fill(struct node *node, const struct erofs *fs)
{
    size_t size = node->inode.type == EROFS_TYPE_FILE ? node->inode.size + 1 : LISTING_MAX;
    enum nx_status status = NX_OK;

    node->bytes = malloc(size);
    assert_non_null(node->bytes);
    if (node->inode.type == EROFS_TYPE_DIRECTORY) {
        status = listing_read(fs, &node->inode, node->bytes, &node->length);
    } else if (node->inode.type == EROFS_TYPE_SYMLINK) {
        status =
            erofs_readlink(fs, &node->inode, (char *)node->bytes, EROFS_PATH_MAX, &node->length);
    } else {
        status = erofs_read(fs, &node->inode, 0, node->bytes, node->inode.size, &node->length);
        assert_int_equal(node->length, node->inode.size);
    }
    assert_int_equal(status, NX_OK);
}

static struct node *node_add(struct content *content, const struct erofs *fs, const char *above,
                             const char *name)
{
    assert_true(content->count < NODES_MAX && strlen(above) + strlen(name) + 2 < EROFS_PATH_MAX);
    struct node *node = &content->nodes[content->count++];
    strcpy(node->path, above);
    strcat(node->path, above[0] != '\0' ? "/" : "");
    strcat(node->path, name);
    assert_int_equal(
        erofs_resolve(fs, node->path, strlen(node->path), EROFS_KEEP_FINAL, &node->inode), NX_OK);
    node_fill(node, fs);
    return node;
}

void content_collect(struct content *content, const uint8_t *image, uint64_t size)
{
    struct raw_image raw = {image, size};
    const struct erofs_source source = {.read = raw_read, .context = &raw, .size = size};
    enum erofs_refusal refusal;
    struct erofs fs;

    assert_int_equal(erofs_mount(&fs, &source, &refusal), NX_OK);
    content->count = 0;
    node_add(content, &fs, "", "");
    for (uint32_t i = 0; i < content->count; i++) { // grows meanwhile
        const struct node *node = &content->nodes[i];
        size_t at = 0;
        while (node->inode.type == EROFS_TYPE_DIRECTORY && at < node->length) {
            const char *name = (const char *)node->bytes + at + 1;
            if (strcmp(name, ".") != 0 && strcmp(name, "..") != 0) {
                node_add(content, &fs, node->path, name);
            }
            at += strlen(name) + 2;
        }
    }
}

void content_free(struct content *content)
{
    for (uint32_t i = 0; i < content->count; i++) {
        free(content->nodes[i].bytes);
    }
    content->count = 0;
}

// ---- What packagefsd says -----------------------------------------------------------------------

// Whether there is an answer. A refusal must be an I/O error: no "not found", no "bad format".
static bool is_answer(struct faring *faring, enum nx_status status)
{
    if (status != NX_OK) {
        assert_int_equal(status, NX_ERR_HASH);
        faring->errors++;
        return false;
    }
    faring->right++;
    return true;
}

static void file_ask(const struct node *node, struct file_cache *cache, uint64_t piece,
                     struct faring *faring)
{
    struct file *file;
    struct file_range valid;

    if (node->length == 0) {
        return;
    }
    assert_int_equal(file_cache_open(cache, &node->inode, CLIENT, &file), NX_OK);
    for (uint64_t offset = 0; offset < node->length; offset += piece) {
        uint64_t wanted = node->length - offset < piece ? node->length - offset : piece;
        if (is_answer(faring, file_cache_fetch(cache, file, offset, piece, &valid))) {
            assert_true(valid.offset <= offset);
            assert_true(valid.offset + valid.length >= offset + wanted);
            assert_true(valid.offset + valid.length <= node->length);
            assert_memory_equal(fake_memory(file->shared) + valid.offset,
                                node->bytes + valid.offset, valid.length);
        }
    }
    file_cache_close(cache, file, CLIENT);
}

static void node_ask(const struct node *node, const struct erofs *fs, struct file_cache *cache,
                     uint64_t piece, struct faring *faring)
{
    static uint8_t bytes[LISTING_MAX];
    struct erofs_inode inode;
    size_t length;

    if (!is_answer(faring,
                   erofs_resolve(fs, node->path, strlen(node->path), EROFS_KEEP_FINAL, &inode))) {
        return;
    }
    assert_true(inode.nid == node->inode.nid && inode.size == node->inode.size &&
                inode.type == node->inode.type && inode.mode == node->inode.mode &&
                inode.mtime == node->inode.mtime && inode.layout == node->inode.layout);
    if (inode.type == EROFS_TYPE_FILE) {
        file_ask(node, cache, piece, faring);
        return;
    }
    enum nx_status status = inode.type == EROFS_TYPE_DIRECTORY
                                ? listing_read(fs, &inode, bytes, &length)
                                : erofs_readlink(fs, &inode, (char *)bytes, sizeof(bytes), &length);
    if (is_answer(faring, status)) {
        assert_int_equal(length, node->length);
        assert_memory_equal(bytes, node->bytes, length);
    }
}

struct faring content_ask(const struct content *content, const struct erofs *fs,
                          struct file_cache *cache, uint64_t piece)
{
    struct faring faring = {0};
    for (uint32_t i = 0; i < content->count; i++) {
        node_ask(&content->nodes[i], fs, cache, piece, &faring);
    }
    return faring;
}

static void file_look(const struct node *node, const struct file *file)
{
    const uint8_t *seen = fake_memory(file->shared);

    fake_memory_is_safe(file->shared);
    for (uint64_t page = 0; page < file->map.pages; page++) {
        uint64_t at = page * NX_PAGE_SIZE;
        uint64_t length = node->length - at < NX_PAGE_SIZE ? node->length - at : NX_PAGE_SIZE;
        bool is_valid = page_map_any(&file->map, page, page + 1);
        for (uint64_t i = 0; i < NX_PAGE_SIZE; i++) {
            uint8_t right = i < length ? node->bytes[at + i] : 0;
            assert_true(seen[at + i] == right || (!is_valid && seen[at + i] == 0));
        }
    }
}

void content_look(const struct content *content, const struct file_cache *cache)
{
    for (uint32_t i = 0; i < FILES_MAX; i++) {
        const struct file *file = &cache->files[i];
        for (uint32_t n = 0; file->token != 0 && n < content->count; n++) {
            if (content->nodes[n].inode.nid == file->inode.nid) {
                file_look(&content->nodes[n], file);
            }
        }
    }
}
