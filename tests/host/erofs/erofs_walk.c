// SPDX-License-Identifier: Apache-2.0
// The bounded walk over an arbitrary image.

#include "erofs/erofs_walk.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WALK_DEPTH     64u
#define READ_SIZE      8192u
#define EXTENTS_A_FILE 64u

#define REQUIRE(condition)                                                                         \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: broken promise: %s\n", __FILE__, __LINE__, #condition);        \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

struct walker {
    struct erofs fs;
    struct memory_image *image;
    struct walk_result result;
    uint64_t pending[WALK_DEPTH]; // directories still to be listed
    size_t pending_count;
    uint8_t *buffer; // READ_SIZE bytes of heap: ASan sees one byte too many
    char *target;    // EROFS_PATH_MAX bytes of heap
};

static enum nx_status memory_image_read(void *context, uint64_t offset, void *buffer, size_t length)
{
    struct memory_image *image = context;

    REQUIRE(length > 0);
    REQUIRE(offset <= image->size && length <= image->size - offset);
    if (image->reads_left == 0) {
        return NX_ERR_IO;
    }
    image->reads_left--;
    memcpy(buffer, image->bytes + offset, length);
    return NX_OK;
}

struct erofs_source memory_image_source(struct memory_image *image)
{
    return (struct erofs_source){
        .read = memory_image_read,
        .context = image,
        .size = image->size,
    };
}

static bool walk_note(struct walker *walker, enum nx_status status)
{
    REQUIRE((unsigned int)status < NX_STATUS_COUNT);
    if (status != NX_OK) {
        walker->result.errors++;
    }
    return status == NX_OK;
}

static void walk_extents(struct walker *walker, const struct erofs_inode *inode)
{
    uint64_t offset = 0;
    struct erofs_extent extent;

    for (unsigned int i = 0; i < EXTENTS_A_FILE && offset < inode->size; i++) {
        if (!walk_note(walker, erofs_map(&walker->fs, inode, offset, &extent))) {
            return;
        }
        REQUIRE(extent.length > 0 && extent.length <= inode->size - offset);
        if (extent.kind != EROFS_EXTENT_HOLE) {
            REQUIRE(extent.image_offset <= walker->fs.size);
            REQUIRE(extent.length <= walker->fs.size - extent.image_offset);
        }
        if (extent.kind == EROFS_EXTENT_DEVICE) {
            uint64_t mask = (UINT64_C(1) << walker->fs.block_bits) - 1;
            uint64_t last = extent.image_offset + extent.length - 1;
            REQUIRE((last | mask) < walker->fs.size);
            REQUIRE(((extent.image_offset ^ offset) & mask) == 0);
        }
        offset += extent.length;
    }
    REQUIRE(erofs_map(&walker->fs, inode, inode->size, &extent) != NX_OK);
}

static void walk_data(struct walker *walker, const struct erofs_inode *inode)
{
    const uint64_t offsets[] = {0, 1, inode->size / 2, inode->size - 1, inode->size, UINT64_MAX};
    size_t got;

    for (size_t i = 0; i < sizeof(offsets) / sizeof(offsets[0]); i++) {
        if (walk_note(walker, erofs_read(&walker->fs, inode, offsets[i], walker->buffer, READ_SIZE,
                                         &got))) {
            REQUIRE(got <= READ_SIZE);
            REQUIRE(offsets[i] < inode->size ? got <= inode->size - offsets[i] : got == 0);
        } else {
            REQUIRE(got == 0);
        }
        walker->result.bytes += got;
    }
}

static void walk_link(struct walker *walker, const struct erofs_inode *inode)
{
    struct erofs_inode end;
    size_t length;

    if (walk_note(walker,
                  erofs_readlink(&walker->fs, inode, walker->target, EROFS_PATH_MAX, &length))) {
        REQUIRE(length > 0 && length <= EROFS_PATH_MAX);
        (void)walk_note(
            walker, erofs_resolve(&walker->fs, walker->target, length, EROFS_FOLLOW_FINAL, &end));
    }
}

