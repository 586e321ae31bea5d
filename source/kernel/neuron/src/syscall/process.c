// SPDX-License-Identifier: Apache-2.0
// System calls on processes and threads.
#include "object/process.h"

#include "arch/arch.h"
#include "arch_inline.h"
#include "core/hart.h"
#include "core/lock_inline.h"
#include "ipc/endpoint.h"
#include "ipc/notification.h"
#include "mm/memory.h"
#include "sched/scheduler.h"
#include "sched/thread.h"
#include "syscall/syscall.h"
#include <string.h>

#define PROCESS_RIGHTS (NX_RIGHT_DUPLICATE | NX_RIGHT_TRANSFER | NX_RIGHT_MANAGE | NX_RIGHT_INSPECT)
#define THREAD_RIGHTS  (NX_RIGHT_DUPLICATE | NX_RIGHT_TRANSFER | NX_RIGHT_MANAGE)

#define NAME_WORDS (NX_NAME_BYTES / sizeof(uint64_t))

enum nx_status sys_process_create(struct thread *current, const uint64_t *arguments)
{
    uint64_t bytes;
    if (__builtin_mul_overflow(arguments[0], NX_PAGE_SIZE, &bytes))
        return NX_ERR_NO_MEMORY;
    if (arguments[5] > (uint64_t)current->process->highest_class)
        return NX_ERR_ACCESS_DENIED;
    char name[NX_NAME_BYTES];
    memcpy(name, &arguments[1], NAME_WORDS * sizeof(uint64_t));
    for (size_t i = 0; i < sizeof(name); i++)
        if (name[i] != '\0' && (name[i] <= ' ' || name[i] > '~'))
            return NX_ERR_INVALID_ARGUMENT;
    struct process *process;
    TRY(process_create(current->process, name, bytes, (enum nx_class)arguments[5], &process));
    return syscall_return_new(current, &process->object, NX_OBJECT_PROCESS, PROCESS_RIGHTS);
}

enum nx_status sys_process_kill(struct thread *current, const uint64_t *arguments)
{
    struct process *process;
    if (arguments[0] == NX_HANDLE_NONE)
        return NX_ERR_BAD_HANDLE;
    TRY(syscall_process(current, arguments[0], NX_RIGHT_MANAGE, &process));
    process_kill(process, (int64_t)arguments[1]);
    return NX_OK;
}

enum nx_status sys_process_info(struct thread *current, const uint64_t *arguments)
{
    struct process *process;
    TRY(syscall_process(current, arguments[0], NX_RIGHT_INSPECT, &process));
    uint64_t used = atomic_load_explicit(&process->used, memory_order_relaxed);
    lock_acquire_fast(&process->lock);
    int64_t exit_status = process->exit_status;
    uint32_t state = atomic_load_explicit(&process->state, memory_order_relaxed);
    lock_release_fast(&process->lock);
    arch_set_result(current, 0, state);
    arch_set_result(current, 1, (uint64_t)exit_status);
    arch_set_result(current, 2, round_up(used, NX_PAGE_SIZE) / NX_PAGE_SIZE);
    arch_set_result(current, 3, counter_read(&process->budget) / NX_PAGE_SIZE);
    return NX_OK;
}

enum nx_status sys_process_bind(struct thread *current, const uint64_t *arguments)
{
    struct process *process;
    TRY(syscall_process(current, arguments[0], NX_RIGHT_MANAGE, &process));
    struct notification *notification;
    TRY(syscall_notification_or_none(current, arguments[1], NX_RIGHT_SIGNAL, &notification));
    struct endpoint *endpoint = NULL;
    uint64_t badge = 0;
    if (arguments[3] != NX_HANDLE_NONE) {
        struct handle_value value;
        TRY(handle_lookup(&current->process->handles, arguments[3], NX_OBJECT_ENDPOINT,
                          NX_RIGHT_CALL, &value));
        endpoint = CONTAINER_OF(value.object, struct endpoint, object);
        badge = value.badge;
    }
    return process_bind(process, notification, arguments[2], endpoint, badge);
}

enum nx_status sys_process_exit(struct thread *current, const uint64_t *arguments)
{
    process_kill(current->process, (int64_t)arguments[0]);
    // kernel_leave ends this thread.
    return NX_OK;
}

// Harts of which at least one is online.
static bool is_affinity(uint64_t mask)
{
    return mask <= UINT32_MAX && ((uint32_t)mask & hart_online_mask()) != 0;
}

