// SPDX-License-Identifier: Apache-2.0
// The boot archive: a cpio image whose members start on page boundaries.
#include "archive.h"
#include "cpio/cpio.h"
#include "nexus/memory.h"
#include "nexus/process.h"

#define FIXTURES_NAME "fixtures.img"
#define TRUST_NAME    "package-trust"

struct archive_file {
    const char *name;
    nx_handle memory; // NX_HANDLE_NONE: not copied yet
    uint64_t bytes;
};

static const uint8_t *archive; // first byte of the cpio image, mapped for ever
static size_t archive_bytes;

enum nx_status archive_open(void)
{
    const struct nx_start_info *start = nx_start();
    void *base;
    enum nx_status status =
        nx_map(nx_start_handle(NX_START_ARCHIVE), 0,
               NX_PAGE_ROUND_UP(start->archive_offset + start->archive_bytes), NX_PROT_READ, &base);
    if (status == NX_OK) {
        archive = (const uint8_t *)base + start->archive_offset;
        archive_bytes = start->archive_bytes;
    }
    return status;
}

enum nx_status archive_program(const char *name, struct nx_image *image)
{
    struct cpio_entry entry;
    enum nx_status status = cpio_find(archive, archive_bytes, name, &entry);
    if (status != NX_OK) {
        return status;
    }
    *image = (struct nx_image){
        .bytes = entry.data,
        .size = entry.size,
        .memory = nx_start_handle(NX_START_ARCHIVE),
        .memory_offset = nx_start()->archive_offset + (uint64_t)(entry.data - archive),
    };
    return NX_OK;
}

// Copies a file of the archive into a memory object of its own, once; *file remembers it.
static enum nx_status file_copy(struct archive_file *file, nx_handle *memory, uint64_t *bytes)
{
    if (file->memory == NX_HANDLE_NONE) {
        struct cpio_entry entry;
        void *window;
        enum nx_status status = cpio_find(archive, archive_bytes, file->name, &entry);
        if (status == NX_OK) {
            status = nx_memory_new(entry.size, 0, &file->memory, &window);
        }
        if (status != NX_OK) {
            return status;
        }
        memcpy(window, entry.data, entry.size);
        nx_unmap(window);
        file->bytes = entry.size;
    }
    *memory = file->memory;
    *bytes = file->bytes;
    return NX_OK;
}

enum nx_status archive_fixtures(nx_handle *memory, uint64_t *bytes)
{
    static struct archive_file fixtures = {.name = FIXTURES_NAME};
    return file_copy(&fixtures, memory, bytes);
}

enum nx_status archive_trust(nx_handle *memory, uint64_t *bytes)
{
    static struct archive_file trust = {.name = TRUST_NAME};
    return file_copy(&trust, memory, bytes);
}
