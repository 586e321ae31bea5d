// SPDX-License-Identifier: Apache-2.0
// System calls on endpoints and notifications.
#include "ipc/endpoint.h"
#include "ipc/notification.h"

#include "arch/arch.h"
#include "arch_inline.h"
#include "nexus/message.h"
#include "object/process.h"
#include "sched/thread.h"
#include "sched/timer.h"
#include "syscall/syscall.h"

#define ENDPOINT_RIGHTS                                                                            \
    (NX_RIGHT_DUPLICATE | NX_RIGHT_TRANSFER | NX_RIGHT_CALL | NX_RIGHT_RECEIVE | NX_RIGHT_MANAGE)
#define NOTIFICATION_RIGHTS                                                                        \
    (NX_RIGHT_DUPLICATE | NX_RIGHT_TRANSFER | NX_RIGHT_SIGNAL | NX_RIGHT_WAIT)

static enum nx_status find_endpoint(struct thread *current, uint64_t handle, uint32_t right,
                                    struct endpoint **endpoint, uint64_t *badge)
{
    struct handle_value value;
    TRY(handle_lookup(&current->process->handles, handle, NX_OBJECT_ENDPOINT, right, &value));
    *endpoint = CONTAINER_OF(value.object, struct endpoint, object);
    *badge = value.badge;
    return NX_OK;
}

// The info word without the system call number and without what only the kernel may say.
static uint64_t info_of(const uint64_t *arguments)
{
    return arguments[7] & ~(NX_INFO_NUMBER_MASK | NX_INFO_NOTIFICATION | NX_INFO_FAULT);
}

// The status of a receive; with an error, the info word says that there is no message.
static enum nx_status without_message(struct thread *current, enum nx_status status)
{
    if (status != NX_OK && status != STATUS_SWITCHED)
        arch_set_info(current, 0);
    return status;
}

enum nx_status sys_call(struct thread *current, const uint64_t *arguments)
{
    struct endpoint *endpoint;
    uint64_t badge;
    TRY(find_endpoint(current, arguments[0], NX_RIGHT_CALL, &endpoint, &badge));
    return endpoint_call(endpoint, badge, info_of(arguments), &arguments[1]);
}

enum nx_status sys_receive(struct thread *current, const uint64_t *arguments)
{
    struct endpoint *endpoint;
    uint64_t badge;
    enum nx_status status =
        find_endpoint(current, arguments[0], NX_RIGHT_RECEIVE, &endpoint, &badge);
    if (status == NX_OK && (arguments[2] & ~NX_RECEIVE_KEEP) != 0)
        status = NX_ERR_INVALID_ARGUMENT;
    if (status == NX_OK)
        status = endpoint_receive(endpoint, arguments[1], arguments[2] != 0);
    return without_message(current, status);
}

enum nx_status sys_reply(struct thread *current, const uint64_t *arguments)
{
    if (arguments[0] == NX_HANDLE_NONE)
        return endpoint_reply(info_of(arguments), &arguments[1]);
    struct handle_value value;
    enum nx_status status = handle_lookup(&current->process->handles, arguments[0], NX_OBJECT_REPLY,
                                          NX_RIGHT_CALL, &value);
    if (status != NX_OK)
        return status;
    status = reply_through_handle(value.object, value.badge, info_of(arguments), &arguments[1]);
    if (status != NX_OK && status != NX_ERR_PEER_CLOSED) {
        // Closed by another thread while the answer was tried: then nobody can answer any more.
        struct handle_value again;
        if (handle_lookup_any(&current->process->handles, arguments[0], &again) != NX_OK)
            reply_abandon(value.object, value.badge);
        return status;
    }
    // Used up, or useless because the caller is gone. Another thread may have closed it meanwhile.
    enum nx_status closed = handle_close(current->process, arguments[0]);
    return status != NX_OK ? status : closed;
}

enum nx_status sys_reply_receive(struct thread *current, const uint64_t *arguments)
{
    struct endpoint *endpoint;
    uint64_t badge;
    TRY(find_endpoint(current, arguments[0], NX_RIGHT_RECEIVE, &endpoint, &badge));
    return without_message(current,
                           endpoint_reply_receive(endpoint, info_of(arguments), &arguments[1]));
}

enum nx_status sys_reply_save(struct thread *current, const uint64_t *arguments)
{
    (void)arguments;
    nx_handle handle;
    enum nx_status status = reply_save(&handle);
    if (status == NX_OK)
        arch_set_result(current, 0, handle);
    return status;
}

enum nx_status sys_endpoint_create(struct thread *current, const uint64_t *arguments)
{
    (void)arguments;
    struct endpoint *endpoint;
    TRY(endpoint_create(current->process, &endpoint));
    return syscall_return_new(current, &endpoint->object, NX_OBJECT_ENDPOINT, ENDPOINT_RIGHTS);
}

enum nx_status sys_notification_create(struct thread *current, const uint64_t *arguments)
{
    (void)arguments;
    struct notification *notification;
    TRY(notification_create(current->process, &notification));
    return syscall_return_new(current, &notification->object, NX_OBJECT_NOTIFICATION,
                              NOTIFICATION_RIGHTS);
}

enum nx_status sys_notification_signal(struct thread *current, const uint64_t *arguments)
{
    struct notification *notification;
    TRY(syscall_notification(current, arguments[0], NX_RIGHT_SIGNAL, &notification));
    if (arguments[1] == 0)
        return NX_ERR_INVALID_ARGUMENT;
    notification_signal(notification, arguments[1]);
    return NX_OK;
}

enum nx_status sys_notification_wait(struct thread *current, const uint64_t *arguments)
{
    struct notification *notification;
    TRY(syscall_notification_or_none(current, arguments[0], NX_RIGHT_WAIT, &notification));
    // Whom this wakes on this hart runs once the caller waits, not before.
    if (arguments[2] != NX_HANDLE_NONE)
        TRY(sys_notification_signal(current, &arguments[2]));
    return notification_wait(notification, timer_deadline(arguments[1]));
}

enum nx_status sys_notification_bind(struct thread *current, const uint64_t *arguments)
{
    struct notification *notification;
    TRY(syscall_notification_or_none(current, arguments[0], NX_RIGHT_WAIT, &notification));
    return notification_bind_thread(notification, current);
}
