// SPDX-License-Identifier: Apache-2.0
// The system call table, and what handlers share.
#include "arch/arch.h"
#include "arch_inline.h"
#include "core/entry.h"
#include "core/hart.h"
#include "ipc/notification.h"
#include "object/process.h"
#include "sched/thread.h"
#include "syscall/syscall.h"

enum nx_status sys_null(struct thread *current, const uint64_t *arguments)
{
    (void)current;
    (void)arguments;
    return NX_OK;
}

#define HANDLER_ROW(number, handler) [number] = (handler),
static const syscall_handler handlers[NX_SYSCALL_COUNT] = {SYSCALL_HANDLERS(HANDLER_ROW)};

struct thread *kernel_syscall(uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4,
                              uint64_t a5, uint64_t a6, uint64_t a7)
{
    struct hart *hart = hart_self();
    struct thread *current = hart->current;
    const uint64_t arguments[SYSCALL_ARGUMENTS] = {a0, a1, a2, a3, a4, a5, a6, a7};
    uint64_t number = a7 & NX_INFO_NUMBER_MASK;
    enum nx_status status = NX_ERR_BAD_SYSCALL;
    if (number < NX_SYSCALL_COUNT)
        status = handlers[number](current, arguments);
    if (status != STATUS_SWITCHED)
        arch_set_status(current, status);
    return kernel_leave(hart);
}

enum nx_status kernel_light_syscall(uint64_t a0, uint64_t number)
{
    if (number == NX_SYS_NULL)
        return NX_OK;
    const uint64_t arguments[SYSCALL_ARGUMENTS] = {a0};
    return sys_interrupt_ack(hart_self()->current, arguments);
}

enum nx_status syscall_process(struct thread *current, uint64_t handle, uint32_t rights,
                               struct process **process)
{
    if (handle == NX_HANDLE_NONE) {
        *process = current->process;
        return NX_OK;
    }
    struct handle_value value;
    TRY(handle_lookup(&current->process->handles, handle, NX_OBJECT_PROCESS, rights, &value));
    *process = CONTAINER_OF(value.object, struct process, object);
    return NX_OK;
}

enum nx_status syscall_thread(struct thread *current, uint64_t handle, uint32_t rights,
                              struct thread **thread)
{
    if (handle == NX_HANDLE_NONE) {
        *thread = current;
        return NX_OK;
    }
    struct handle_value value;
    TRY(handle_lookup(&current->process->handles, handle, NX_OBJECT_THREAD, rights, &value));
    *thread = CONTAINER_OF(value.object, struct thread, object);
    return NX_OK;
}

enum nx_status syscall_return_new(struct thread *current, struct object *object,
                                  enum nx_object_type type, uint32_t rights)
{
    struct handle_value value = {.object = object, .type = type, .rights = rights};
    nx_handle handle = NX_HANDLE_NONE;
    enum nx_status status = handle_install(current->process, &value, &handle);
    object_release(object);
    if (status == NX_OK)
        arch_set_result(current, 0, handle);
    return status;
}

enum nx_status syscall_notification(struct thread *current, uint64_t handle, uint32_t right,
                                    struct notification **notification)
{
    struct handle_value value;
    TRY(handle_lookup(&current->process->handles, handle, NX_OBJECT_NOTIFICATION, right, &value));
    *notification = CONTAINER_OF(value.object, struct notification, object);
    return NX_OK;
}

enum nx_status syscall_notification_or_none(struct thread *current, uint64_t handle, uint32_t right,
                                            struct notification **notification)
{
    *notification = NULL;
    return handle != NX_HANDLE_NONE ? syscall_notification(current, handle, right, notification)
                                    : NX_OK;
}

enum nx_status syscall_check(struct thread *current, uint64_t handle, enum nx_object_type type,
                             uint32_t right)
{
    struct handle_value value;
    return handle_lookup(&current->process->handles, handle, type, right, &value);
}

bool syscall_should_pause(void)
{
    return arch_interrupts_pending() != 0 || hart_self()->reschedule;
}
