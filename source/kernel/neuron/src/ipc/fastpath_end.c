// SPDX-License-Identifier: Apache-2.0
// What fast paths need of code that uses all registers: see fastpath.h.
#include "arch_inline.h"
#include "core/entry.h"
#include "core/hart.h"
#include "ipc/fastpath.h"
#include "ipc/notification.h"
#include "ipc/transfer.h"
#include "sched/scheduler.h"
#include "sched/thread.h"

enum nx_status fastpath_transfer(struct fastpath_handles *handles)
{
    handles->status = transfer_handles(handles->sender, handles->receiver, handles->count);
    return handles->status;
}

struct thread *fastpath_abort(const struct fastpath_handles *handles)
{
    // What it waits for besides may have come meanwhile.
    arch_set_status(handles->receiver, NX_ERR_CANCELLED);
    arch_set_info(handles->receiver, 0);
    scheduler_make_ready(handles->receiver);
    arch_set_status(handles->sender, handles->status);
    return kernel_leave(hart_self());
}

struct thread *fastpath_end(const struct fastpath_switch *end)
{
    struct hart *hart = hart_self();
    if (end->bound != NULL)
        notification_wake_bound(end->bound);
    end->next->caller_wait &= ~THREAD_KILLED;
    thread_recheck_kill(end->current, end->wait);
    if (end->direct) {
        scheduler_dispatch(hart, end->current, end->next);
        hart->reschedule = true; // who was woken here may be more urgent than `next`
    } else {
        scheduler_leave_to(hart, end->next);
    }
    return kernel_leave(hart);
}
