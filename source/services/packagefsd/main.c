// SPDX-License-Identifier: Apache-2.0
// packagefsd: serves the read-only files of pkg:// (package_fs.capnp). One image, and one thread
// for requests.
//
//     serve.c       requests and answers
//     mount.c       what must be read before pkg:// is there
//     file_cache.c  file contents: memory objects shared with clients; file_fill.c fills them
//     path_cache.c  what paths lead to
//     block_cache.c metadata
//     image.c       the disk or the fixtures; the one door through which bytes enter
//
// docs/storage/package_fs.md has the read path as a picture.
#include "nexus/log.h"
#include "nexus/registry.h"
#include "serve.h"
#include <stdlib.h>

int main(void)
{
    static struct service service;
    const struct nx_server server = {
        .endpoint = nx_start_handle(NX_START_SERVICE),
        .context = &service,
        .request = serve_request,
    };

    enum nx_status status = mount_open(&service.mount);
    if (status != NX_OK) {
        (void)!nx_registry_ready(status); // nexus-init sees the exit in any case
        return EXIT_FAILURE;
    }
    path_cache_init(&service.paths);
    file_cache_init(&service.files, &service.mount.image, &service.mount.fs);
    status = nx_registry_ready(NX_OK);
    if (status == NX_OK) {
        status = nx_server_run(&server);
    }
    nx_log("pkgfs: stopped reason=%s", nx_status_text(status));
    return EXIT_FAILURE;
}
