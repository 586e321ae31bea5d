// SPDX-License-Identifier: Apache-2.0
// Threads and notifications of the system below packagefsd: the host's own threads.
#ifndef TEST_FAKE_THREADS_H
#define TEST_FAKE_THREADS_H

// Ends all threads, which have to be waiting, and forgets all notifications.
void fake_threads_reset(void);

#endif
