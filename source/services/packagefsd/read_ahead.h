// SPDX-License-Identifier: Apache-2.0
// When to read ahead of a client, and how far: one reader's position and window for each file.
//
// A fetch that starts where the one before ended is sequential, and so is the first one at the
// start of a file. The window opens at READ_AHEAD_FIRST pages and doubles with each run that is
// read ahead, up to READ_AHEAD_MAX. A new run is due when less than half a window is left ahead of
// the reader, so several requests are on their way while he works. Any other fetch closes the
// window.
//
// Two readers of one file close each other's window: then nobody reads ahead, and nothing is lost.
#ifndef PACKAGEFSD_READ_AHEAD_H
#define PACKAGEFSD_READ_AHEAD_H

#include "page_map.h"
#include <stdint.h>

#define READ_AHEAD_FIRST 32u  // pages: one block request
#define READ_AHEAD_MAX   256u // pages: eight block requests

// All zero: nothing was fetched yet.
struct read_ahead {
    uint64_t next;   // page at which a sequential reader goes on
    uint64_t end;    // what lies before it was fetched or read ahead
    uint64_t window; // pages; 0: closed
};

// Notes a fetch of `asked`, which is not empty, in a file of `pages` pages. Returns the run to be
// read ahead now; it is empty when nothing is due.
struct page_run read_ahead_note(struct read_ahead *state, struct page_run asked, uint64_t pages);

// What was read ahead is not there, or only up to `end`: the window closes.
void read_ahead_stop(struct read_ahead *state);

#endif
