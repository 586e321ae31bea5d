// SPDX-License-Identifier: Apache-2.0
// Client of packagefsd: the read-only files of pkg://.
//
// A path may carry the scheme ("pkg://etc/motd") or not ("etc/motd"). An open file is a memory
// object that this process maps; its bytes become valid as they are fetched, in steps of 128 KiB,
// by DMA into the very pages that are read here. When packagefsd restarts, an open file is opened
// again behind the caller's back: its content is signed, so it is the same.
//
// Thread safe: any number of threads may use one open file.
#ifndef NEXUS_PACKAGES_H
#define NEXUS_PACKAGES_H

#include "nexus/system.h"
#include <stdbool.h>

#define NX_PACKAGE_SCHEME   "pkg://"
#define NX_PACKAGE_PATH_MAX 800u // characters, without the scheme
#define NX_PACKAGE_NAME_MAX 255u // characters of one entry's name

// Entries that one answer to a list request can hold: those with names of a few characters.
#define NX_PACKAGE_LIST_BATCH 28u

enum nx_package_type {
    NX_PACKAGE_UNKNOWN = 0,
    NX_PACKAGE_REGULAR = 1,
    NX_PACKAGE_DIRECTORY = 2,
    NX_PACKAGE_SYMLINK = 3,
};

struct nx_package_facts {
    uint64_t node; // identity of the file within the image
    uint64_t size; // bytes
    uint64_t modified_seconds;
    uint32_t links;
    uint16_t mode; // permission bits
    enum nx_package_type type;
};

struct nx_package_entry {
    uint64_t node;
    uint64_t size;
    enum nx_package_type type;
    char name[NX_PACKAGE_NAME_MAX + 1];
};

enum nx_package_source {
    NX_PACKAGE_SOURCE_NONE = 0,
    NX_PACKAGE_SOURCE_VIRTIO_BLK = 1,
    NX_PACKAGE_SOURCE_FIXTURES = 2,
};

struct nx_package_report {
    enum nx_package_source source;
    uint64_t blocks;
    uint32_t block_size;
    uint64_t reads;
    uint64_t cache_hits;
    uint64_t cache_misses;
    uint64_t io_errors;
    uint64_t verified_blocks;
    uint64_t hash_errors;
    uint32_t open_files;
    uint64_t image_version;
};

struct nx_package_file; // an open file

// Opens a regular file, following symlinks. NX_ERR_IS_DIRECTORY, NX_ERR_NOT_FOUND, ...
NX_MUST_CHECK enum nx_status nx_package_open(const char *path, struct nx_package_file **file);
void nx_package_close(struct nx_package_file *file); // mappings made with nx_package_map stay

// Closed files are kept for a while, with their memory, in case they are opened again: lets go of
// all that nobody has open.
void nx_package_trim(void);

uint64_t nx_package_size(const struct nx_package_file *file);
void nx_package_describe(const struct nx_package_file *file, struct nx_package_facts *facts);

// Copies up to `length` bytes from `offset`; *copied is less only at the end of the file.
NX_MUST_CHECK enum nx_status nx_package_read(struct nx_package_file *file, uint64_t offset,
                                             void *buffer, size_t length, size_t *copied);

// Makes the range valid and maps it, without a copy. `offset` is a multiple of the page size; the
// mapping ends at the end of the last page. NX_PROT_EXECUTE needs a file opened with that right.
NX_MUST_CHECK enum nx_status nx_package_map(struct nx_package_file *file, uint64_t offset,
                                            uint64_t length, uint32_t protection, void **address);

// Makes the whole file valid and returns the memory object that holds it; it stays the file's own.
NX_MUST_CHECK enum nx_status nx_package_memory(struct nx_package_file *file, nx_handle *memory);

// Does not follow a symlink at the end of the path.
NX_MUST_CHECK enum nx_status nx_package_stat(const char *path, struct nx_package_facts *facts);

// Lists a directory from *cookie (0: its start) into at most `capacity` entries; *cookie is where
// to go on, *done whether that was all. A capacity of NX_PACKAGE_LIST_BATCH takes any answer of the
// service whole; a smaller one has it sent again for the rest.
NX_MUST_CHECK enum nx_status nx_package_list(const char *path, uint64_t *cookie,
                                             struct nx_package_entry *entries, uint32_t capacity,
                                             uint32_t *count, bool *done);

// The target of a symlink, NUL-terminated. NX_ERR_NAME_TOO_LONG: `size` is too small.
NX_MUST_CHECK enum nx_status nx_package_read_link(const char *path, char *target, size_t size);

NX_MUST_CHECK enum nx_status nx_package_status(struct nx_package_report *report);

#endif
