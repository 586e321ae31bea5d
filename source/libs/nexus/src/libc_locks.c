// SPDX-License-Identifier: Apache-2.0
// picolibc's lock hooks: malloc and stdio take these, so a program's threads may use both freely.
#include "libc_lock.h"
#include <stdlib.h>

struct __lock __lock___libc_recursive_mutex;

// Without memory the lock is NULL and its file is used unlocked: by then the program is failing.
void __retarget_lock_init(_LOCK_T *lock)
{
    *lock = calloc(1, sizeof(**lock));
}

void __retarget_lock_init_recursive(_LOCK_T *lock)
{
    __retarget_lock_init(lock);
}

void __retarget_lock_close(_LOCK_T lock)
{
    if (lock != NULL) {
        nx_mutex_destroy(&lock->mutex);
        free(lock);
    }
}

void __retarget_lock_close_recursive(_LOCK_T lock)
{
    __retarget_lock_close(lock);
}

void __retarget_lock_acquire(_LOCK_T lock)
{
    if (lock != NULL) {
        nx_mutex_lock(&lock->mutex);
    }
}

void __retarget_lock_acquire_recursive(_LOCK_T lock)
{
    nx_mutex_lock_recursive(&lock->mutex);
}

int __retarget_lock_try_acquire(_LOCK_T lock)
{
    return lock == NULL || nx_mutex_try_lock(&lock->mutex);
}

int __retarget_lock_try_acquire_recursive(_LOCK_T lock)
{
    return nx_mutex_try_lock_recursive(&lock->mutex);
}

void __retarget_lock_release(_LOCK_T lock)
{
    if (lock != NULL) {
        nx_mutex_unlock(&lock->mutex);
    }
}

void __retarget_lock_release_recursive(_LOCK_T lock)
{
    nx_mutex_unlock_recursive(&lock->mutex);
}
