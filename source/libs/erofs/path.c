// SPDX-License-Identifier: Apache-2.0
// EROFS paths: walks components, "..", and symbolic links, within a fixed buffer and fixed bounds.

#include <string.h>

#include "erofs/erofs_internal.h"

// The path still to be walked lies at the end of the buffer, so that a link's target is put in
// front of it without moving it. Every step takes at least one byte off or one link from the
// budget: the walk ends.
struct walk {
    const struct erofs *fs;
    struct erofs_inode current; // what the path walked so far names
    size_t start;               // rest of the path is text[start, EROFS_PATH_MAX)
    uint32_t links_followed;
    bool slash_follows; // the last component walked had a slash after it
    char text[EROFS_PATH_MAX];
};

static enum nx_status walk_prepend(struct walk *walk, const char *text, size_t length)
{
    if (length > walk->start) {
        return NX_ERR_NAME_TOO_LONG;
    }
    walk->start -= length;
    memcpy(walk->text + walk->start, text, length);
    return NX_OK;
}

static void walk_skip_slashes(struct walk *walk)
{
    while (walk->start < EROFS_PATH_MAX && walk->text[walk->start] == '/') {
        walk->start++;
    }
}

// Replaces the link that the walk stands on by its target, to be walked from `directory` or from
// the root.
static enum nx_status walk_expand(struct walk *walk, const struct erofs_inode *directory)
{
    char target[EROFS_PATH_MAX];
    size_t length;

    if (walk->links_followed == EROFS_SYMLINK_MAX) {
        return NX_ERR_TOO_LARGE;
    }
    walk->links_followed++;
    enum nx_status status =
        erofs_readlink(walk->fs, &walk->current, target, sizeof(target), &length);
    if (status == NX_OK) {
        status = walk_prepend(walk, target, length);
    }
    if (status != NX_OK) {
        return status;
    }
    if (target[0] == '/') {
        return erofs_inode_load(walk->fs, walk->fs->root_nid, &walk->current);
    }
    walk->current = *directory;
    return NX_OK;
}

// Loads what `name` means in `directory`. A dirent that promises another type than its inode has is
// a damaged image: clients may have acted on the promise.
static enum nx_status child_load(const struct erofs *fs, const struct erofs_inode *directory,
                                 const char *name, size_t length, struct erofs_inode *child)
{
    struct erofs_entry entry;

    // Neither needs the image's own entries, and ".." must not leave the root whatever they say.
    if ((length == 1 && name[0] == '.') ||
        (length == 2 && memcmp(name, "..", 2) == 0 && directory->nid == fs->root_nid)) {
        *child = *directory;
        return NX_OK;
    }
    enum nx_status status = erofs_directory_lookup(fs, directory, name, length, &entry);
    if (status != NX_OK) {
        return status;
    }
    status = erofs_inode_load(fs, entry.nid, child);
    if (status == NX_ERR_OUT_OF_RANGE) {
        return NX_ERR_BAD_FORMAT;
    }
    if (status == NX_OK && entry.type != EROFS_TYPE_UNKNOWN && entry.type != child->type) {
        return NX_ERR_BAD_FORMAT;
    }
    return status;
}

static enum nx_status walk_step(struct walk *walk, enum erofs_final_link final_link)
{
    struct erofs_inode directory = walk->current;

    if (directory.type != EROFS_TYPE_DIRECTORY) {
        return NX_ERR_NOT_DIRECTORY;
    }
    const char *name = walk->text + walk->start;
    size_t left = EROFS_PATH_MAX - walk->start;
    const char *slash = memchr(name, '/', left);
    size_t length = slash != NULL ? (size_t)(slash - name) : left;

    enum nx_status status = child_load(walk->fs, &directory, name, length, &walk->current);
    if (status != NX_OK) {
        return status;
    }
    walk->start += length;
    walk->slash_follows = slash != NULL;
    if (walk->current.type != EROFS_TYPE_SYMLINK ||
        (slash == NULL && final_link == EROFS_KEEP_FINAL)) {
        return NX_OK;
    }
    return walk_expand(walk, &directory);
}

enum nx_status erofs_resolve(const struct erofs *fs, const char *path, size_t length,
                             enum erofs_final_link final_link, struct erofs_inode *inode)
{
    struct walk walk = {.fs = fs, .start = EROFS_PATH_MAX};

    if (length > 0 && memchr(path, 0, length) != NULL) {
        return NX_ERR_INVALID_ARGUMENT;
    }
    enum nx_status status = walk_prepend(&walk, path, length);
    if (status == NX_OK) {
        status = erofs_inode_load(fs, fs->root_nid, &walk.current);
    }
    walk_skip_slashes(&walk);
    while (status == NX_OK && walk.start < EROFS_PATH_MAX) {
        status = walk_step(&walk, final_link);
        if (status == NX_OK) {
            walk_skip_slashes(&walk);
        }
    }
    if (status != NX_OK) {
        return status;
    }
    if (walk.slash_follows && walk.current.type != EROFS_TYPE_DIRECTORY) {
        return NX_ERR_NOT_DIRECTORY;
    }
    *inode = walk.current;
    return NX_OK;
}
