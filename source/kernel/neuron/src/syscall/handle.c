// SPDX-License-Identifier: Apache-2.0
// System calls on handles.
#include "arch/arch.h"
#include "arch_inline.h"
#include "object/process.h"
#include "object/reclaim.h"
#include "sched/thread.h"
#include "syscall/syscall.h"

enum nx_status sys_handle_close(struct thread *current, const uint64_t *arguments)
{
    enum nx_status status = handle_close(current->process, arguments[0]);
    reclaim_help();
    return status;
}

enum nx_status sys_handle_duplicate(struct thread *current, const uint64_t *arguments)
{
    struct handle_value value;
    TRY(handle_lookup_any(&current->process->handles, arguments[0], &value));
    if ((value.rights & NX_RIGHT_DUPLICATE) == 0)
        return NX_ERR_ACCESS_DENIED;
    if (arguments[2] != 0) {
        // A badge is given once, by a holder who may hand out identities.
        if (value.type != NX_OBJECT_ENDPOINT)
            return NX_ERR_WRONG_TYPE;
        if ((value.rights & NX_RIGHT_MANAGE) == 0 || value.badge != 0)
            return NX_ERR_ACCESS_DENIED;
        value.badge = arguments[2];
    }
    value.rights &= (uint32_t)arguments[1];
    nx_handle handle;
    enum nx_status status = handle_install(current->process, &value, &handle);
    if (status == NX_OK)
        arch_set_result(current, 0, handle);
    return status;
}

enum nx_status sys_handle_grant(struct thread *current, const uint64_t *arguments)
{
    struct process *process;
    TRY(syscall_process(current, arguments[0], NX_RIGHT_MANAGE, &process));
    struct handle_value value;
    TRY(handle_lookup_any(&current->process->handles, arguments[1], &value));
    uint32_t needed = process == current->process ? NX_RIGHT_DUPLICATE : NX_RIGHT_TRANSFER;
    if ((value.rights & needed) == 0)
        return NX_ERR_ACCESS_DENIED;
    value.rights &= (uint32_t)arguments[2];
    nx_handle handle;
    enum nx_status status = handle_install(process, &value, &handle);
    if (status == NX_OK)
        arch_set_result(current, 0, handle);
    return status;
}

enum nx_status sys_handle_info(struct thread *current, const uint64_t *arguments)
{
    struct handle_value value;
    TRY(handle_lookup_any(&current->process->handles, arguments[0], &value));
    arch_set_result(current, 0, (uint64_t)value.type);
    arch_set_result(current, 1, value.rights);
    return NX_OK;
}
