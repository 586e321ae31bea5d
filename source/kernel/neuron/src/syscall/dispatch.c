// SPDX-License-Identifier: Apache-2.0
// The system call table, and what handlers share.
#include "arch/arch.h"
#include "arch_inline.h"
#include "core/entry.h"
#include "core/hart.h"
#include "object/process.h"
#include "sched/thread.h"
#include "syscall/syscall.h"

static enum nx_status sys_null(struct thread *current, const uint64_t *arguments)
{
    (void)current;
    (void)arguments;
    return NX_OK;
}

static const syscall_handler handlers[NX_SYSCALL_COUNT] = {
    [NX_SYS_NULL] = sys_null,
    [NX_SYS_CALL] = sys_call,
    [NX_SYS_RECEIVE] = sys_receive,
    [NX_SYS_REPLY] = sys_reply,
    [NX_SYS_REPLY_RECEIVE] = sys_reply_receive,
    [NX_SYS_REPLY_SAVE] = sys_reply_save,
    [NX_SYS_ENDPOINT_CREATE] = sys_endpoint_create,
    [NX_SYS_NOTIFICATION_CREATE] = sys_notification_create,
    [NX_SYS_NOTIFICATION_SIGNAL] = sys_notification_signal,
    [NX_SYS_NOTIFICATION_WAIT] = sys_notification_wait,
    [NX_SYS_NOTIFICATION_BIND] = sys_notification_bind,
    [NX_SYS_HANDLE_CLOSE] = sys_handle_close,
    [NX_SYS_HANDLE_DUPLICATE] = sys_handle_duplicate,
    [NX_SYS_HANDLE_GRANT] = sys_handle_grant,
    [NX_SYS_HANDLE_INFO] = sys_handle_info,
    [NX_SYS_MEMORY_CREATE] = sys_memory_create,
    [NX_SYS_MEMORY_COMMIT] = sys_memory_commit,
    [NX_SYS_MEMORY_MAP] = sys_memory_map,
    [NX_SYS_MEMORY_UNMAP] = sys_memory_unmap,
    [NX_SYS_MEMORY_PHYSICAL] = sys_memory_physical,
    [NX_SYS_MEMORY_DEVICE_CREATE] = sys_memory_device_create,
    [NX_SYS_MEMORY_INFO] = sys_memory_info,
    [NX_SYS_PROCESS_CREATE] = sys_process_create,
    [NX_SYS_PROCESS_KILL] = sys_process_kill,
    [NX_SYS_PROCESS_INFO] = sys_process_info,
    [NX_SYS_PROCESS_BIND] = sys_process_bind,
    [NX_SYS_PROCESS_EXIT] = sys_process_exit,
    [NX_SYS_THREAD_CREATE] = sys_thread_create,
    [NX_SYS_THREAD_START] = sys_thread_start,
    [NX_SYS_THREAD_EXIT] = sys_thread_exit,
    [NX_SYS_THREAD_CONTROL] = sys_thread_control,
    [NX_SYS_THREAD_YIELD] = sys_thread_yield,
    [NX_SYS_INTERRUPT_CREATE] = sys_interrupt_create,
    [NX_SYS_INTERRUPT_BIND] = sys_interrupt_bind,
    [NX_SYS_INTERRUPT_ACK] = sys_interrupt_ack,
    [NX_SYS_HART_CONTROL] = sys_hart_control,
    [NX_SYS_SYSTEM_RESET] = sys_system_reset,
    [NX_SYS_SYSTEM_INFO] = sys_system_info,
    [NX_SYS_LOG_WRITE] = sys_log_write,
    [NX_SYS_LOG_READ] = sys_log_read,
    [NX_SYS_LOG_BIND] = sys_log_bind,
    [NX_SYS_MEMORY_POPULATE] = sys_memory_populate,
    [NX_SYS_THREAD_RESTART] = sys_thread_restart,
};

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
    enum nx_status status =
        handle_lookup(&current->process->handles, handle, NX_OBJECT_PROCESS, rights, &value);
    if (status == NX_OK)
        *process = CONTAINER_OF(value.object, struct process, object);
    return status;
}

enum nx_status syscall_thread(struct thread *current, uint64_t handle, uint32_t rights,
                              struct thread **thread)
{
    if (handle == NX_HANDLE_NONE) {
        *thread = current;
        return NX_OK;
    }
    struct handle_value value;
    enum nx_status status =
        handle_lookup(&current->process->handles, handle, NX_OBJECT_THREAD, rights, &value);
    if (status == NX_OK)
        *thread = CONTAINER_OF(value.object, struct thread, object);
    return status;
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

bool syscall_should_pause(void)
{
    return arch_interrupts_pending() != 0 || hart_self()->reschedule;
}