static void walk_entry(struct walker *walker, const struct erofs_inode *directory,
                       const struct erofs_entry *entry)
{
    struct erofs_entry again;
    struct erofs_inode inode;

    walker->result.entries++;
    REQUIRE(entry->name_length > 0 && entry->name_length <= EROFS_NAME_MAX);
    REQUIRE(strlen(entry->name) == entry->name_length);
    REQUIRE(strchr(entry->name, '/') == NULL);
    if (walk_note(walker, erofs_directory_lookup(&walker->fs, directory, entry->name,
                                                 entry->name_length, &again))) {
        REQUIRE(strcmp(again.name, entry->name) == 0);
    }
    if (!walk_note(walker, erofs_inode_load(&walker->fs, entry->nid, &inode))) {
        return;
    }
    walker->result.inodes++;
    REQUIRE(erofs_inode_refusal(&inode) < EROFS_REFUSAL_COUNT);
    walk_extents(walker, &inode);
    walk_data(walker, &inode);
    walk_link(walker, &inode);
    bool is_dot = entry->name[0] == '.' && entry->name_length <= 2;
    if (inode.type == EROFS_TYPE_DIRECTORY && !is_dot && walker->pending_count < WALK_DEPTH) {
        walker->pending[walker->pending_count++] = inode.nid;
    }
}

static void walk_directory(struct walker *walker, uint64_t nid)
{
    struct erofs_inode directory;
    struct erofs_entry entry;
    uint64_t cookie = 0;

    if (!walk_note(walker, erofs_inode_load(&walker->fs, nid, &directory))) {
        return;
    }
    while (walk_note(walker, erofs_directory_next(&walker->fs, &directory, &cookie, &entry))) {
        walk_entry(walker, &directory, &entry);
        if (walker->image->reads_left == 0) {
            return;
        }
    }
    cookie += 7; // a cookie that nobody handed out
    (void)walk_note(walker, erofs_directory_next(&walker->fs, &directory, &cookie, &entry));
    (void)walk_note(walker, erofs_directory_lookup(&walker->fs, &directory, "missing", 7, &entry));
}

struct walk_result erofs_walk(struct memory_image *image)
{
    static const char *const paths[] = {"",
                                        "/",
                                        "dir/sub/file",
                                        "link",
                                        "loop",
                                        "absolute/two-blocks",
                                        "../dir/./sub/..//empty",
                                        "dir/empty/",
                                        "n05"};
    struct walker walker = {.image = image};
    struct erofs_source source = memory_image_source(image);
    struct erofs_inode inode;

    walker.result.mount_status = erofs_mount(&walker.fs, &source, &walker.result.refusal);
    REQUIRE((walker.result.mount_status == NX_OK) == (walker.result.refusal == EROFS_REFUSAL_NONE));
    if (walker.result.mount_status != NX_OK) {
        return walker.result;
    }
    REQUIRE(walker.fs.size <= image->size);
    image->size = walker.fs.size; // from here on a read beyond the file system breaks a promise
    walker.pending[walker.pending_count++] = walker.fs.root_nid;
    walker.buffer = malloc(READ_SIZE);
    walker.target = malloc(EROFS_PATH_MAX);
    REQUIRE(walker.buffer != NULL && walker.target != NULL);
    while (walker.pending_count > 0 && image->reads_left > 0) {
        walk_directory(&walker, walker.pending[--walker.pending_count]);
    }
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        (void)walk_note(&walker, erofs_resolve(&walker.fs, paths[i], strlen(paths[i]),
                                               EROFS_FOLLOW_FINAL, &inode));
    }
    free(walker.buffer);
    free(walker.target);
    return walker.result;
}

// What eight steps of the polynomial's division make of each byte.
static const uint32_t *crc32c_table(void)
{
    static uint32_t table[256];
    for (uint32_t byte = 0; table[255] == 0 && byte < 256; byte++) {
        uint32_t crc = byte;
        for (unsigned int bit = 0; bit < 8; bit++) {
            crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0x82f63b78 : 0);
        }
        table[byte] = crc;
    }
    return table;
}

void superblock_checksum_fix(uint8_t *bytes, size_t size)
{
    if (size < 1024 + 128 || bytes[1024 + 12] < 9 || bytes[1024 + 12] > 12) {
        return;
    }
    size_t length = (size_t)1 << bytes[1024 + 12];
    if (length > 1024) {
        length -= 1024;
    }
    if (length > size - 1024) {
        return;
    }
    memset(bytes + 1024 + 4, 0, 4);
    const uint32_t *table = crc32c_table();
    uint32_t crc = 0xffffffff;
    for (size_t i = 0; i < length; i++) {
        crc = (crc >> 8) ^ table[(crc ^ bytes[1024 + i]) & 0xff];
    }
    for (unsigned int i = 0; i < 4; i++) {
        bytes[1024 + 4 + i] = (uint8_t)(crc >> (8 * i));
    }
}
