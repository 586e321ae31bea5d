// SPDX-License-Identifier: Apache-2.0
// What the client of packagefsd shares between its files. One call: request and answer, both in the
// message page.
#ifndef NEXUS_PACKAGES_CALL_H
#define NEXUS_PACKAGES_CALL_H

#include "nexus/packages.h"
#include "nexus/service.h"
#include "package_fs.capnp.h"

struct package_call {
    struct nx_retry retry;
    struct capnp_builder message;
    struct package_fs_request_builder request;
    struct nx_message reply;
    struct capnp_reader answer;
    struct package_fs_response_reader response; // points into the page: valid until the next call
};

// The path without its scheme and leading slashes. NULL: it has another scheme.
const char *package_path(const char *path);

// The same; NULL as well when it has no scheme.
const char *package_path_with_scheme(const char *path);

NX_MUST_CHECK enum nx_status package_call_begin(struct package_call *call);

// Sends the request; the result is the transport's status, else the answer's own. NX_OK: the answer
// is of kind `expected`.
NX_MUST_CHECK enum nx_status package_call_finish(struct package_call *call,
                                                 enum package_fs_response_which expected);

// The same; gives up at a deadline on the monotonic clock.
NX_MUST_CHECK enum nx_status package_call_finish_until(struct package_call *call,
                                                       enum package_fs_response_which expected,
                                                       uint64_t deadline);

// Opens a file by its path without the scheme.
NX_MUST_CHECK enum nx_status package_open_inner(const char *path, struct nx_package_file **file);

#endif
