// SPDX-License-Identifier: Apache-2.0
// A console that keeps what is written to it: stdout of a program whose output becomes JSON.
//
// Use: capture_open, the program's console is `endpoint`, capture_request for each message that
// arrives there, capture_close.
#ifndef NX_CAPTURE_H
#define NX_CAPTURE_H

#include "nexus/process.h"
#include <stdbool.h>

#define CAPTURE_BYTES 65536u

struct capture {
    nx_handle endpoint;
    size_t length;
    bool truncated; // more was written than there is room for
    char *text;     // CAPTURE_BYTES
};

NX_MUST_CHECK enum nx_status capture_open(struct capture *capture);

// Serves the request that has just been received, and answers it. Overwrites the message page.
void capture_request(struct capture *capture, const struct nx_message *message);

void capture_close(struct capture *capture);

#endif
