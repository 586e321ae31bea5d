// SPDX-License-Identifier: Apache-2.0
// The rare end of a fast path, compiled like other code: see fastpath.h.
#include "arch_inline.h"
#include "core/entry.h"
#include "core/hart.h"
#include "ipc/fastpath.h"
#include "ipc/notification.h"
#include "sched/scheduler.h"
#include "sched/thread.h"

struct thread *fastpath_end(const struct fastpath_switch *end)
{
    struct hart *hart = hart_self();
    if (end->bound != NULL)
        notification_wake_bound(end->bound);
    end->next->caller_wait &= ~THREAD_KILLED;
    thread_recheck_kill(end->current, end->wait);
    scheduler_dispatch(hart, end->current, end->next);
    return kernel_leave(hart);
}
