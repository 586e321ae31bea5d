// SPDX-License-Identifier: Apache-2.0
// The cache's reads on their way: runs of file pages that the disk is bringing while this program
// serves on.
//
// A run is started as a flight. Its pages are `coming` until the flight has landed; then they are
// valid, or, when the read has failed, as if it had never been started: who needs them reads them
// by himself and learns the reason. Nobody is told of a flight, so what has landed is noticed when
// somebody asks: file_ahead_land.
//
// A flight brings its bytes to a place of its own in the queue's staging memory; when it lands they
// are verified and stored in the file's object. A file with flights is not evicted.
//
// Bounds: FLIGHTS_MAX flights of at most one block request each; coming pages count as cached, and
// none are started for which the cache would have to evict.
#ifndef PACKAGEFSD_FILE_AHEAD_H
#define PACKAGEFSD_FILE_AHEAD_H

#include "image_ahead.h"
#include "page_map.h"
#include <stdbool.h>

#define FLIGHTS_MAX      IMAGE_AHEAD_READS
#define FLIGHT_PAGES_MAX (IMAGE_TRANSFER_BYTES / NX_PAGE_SIZE)

struct file;
struct file_cache;

struct flight {
    struct image_read read; // first: what the queue gives back
    struct file *file;      // NULL: free
    struct page_run run;
    struct flight *next; // in the list of free ones
};

struct file_ahead {
    struct image_ahead image;
    struct flight flights[FLIGHTS_MAX];
    struct flight *free;
};

void file_ahead_init(struct file_cache *cache);

// Starts flights for the pages of the run that are neither valid nor coming, as far as bounds and
// disk allow. Returns where it stopped: run.end when it was not stopped.
uint64_t file_ahead_start(struct file_cache *cache, struct file *file, struct page_run run);

// Ends the flights that have landed.
void file_ahead_land(struct file_cache *cache);

// Waits until no page of the run is coming.
void file_ahead_settle(struct file_cache *cache, const struct file *file, struct page_run run);

// Waits for one flight at least. False: there is none.
bool file_ahead_wait(struct file_cache *cache);

#endif
