// SPDX-License-Identifier: Apache-2.0
// Images written by byte offsets.

#include "erofs/handmade.h"

#include <stdlib.h>
#include <string.h>

#include "erofs/erofs_walk.h"

#define ROOT_DATA (HANDMADE_DATA - 4096u) // the root directory's one block

void handmade_put(struct handmade *image, size_t offset, unsigned int width, uint64_t value)
{
    for (unsigned int i = 0; i < width; i++) {
        image->bytes[offset + i] = (uint8_t)(value >> (8 * i));
    }
}

void handmade_seal(struct handmade *image)
{
    superblock_checksum_fix(image->bytes, image->size);
}

size_t handmade_inode_offset(uint64_t nid)
{
    return (size_t)(HANDMADE_META + nid * 32);
}

void handmade_inode_put(struct handmade *image, uint64_t nid, struct handmade_inode inode)
{
    size_t offset = handmade_inode_offset(nid);

    handmade_put(image, offset, 2, inode.layout << 1);
    handmade_put(image, offset + 2, 2, inode.xattr_icount);
    handmade_put(image, offset + 4, 2, inode.mode);
    handmade_put(image, offset + 6, 2, 1);
    handmade_put(image, offset + 8, 4, inode.size);
    handmade_put(image, offset + 16, 4, inode.i_u);
}

uint32_t handmade_entries_put(struct handmade *image, size_t offset,
                              const struct handmade_entry *entries, size_t count)
{
    size_t name_offset = count * 12;

    for (size_t i = 0; i < count; i++) {
        size_t length = strlen(entries[i].name);
        handmade_put(image, offset + i * 12, 8, entries[i].nid);
        handmade_put(image, offset + i * 12 + 8, 2, name_offset);
        handmade_put(image, offset + i * 12 + 10, 1, entries[i].type);
        memcpy(image->bytes + offset + name_offset, entries[i].name, length);
        name_offset += length;
    }
    return (uint32_t)name_offset;
}

size_t handmade_root_put(struct handmade *image, const struct handmade_entry *entries, size_t count)
{
    unsigned int block_bits = image->bytes[HANDMADE_SUPER + 12];

    memset(image->bytes + ROOT_DATA, 0, 4096);
    uint32_t size = handmade_entries_put(image, ROOT_DATA, entries, count);
    handmade_inode_put(
        image, ROOT_NID,
        (struct handmade_inode){
            .layout = PLAIN, .mode = 0040755, .size = size, .i_u = ROOT_DATA >> block_bits});
    return ROOT_DATA;
}

struct handmade handmade_make(unsigned int block_bits)
{
    static const struct handmade_entry entries[] = {
        {".", ROOT_NID, 2},
        {"..", ROOT_NID, 2},
        {"hello", HELLO_NID, 1},
    };
    struct handmade image = {.bytes = calloc(1, HANDMADE_SIZE), .size = HANDMADE_SIZE};

    if (image.bytes == NULL) {
        abort();
    }
    handmade_put(&image, HANDMADE_SUPER, 4, 0xe0f5e1e2);
    handmade_put(&image, HANDMADE_SUPER + 8, 4, 1); // the checksum is there
    handmade_put(&image, HANDMADE_SUPER + 12, 1, block_bits);
    handmade_put(&image, HANDMADE_SUPER + 14, 2, ROOT_NID);
    handmade_put(&image, HANDMADE_SUPER + 24, 8, 1234567890); // build time
    handmade_put(&image, HANDMADE_SUPER + 36, 4, HANDMADE_SIZE >> block_bits);
    handmade_put(&image, HANDMADE_SUPER + 40, 4, HANDMADE_META >> block_bits);

    handmade_root_put(&image, entries, 3);
    handmade_inode_put(
        &image, HELLO_NID,
        (struct handmade_inode){.layout = INLINE, .mode = 0100644, .size = sizeof(HELLO_TEXT) - 1});
    memcpy(image.bytes + handmade_inode_offset(HELLO_NID) + 32, HELLO_TEXT, sizeof(HELLO_TEXT) - 1);
    handmade_seal(&image);
    return image;
}

void handmade_free(struct handmade *image)
{
    free(image->bytes);
    image->bytes = NULL;
}
