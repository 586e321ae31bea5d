// SPDX-License-Identifier: Apache-2.0
// Whole files of pkg:// as memory.
#ifndef NX_PACKAGE_H
#define NX_PACKAGE_H

#include "nexus/packages.h"

struct file_view {
    struct nx_package_file *file;
    const uint8_t *bytes; // mapped, not copied; NULL when the file is empty
    uint64_t size;
};

// Life cycle: file_view_open, look, file_view_close.
NX_MUST_CHECK enum nx_status file_view_open(const char *path, struct file_view *view);
void file_view_close(struct file_view *view);

#endif
