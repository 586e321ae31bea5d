// SPDX-License-Identifier: Apache-2.0
// The mounted file system: an image that was found good enough to serve.
#ifndef PACKAGEFSD_MOUNT_H
#define PACKAGEFSD_MOUNT_H

#include "erofs/erofs.h"
#include "image.h"

struct mount {
    struct image image;
    struct erofs fs; // reads through image
};

// Opens the image, checks its signature, reads its superblock, its root directory and that
// directory's entries, each block verified, and prints the marker that says where it was mounted
// from; on failure the line that says why not. `mount` is zeroed before and stays where it is.
// There is no second choice: a disk that cannot be mounted is not replaced by the fixtures.
NX_MUST_CHECK enum nx_status mount_open(struct mount *mount);

#endif
