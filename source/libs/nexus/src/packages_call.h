// SPDX-License-Identifier: Apache-2.0
// One call to packagefsd: request and answer, both in the message page. Private to the client.
#ifndef NEXUS_PACKAGES_CALL_H
#define NEXUS_PACKAGES_CALL_H

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

NX_MUST_CHECK enum nx_status package_call_begin(struct package_call *call);

// Sends the request; the result is the transport's status, else the answer's own. NX_OK: the answer
// is of kind `expected`.
NX_MUST_CHECK enum nx_status package_call_finish(struct package_call *call,
                                                 enum package_fs_response_which expected);

#endif
