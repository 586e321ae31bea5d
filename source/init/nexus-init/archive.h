// SPDX-License-Identifier: Apache-2.0
// The boot archive: programs and the fixtures image, as the kernel handed them over.
#ifndef INIT_ARCHIVE_H
#define INIT_ARCHIVE_H

#include "nexus/spawn.h"

// Maps the archive. Once, before anything else here.
NX_MUST_CHECK enum nx_status archive_open(void);

// A program of that name, ready for nx_spawn. NX_ERR_NOT_FOUND, or the archive's defect.
NX_MUST_CHECK enum nx_status archive_program(const char *name, struct nx_image *image);

// The fixtures image in a read-only memory object of its own, so that its reader sees nothing else
// of the archive. Made at the first call, kept for ever.
NX_MUST_CHECK enum nx_status archive_fixtures(nx_handle *memory, uint64_t *bytes);

// The same for the file that says whose package images are accepted.
NX_MUST_CHECK enum nx_status archive_trust(nx_handle *memory, uint64_t *bytes);

#endif
