// SPDX-License-Identifier: Apache-2.0
// The messages of package_fs.capnp.
#ifndef PACKAGEFSD_SERVE_H
#define PACKAGEFSD_SERVE_H

#include "file_cache.h"
#include "mount.h"
#include "nexus/service.h"
#include "path_cache.h"

struct service {
    struct mount mount;
    struct path_cache paths;
    struct file_cache files;
};

// One request, for nx_server_run; `context` is the service, mounted.
enum nx_answer serve_request(void *context, struct nx_request *request);

#endif