enum nx_status sys_thread_create(struct thread *current, const uint64_t *arguments)
{
    struct process *process;
    TRY(syscall_process(current, arguments[0], NX_RIGHT_MANAGE, &process));
    struct handle_value value;
    TRY(handle_lookup(&current->process->handles, arguments[5], NX_OBJECT_MEMORY,
                      NX_RIGHT_READ | NX_RIGHT_WRITE, &value));
    struct thread *thread;
    const struct thread_beginning beginning = {
        .entry = vaddr(arguments[1]),
        .stack = arguments[2],
        .argument = arguments[3],
        .thread_pointer = arguments[4],
        .class = NX_CLASS_COUNT,
    };
    TRY(thread_create(process, &beginning, CONTAINER_OF(value.object, struct memory, object),
                      arguments[6], &thread));
    // Another thread may kill the process now, so the new one must outlive a failure below.
    object_acquire(&thread->object);
    enum nx_status status =
        syscall_return_new(current, &thread->object, NX_OBJECT_THREAD, THREAD_RIGHTS);
    if (status != NX_OK)
        thread_kill(thread);
    object_release(&thread->object);
    return status;
}

enum nx_status sys_thread_restart(struct thread *current, const uint64_t *arguments)
{
    struct handle_value value;
    TRY(handle_lookup(&current->process->handles, arguments[0], NX_OBJECT_THREAD, NX_RIGHT_MANAGE,
                      &value));
    struct thread *thread = CONTAINER_OF(value.object, struct thread, object);
    if (arguments[5] != 0 && !is_affinity(arguments[5]))
        return NX_ERR_INVALID_ARGUMENT;
    if (arguments[6] != NX_CLASS_COUNT && arguments[6] > (uint64_t)thread->process->highest_class)
        return NX_ERR_ACCESS_DENIED;
    const struct thread_beginning beginning = {
        .entry = vaddr(arguments[1]),
        .stack = arguments[2],
        .argument = arguments[3],
        .thread_pointer = arguments[4],
        .affinity = (uint32_t)arguments[5],
        .class = (uint8_t)arguments[6],
    };
    return thread_restart(thread, &beginning);
}

enum nx_status sys_thread_start(struct thread *current, const uint64_t *arguments)
{
    struct thread *thread;
    TRY(syscall_thread(current, arguments[0], NX_RIGHT_MANAGE, &thread));
    return thread_start(thread);
}

enum nx_status sys_thread_exit(struct thread *current, const uint64_t *arguments)
{
    (void)arguments;
    // kernel_leave ends this thread.
    atomic_fetch_or_explicit(&current->wait, THREAD_KILLED, memory_order_relaxed);
    return NX_OK;
}

// What has changed about the thread counts at once, wherever it runs. Also if it waits: a fast path
// that has seen the old value may be about to run it.
static void recheck(struct thread *current, struct thread *thread)
{
    if (thread == current)
        hart_self()->reschedule = true;
    else
        scheduler_recheck_others();
}

static enum nx_status set_affinity(struct thread *current, struct thread *thread, uint64_t mask)
{
    if (!is_affinity(mask))
        return NX_ERR_INVALID_ARGUMENT;
    // `direct` goes with the old mask; the next dispatch sets it anew.
    atomic_store_explicit(&thread->placement, (uint32_t)mask, memory_order_relaxed);
    recheck(current, thread);
    return NX_OK;
}

enum nx_status sys_thread_control(struct thread *current, const uint64_t *arguments)
{
    struct thread *thread;
    TRY(syscall_thread(current, arguments[0], NX_RIGHT_MANAGE, &thread));
    struct notification *notification;
    switch (arguments[1]) {
    case NX_THREAD_SET_AFFINITY:
        return set_affinity(current, thread, arguments[2]);
    case NX_THREAD_SET_CLASS:
        if (arguments[2] > (uint64_t)thread->process->highest_class)
            return NX_ERR_ACCESS_DENIED;
        thread_set_class(thread, (uint8_t)arguments[2]);
        recheck(current, thread);
        return NX_OK;
    case NX_THREAD_SET_EXIT:
        TRY(syscall_notification_or_none(current, arguments[2], NX_RIGHT_SIGNAL, &notification));
        return thread_bind_exit(thread, notification, arguments[3]);
    case NX_THREAD_KILL:
        thread_kill(thread);
        return NX_OK;
    default:
        return NX_ERR_INVALID_ARGUMENT;
    }
}

enum nx_status sys_thread_yield(struct thread *current, const uint64_t *arguments)
{
    struct hart *target = hart_self();
    if (arguments[0] != NX_HART_ANY) {
        if (arguments[0] >= hart_count())
            return NX_ERR_OUT_OF_RANGE;
        target = &harts[arguments[0]];
        if ((thread_affinity(current) & hart_bit(target)) == 0)
            return NX_ERR_ACCESS_DENIED;
        if ((hart_online_mask() & hart_bit(target)) == 0)
            return NX_ERR_BAD_STATE;
    }
    // Before the thread is given away, because it may run elsewhere at once.
    arch_set_status(current, NX_OK);
    scheduler_yield(target);
    return STATUS_SWITCHED;
}
