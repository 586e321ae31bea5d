// SPDX-License-Identifier: Apache-2.0
// The lock type that picolibc leaves to the system.
#ifndef NEXUS_LIBC_LOCK_H
#define NEXUS_LIBC_LOCK_H

#include "nexus/lock.h"
#include <sys/lock.h>

struct __lock {
    struct nx_mutex mutex;
};

#endif
