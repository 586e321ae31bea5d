// SPDX-License-Identifier: Apache-2.0
// Lock checking of the release kernel: none.
#ifndef NEURON_LOCK_CHECK_H
#define NEURON_LOCK_CHECK_H

struct lock;
struct lock_check {
    char unused;
};

static inline void lock_check_acquire(struct lock *lock)
{
    (void)lock;
}

static inline void lock_check_release(struct lock *lock)
{
    (void)lock;
}

static inline void lock_check_none_held(void)
{
}

#endif
