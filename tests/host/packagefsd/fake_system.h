// SPDX-License-Identifier: Apache-2.0
// The system below packagefsd, for tests that run all of it on an image: memory objects with their
// rights, a disk, its service, the log.
//
// The device is hostile: each time that the system is entered again it changes a block of what it
// wrote last.
#ifndef TEST_FAKE_SYSTEM_H
#define TEST_FAKE_SYSTEM_H

#include "nexus/system.h"

#define FAKE_BLOCKS_MAX 4096u

struct fake_disk {
    const uint8_t *bytes;
    uint64_t size;
    bool read[FAKE_BLOCKS_MAX]; // blocks of 4096 bytes that were asked for
    uint64_t queued;            // requests that came through the queue
    uint64_t reads;             // requests of either kind
    uint64_t breaks_at;         // the read, from 1 on, from which on all fail; 0: none
    enum nx_status break_status;
};

extern struct fake_disk fake_disk;
extern uint32_t fake_harts;   // of the machine, from the next reset on; 1 at first
extern char fake_refusal[32]; // the reason in the last line `pkgfs: refused`; empty: none
extern bool fake_not_mounted; // there was a line `pkgfs: not mounted`

// Forgets all objects and requests. The program's start handles are the disk's service, the trust
// file, and something as fixtures, which it must not come back to.
void fake_reset(const uint8_t *disk, uint64_t size, const char *trust);

// The bytes of a memory object, as who holds `handle` sees them mapped.
const uint8_t *fake_memory(nx_handle handle);

// Ends the test when the object can be written to by this handle, or the device knows it.
void fake_memory_is_safe(nx_handle handle);

#endif
