// SPDX-License-Identifier: Apache-2.0
// nx sum: SHA-256 of files, in the format of sha256sum.
#include "command.h"
#include "package.h"
#include "sha256/sha256.h"
#include <stdio.h>
#include <string.h>

#define DEPTH_MAX       16u
#define ENTRIES_AT_ONCE 2u // one stack frame a level holds them

// The path that is being looked at; grows and shrinks as the walk goes down and up.
struct walk {
    struct invocation *invocation;
    char path[NX_PACKAGE_PATH_MAX + 1];
    size_t length;
    bool failed; // for some file
};

static enum nx_status file_sum(const char *path, char text[SHA256_HEX_BYTES])
{
    struct file_view view;
    struct sha256 hash;
    uint8_t digest[SHA256_BYTES];

    enum nx_status status = file_view_open(path, &view);
    if (status != NX_OK) {
        return status;
    }
    sha256_init(&hash);
    sha256_update(&hash, view.bytes, view.size);
    file_view_close(&view);
    sha256_final(&hash, digest);
    sha256_hex(digest, text);
    return NX_OK;
}

// Prints one line, or one object; a failure becomes a line too, and the walk goes on.
static void sum_show(struct walk *walk)
{
    struct json *out = walk->invocation->out;
    char text[SHA256_HEX_BYTES];
    enum nx_status status = file_sum(walk->path, text);

    if (status != NX_OK) {
        walk->failed = true;
        (void)command_failed(walk->invocation, walk->path, status);
    } else if (walk->invocation->json) {
        json_object(out, NULL);
        json_text(out, "path", walk->path);
        json_text(out, "sha256", text);
        json_end(out);
    } else {
        printf("%s  %s\n", text, walk->path);
    }
}

// Appends "/name"; NX_ERR_NAME_TOO_LONG leaves the path as it was.
static enum nx_status path_enter(struct walk *walk, const char *name)
{
    size_t length = strlen(name);
    bool slash = walk->length > 0 && walk->path[walk->length - 1] != '/';

    if (walk->length + slash + length > NX_PACKAGE_PATH_MAX) {
        return NX_ERR_NAME_TOO_LONG;
    }
    if (slash) {
        walk->path[walk->length++] = '/';
    }
    memcpy(walk->path + walk->length, name, length + 1);
    walk->length += length;
    return NX_OK;
}

static enum nx_status walk_directory(struct walk *walk, unsigned depth);

static enum nx_status walk_entry(struct walk *walk, const struct nx_package_entry *entry,
                                 unsigned depth)
{
    size_t length = walk->length;
    enum nx_status status = NX_OK;

    if (strcmp(entry->name, ".") == 0 || strcmp(entry->name, "..") == 0) {
        return NX_OK;
    }
    if (entry->type == NX_PACKAGE_REGULAR || entry->type == NX_PACKAGE_DIRECTORY) {
        status = path_enter(walk, entry->name);
        if (status == NX_OK && entry->type == NX_PACKAGE_DIRECTORY) {
            status = walk_directory(walk, depth + 1);
        } else if (status == NX_OK) {
            sum_show(walk);
        }
    }
    walk->length = length;
    walk->path[length] = '\0';
    return status;
}

static enum nx_status walk_directory(struct walk *walk, unsigned depth)
{
    struct nx_package_entry entries[ENTRIES_AT_ONCE];
    uint64_t cookie = 0;
    bool done = false;
    enum nx_status status = depth < DEPTH_MAX ? NX_OK : NX_ERR_TOO_LARGE;

    while (!done && status == NX_OK) {
        uint32_t count = 0;
        status = nx_package_list(walk->path, &cookie, entries, ENTRIES_AT_ONCE, &count, &done);
        for (uint32_t i = 0; status == NX_OK && i < count; i++) {
            status = walk_entry(walk, &entries[i], depth);
        }
    }
    return status;
}

int sum_run(struct invocation *invocation)
{
    struct walk walk = {.invocation = invocation};
    enum nx_status status = path_enter(&walk, invocation->arguments[0]);

    if (status != NX_OK) {
        return command_failed(invocation, "path", status);
    }
    if (!invocation->recursive) {
        sum_show(&walk);
        return walk.failed ? EXIT_FAILED : EXIT_OK;
    }
    if (invocation->json) {
        json_array(invocation->out, NULL);
    }
    status = walk_directory(&walk, 0);
    if (status != NX_OK) {
        (void)command_failed(invocation, walk.path, status);
    }
    if (invocation->json) {
        json_end(invocation->out);
    }
    return status == NX_OK && !walk.failed ? EXIT_OK : EXIT_FAILED;
}
