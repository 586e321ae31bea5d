// SPDX-License-Identifier: Apache-2.0
// System calls: the handler type, what handlers share, and their list.
//
// A handler checks all arguments first and then acts. It returns the status for a0 and sets results
// with arch_set_result; STATUS_SWITCHED means that the frame already holds or will hold them.
// arguments[0..6] are a0..a6; arguments[7] is a7, whose upper bits are a message's info word.
// nexus/syscall.h lists arguments and results, docs/abi.md the errors.
#ifndef NEURON_SYSCALL_H
#define NEURON_SYSCALL_H

#include "core/types.h"
#include "nexus/syscall.h"
#include "object/handle_table.h"

struct notification;
struct process;
struct thread;

#define SYSCALL_ARGUMENTS 8u

typedef enum nx_status (*syscall_handler)(struct thread *current, const uint64_t *arguments);

// The process that a call means: a handle with `rights`, or 0 for the caller's own.
NX_MUST_CHECK enum nx_status syscall_process(struct thread *current, uint64_t handle,
                                             uint32_t rights, struct process **process);
// The same for a thread.
NX_MUST_CHECK enum nx_status syscall_thread(struct thread *current, uint64_t handle,
                                            uint32_t rights, struct thread **thread);

NX_MUST_CHECK enum nx_status syscall_notification(struct thread *current, uint64_t handle,
                                                  uint32_t right,
                                                  struct notification **notification);
// The same, or NULL for no handle.
NX_MUST_CHECK enum nx_status syscall_notification_or_none(struct thread *current, uint64_t handle,
                                                          uint32_t right,
                                                          struct notification **notification);
// For objects that are only a right: the machine, the log.
NX_MUST_CHECK enum nx_status syscall_check(struct thread *current, uint64_t handle,
                                           enum nx_object_type type, uint32_t right);

// Gives a newly created object, whose creation reference it consumes, to the caller as result a1.
NX_MUST_CHECK enum nx_status syscall_return_new(struct thread *current, struct object *object,
                                                enum nx_object_type type, uint32_t rights);

// Whether a long call should stop here and run again (arch_restart_syscall).
bool syscall_should_pause(void);

// Every system call: number and handler.
#define SYSCALL_HANDLERS(ROW)                                                                      \
    ROW(NX_SYS_NULL, sys_null)                                                                     \
    ROW(NX_SYS_CALL, sys_call)                                                                     \
    ROW(NX_SYS_RECEIVE, sys_receive)                                                               \
    ROW(NX_SYS_REPLY, sys_reply)                                                                   \
    ROW(NX_SYS_REPLY_RECEIVE, sys_reply_receive)                                                   \
    ROW(NX_SYS_REPLY_SAVE, sys_reply_save)                                                         \
    ROW(NX_SYS_ENDPOINT_CREATE, sys_endpoint_create)                                               \
    ROW(NX_SYS_NOTIFICATION_CREATE, sys_notification_create)                                       \
    ROW(NX_SYS_NOTIFICATION_SIGNAL, sys_notification_signal)                                       \
    ROW(NX_SYS_NOTIFICATION_WAIT, sys_notification_wait)                                           \
    ROW(NX_SYS_NOTIFICATION_BIND, sys_notification_bind)                                           \
    ROW(NX_SYS_HANDLE_CLOSE, sys_handle_close)                                                     \
    ROW(NX_SYS_HANDLE_DUPLICATE, sys_handle_duplicate)                                             \
    ROW(NX_SYS_HANDLE_GRANT, sys_handle_grant)                                                     \
    ROW(NX_SYS_HANDLE_INFO, sys_handle_info)                                                       \
    ROW(NX_SYS_MEMORY_CREATE, sys_memory_create)                                                   \
    ROW(NX_SYS_MEMORY_COMMIT, sys_memory_commit)                                                   \
    ROW(NX_SYS_MEMORY_MAP, sys_memory_map)                                                         \
    ROW(NX_SYS_MEMORY_UNMAP, sys_memory_unmap)                                                     \
    ROW(NX_SYS_MEMORY_PHYSICAL, sys_memory_physical)                                               \
    ROW(NX_SYS_MEMORY_DEVICE_CREATE, sys_memory_device_create)                                     \
    ROW(NX_SYS_MEMORY_INFO, sys_memory_info)                                                       \
    ROW(NX_SYS_PROCESS_CREATE, sys_process_create)                                                 \
    ROW(NX_SYS_PROCESS_KILL, sys_process_kill)                                                     \
    ROW(NX_SYS_PROCESS_INFO, sys_process_info)                                                     \
    ROW(NX_SYS_PROCESS_BIND, sys_process_bind)                                                     \
    ROW(NX_SYS_PROCESS_EXIT, sys_process_exit)                                                     \
    ROW(NX_SYS_THREAD_CREATE, sys_thread_create)                                                   \
    ROW(NX_SYS_THREAD_START, sys_thread_start)                                                     \
    ROW(NX_SYS_THREAD_EXIT, sys_thread_exit)                                                       \
    ROW(NX_SYS_THREAD_CONTROL, sys_thread_control)                                                 \
    ROW(NX_SYS_THREAD_YIELD, sys_thread_yield)                                                     \
    ROW(NX_SYS_INTERRUPT_CREATE, sys_interrupt_create)                                             \
    ROW(NX_SYS_INTERRUPT_BIND, sys_interrupt_bind)                                                 \
    ROW(NX_SYS_INTERRUPT_ACK, sys_interrupt_ack)                                                   \
    ROW(NX_SYS_HART_CONTROL, sys_hart_control)                                                     \
    ROW(NX_SYS_SYSTEM_RESET, sys_system_reset)                                                     \
    ROW(NX_SYS_SYSTEM_INFO, sys_system_info)                                                       \
    ROW(NX_SYS_LOG_WRITE, sys_log_write)                                                           \
    ROW(NX_SYS_LOG_READ, sys_log_read)                                                             \
    ROW(NX_SYS_LOG_BIND, sys_log_bind)                                                             \
    ROW(NX_SYS_MEMORY_POPULATE, sys_memory_populate)                                               \
    ROW(NX_SYS_THREAD_RESTART, sys_thread_restart)

#define HANDLER_DECLARATION(number, handler)                                                       \
    enum nx_status handler(struct thread *current, const uint64_t *arguments);
SYSCALL_HANDLERS(HANDLER_DECLARATION)

#endif
