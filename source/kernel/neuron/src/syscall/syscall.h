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

// Gives a newly created object, whose creation reference it consumes, to the caller as result a1.
NX_MUST_CHECK enum nx_status syscall_return_new(struct thread *current, struct object *object,
                                                enum nx_object_type type, uint32_t rights);

// Whether a long call should stop here and run again (arch_restart_syscall).
bool syscall_should_pause(void);

enum nx_status sys_call(struct thread *current, const uint64_t *arguments);
enum nx_status sys_receive(struct thread *current, const uint64_t *arguments);
enum nx_status sys_reply(struct thread *current, const uint64_t *arguments);
enum nx_status sys_reply_receive(struct thread *current, const uint64_t *arguments);
enum nx_status sys_reply_save(struct thread *current, const uint64_t *arguments);
enum nx_status sys_endpoint_create(struct thread *current, const uint64_t *arguments);
enum nx_status sys_notification_create(struct thread *current, const uint64_t *arguments);
enum nx_status sys_notification_signal(struct thread *current, const uint64_t *arguments);
enum nx_status sys_notification_wait(struct thread *current, const uint64_t *arguments);
enum nx_status sys_notification_bind(struct thread *current, const uint64_t *arguments);
enum nx_status sys_handle_close(struct thread *current, const uint64_t *arguments);
enum nx_status sys_handle_duplicate(struct thread *current, const uint64_t *arguments);
enum nx_status sys_handle_grant(struct thread *current, const uint64_t *arguments);
enum nx_status sys_handle_info(struct thread *current, const uint64_t *arguments);
enum nx_status sys_memory_create(struct thread *current, const uint64_t *arguments);
enum nx_status sys_memory_commit(struct thread *current, const uint64_t *arguments);
enum nx_status sys_memory_map(struct thread *current, const uint64_t *arguments);
enum nx_status sys_memory_populate(struct thread *current, const uint64_t *arguments);
enum nx_status sys_memory_unmap(struct thread *current, const uint64_t *arguments);
enum nx_status sys_memory_physical(struct thread *current, const uint64_t *arguments);
enum nx_status sys_memory_device_create(struct thread *current, const uint64_t *arguments);
enum nx_status sys_memory_info(struct thread *current, const uint64_t *arguments);
enum nx_status sys_process_create(struct thread *current, const uint64_t *arguments);
enum nx_status sys_process_kill(struct thread *current, const uint64_t *arguments);
enum nx_status sys_process_info(struct thread *current, const uint64_t *arguments);
enum nx_status sys_process_bind(struct thread *current, const uint64_t *arguments);
enum nx_status sys_process_exit(struct thread *current, const uint64_t *arguments);
enum nx_status sys_thread_create(struct thread *current, const uint64_t *arguments);
enum nx_status sys_thread_start(struct thread *current, const uint64_t *arguments);
enum nx_status sys_thread_restart(struct thread *current, const uint64_t *arguments);
enum nx_status sys_thread_exit(struct thread *current, const uint64_t *arguments);
enum nx_status sys_thread_control(struct thread *current, const uint64_t *arguments);
enum nx_status sys_thread_yield(struct thread *current, const uint64_t *arguments);
enum nx_status sys_interrupt_create(struct thread *current, const uint64_t *arguments);
enum nx_status sys_interrupt_bind(struct thread *current, const uint64_t *arguments);
enum nx_status sys_interrupt_ack(struct thread *current, const uint64_t *arguments);
enum nx_status sys_hart_control(struct thread *current, const uint64_t *arguments);
enum nx_status sys_system_reset(struct thread *current, const uint64_t *arguments);
enum nx_status sys_system_info(struct thread *current, const uint64_t *arguments);
enum nx_status sys_log_write(struct thread *current, const uint64_t *arguments);
enum nx_status sys_log_read(struct thread *current, const uint64_t *arguments);
enum nx_status sys_log_bind(struct thread *current, const uint64_t *arguments);

#endif
