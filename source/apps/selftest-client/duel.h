// SPDX-License-Identifier: Apache-2.0
// A second thread that makes one system call at the same moment as the test, again and again.
//
// Life cycle: duel_open starts the rival on a hart of its own; each round is duel_begin, the test's
// own call, duel_end; duel_close ends the rival. The delays on both sides are drawn anew for each
// round, so that the calls meet at every point of each other.
#ifndef SELFTEST_DUEL_H
#define SELFTEST_DUEL_H

#include "selftest.h"
#include <stdatomic.h>

struct duel {
    // The round. The rival reads it after `begun` has risen and writes `status` before `ended`.
    enum nx_status (*strike)(void *context);
    void *context;
    uint32_t delay;
    enum nx_status status;

    nx_handle wake;         // ends the rival's sleep: between rounds it costs nothing
    _Atomic uint32_t begun; // rounds, by the test
    _Atomic uint32_t ready; // rounds, by the rival: awake
    _Atomic uint32_t ended; // rounds, by the rival: called
    struct nx_thread thread;
};

// The next delay: a number of turns of an empty loop, from the same series at each boot.
uint32_t duel_delay(void);
void duel_spin(uint32_t turns);

// Asks until `done(context)`: at first without a pause, then with short ones, for the sake of a
// thread that shares the hart and of a hart that shares the host's processor. False: `nanoseconds`
// have passed first.
bool spin_until(bool (*done)(void *), void *context, uint64_t nanoseconds);

// Starts the rival on the hart with that index, or anywhere when it is not online.
NX_MUST_CHECK enum nx_status duel_open(struct duel *duel, uint64_t hart);

// Lets the rival call strike(context), and delays the caller as the round wants it.
// NX_ERR_TIMED_OUT: the rival never woke.
NX_MUST_CHECK enum nx_status duel_begin(struct duel *duel, enum nx_status (*strike)(void *),
                                        void *context);

// Waits for the rival's call and returns its status. NX_ERR_TIMED_OUT: it is stuck.
enum nx_status duel_end(struct duel *duel);

// False: the rival did not end.
bool duel_close(struct duel *duel);

#endif
