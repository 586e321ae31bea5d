// SPDX-License-Identifier: Apache-2.0
// Starting programs from pkg://: their code runs from the file's own pages.
#include "nexus/memory.h"
#include "nexus/packages.h"
#include "nexus/spawn.h"

static enum nx_status spawn_file(struct nx_package_file *file,
                                 const struct nx_spawn_options *options, struct nx_child *child)
{
    uint64_t size = nx_package_size(file);
    if (size == 0) {
        return NX_ERR_TRUNCATED;
    }
    struct nx_spawn_options filled = *options;
    void *bytes;
    enum nx_status status = nx_package_memory(file, &filled.image.memory);
    if (status == NX_OK) {
        status = nx_map(filled.image.memory, 0, NX_PAGE_ROUND_UP(size), NX_PROT_READ, &bytes);
    }
    if (status != NX_OK) {
        return status;
    }
    filled.image.bytes = bytes;
    filled.image.size = size;
    filled.image.memory_offset = 0;
    status = nx_spawn(&filled, child);
    nx_unmap(bytes);
    return status;
}

enum nx_status nx_spawn_package(const char *path, const struct nx_spawn_options *options,
                                struct nx_child *child)
{
    struct nx_package_file *file;
    enum nx_status status = nx_package_open(path, &file);
    if (status != NX_OK) {
        return status;
    }
    status = spawn_file(file, options, child);
    nx_package_close(file);
    return status;
}
