// SPDX-License-Identifier: Apache-2.0
// The host's threads behind the calls of the runtime.
#include "fake_threads.h"

#include "nexus/thread.h"

#include <assert.h>
#include <pthread.h>
#include <stddef.h>

#define NOTIFICATIONS_MAX 16u
#define THREADS_MAX       8u
#define FIRST_HANDLE      0x70000u

struct start {
    void (*entry)(void *);
    void *argument;
};

static struct {
    pthread_mutex_t lock; // of everything here
    pthread_cond_t changed;
    uint64_t bits[NOTIFICATIONS_MAX];
    uint32_t notifications;
    bool ending;
    pthread_t threads[THREADS_MAX];
    struct start starts[THREADS_MAX];
    uint32_t thread_count;
} fake = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

uint64_t fake_pages_left = 10000;

enum nx_status nx_process_info(nx_handle process, struct nx_process_facts *facts)
{
    assert(process == NX_HANDLE_NONE);
    *facts = (struct nx_process_facts){.pages_used = 7, .pages_budget = 7 + fake_pages_left};
    return NX_OK;
}

enum nx_status nx_notification_create(nx_handle *notification)
{
    pthread_mutex_lock(&fake.lock);
    assert(fake.notifications < NOTIFICATIONS_MAX);
    *notification = FIRST_HANDLE + fake.notifications++;
    pthread_mutex_unlock(&fake.lock);
    return NX_OK;
}

enum nx_status nx_notification_signal(nx_handle notification, uint64_t bits)
{
    pthread_mutex_lock(&fake.lock);
    assert(notification - FIRST_HANDLE < fake.notifications);
    fake.bits[notification - FIRST_HANDLE] |= bits;
    pthread_cond_broadcast(&fake.changed);
    pthread_mutex_unlock(&fake.lock);
    return NX_OK;
}

enum nx_status nx_notification_wait(nx_handle notification, uint64_t deadline, uint64_t *bits)
{
    assert(deadline == NX_DEADLINE_NEVER);
    pthread_mutex_lock(&fake.lock);
    assert(notification - FIRST_HANDLE < fake.notifications);
    uint64_t *place = &fake.bits[notification - FIRST_HANDLE];
    while (*place == 0 && !fake.ending) {
        pthread_cond_wait(&fake.changed, &fake.lock);
    }
    *bits = *place;
    *place = 0;
    pthread_mutex_unlock(&fake.lock);
    return *bits != 0 ? NX_OK : NX_ERR_PEER_CLOSED;
}

static void *thread_main(void *argument)
{
    const struct start *start = argument;
    start->entry(start->argument);
    return NULL;
}

enum nx_status nx_thread_spawn(const struct nx_thread_options *options, void (*entry)(void *),
                               void *argument, struct nx_thread *thread)
{
    assert(options->class == NX_CLASS_SERVICE); // else who computes could hold packagefsd up
    (void)thread;
    assert(fake.thread_count < THREADS_MAX);
    struct start *start = &fake.starts[fake.thread_count];
    *start = (struct start){entry, argument};
    if (pthread_create(&fake.threads[fake.thread_count], NULL, thread_main, start) != 0) {
        return NX_ERR_NO_MEMORY;
    }
    fake.thread_count++;
    return NX_OK;
}

void fake_threads_reset(void)
{
    pthread_mutex_lock(&fake.lock);
    fake.ending = true;
    pthread_cond_broadcast(&fake.changed);
    pthread_mutex_unlock(&fake.lock);
    for (; fake.thread_count > 0; fake.thread_count--) {
        pthread_join(fake.threads[fake.thread_count - 1], NULL);
    }
    fake.ending = false;
    for (; fake.notifications > 0; fake.notifications--) {
        fake.bits[fake.notifications - 1] = 0;
    }
}
