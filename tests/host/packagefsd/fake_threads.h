// SPDX-License-Identifier: Apache-2.0
// Threads and notifications of the system below packagefsd: the host's own threads.
#ifndef TEST_FAKE_THREADS_H
#define TEST_FAKE_THREADS_H

#include <stdint.h>

extern uint64_t fake_pages_left; // of the budget; many at first

// Ends all threads, which have to be waiting, and forgets all notifications.
void fake_threads_reset(void);

#endif
