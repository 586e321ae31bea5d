// SPDX-License-Identifier: Apache-2.0
// A small io_uring for reads of one file into its own registered buffers. One ring at a time, one
// thread; the kernel shares the two rings, so their indices are read with acquire and written with
// release order.
#pragma once

#include <stddef.h>
#include <stdint.h>

enum { RING_DEPTH_MAX = 32 };

// Opens the ring for `file`, with `depth` buffers of `buffer_bytes`. 0 or a negative errno.
int ring_open(int file, unsigned depth, size_t buffer_bytes);
void ring_close(void);
// Queues a read into buffer `slot`; nothing is submitted yet.
void ring_queue_read(unsigned slot, uint64_t offset);
// Submits what is queued and waits until at least `wanted` reads are complete. 0 or a negative
// errno.
int ring_submit_and_wait(unsigned wanted);
// The slot of one completed read, or -EAGAIN when there is none, or -EIO when a read was not whole.
int ring_reap(void);
const char *ring_buffer(unsigned slot);
