// SPDX-License-Identifier: Apache-2.0
// Three harts push threads to each other's run queues, tell idle ones by IPI, and sleep when they find
// nothing: no hart sleeps beside a thread in its queue. sched/scheduler.h and core/hart.h say why.
//
// Each statement is one step that the others see whole, in program order: what the kernel's fences give
// it. The mutants are the orders that a missing fence, or a careless edit, would give.
//   MUTANT_LOOK_BEFORE_ANNOUNCE   the idle hart looks at its queue before it says that it is idle
//   MUTANT_ASK_BEFORE_PUSH        the pusher reads running_class before its push is visible
//   MUTANT_CLEAR_AFTER_EXCHANGE   the receiver clears SSIP after it has taken the mailbox

#define HARTS  3
#define PUSHES 1 // by each hart, and one more by the first

byte queue[HARTS];     // length of the run queue
bool idle[HARTS];      // running_class == -1
bool mailbox[HARTS];   // ipi_pending has IPI_RESCHEDULE
bool interrupt[HARTS]; // SSIP

inline send_ipi(target)
{
    // atomic_fetch_or: only who finds the bit clear raises the interrupt.
    d_step { before = mailbox[target]; mailbox[target] = true };
    if
    :: !before -> interrupt[target] = true
    :: else
    fi
}

inline dispatch_ipi()
{
#ifdef MUTANT_CLEAR_AFTER_EXCHANGE
    mailbox[me] = false;
    interrupt[me] = false
#else
    interrupt[me] = false; // arch_ipi_clear, and its fence
    mailbox[me] = false    // atomic_exchange: the queue is looked at afterwards
#endif
}

inline push_to_another()
{
    if
    :: target = (me + 1) % HARTS
    :: target = (me + 2) % HARTS
    fi;
#ifdef MUTANT_ASK_BEFORE_PUSH
    was_idle = idle[target];
    queue[target]++;
#else
    queue[target]++;
    was_idle = idle[target];
#endif
    if
    :: was_idle -> send_ipi(target)
    :: else
    fi
}

active [HARTS] proctype hart()
{
    byte me = _pid;
    byte target;
    byte left = PUSHES + (_pid == 0 -> 1 : 0);
    bool before;
    bool was_idle;
    bool found;

running:
    do
    :: left > 0 -> left--; push_to_another()
    :: interrupt[me] -> dispatch_ipi()
    :: break // the thread blocks or ends
    od;
look:
    skip;
#ifdef MUTANT_LOOK_BEFORE_ANNOUNCE
    d_step { found = queue[me] > 0; queue[me] = (found -> queue[me] - 1 : 0) };
    idle[me] = !found;
#else
    idle[me] = true;
    d_step { found = queue[me] > 0; queue[me] = (found -> queue[me] - 1 : 0) };
#endif
    if
    :: found -> idle[me] = false; goto running
    :: else
    fi;
end_sleep: // wfi: returns when a software interrupt pends
    interrupt[me];
    dispatch_ipi();
    goto look
}

// When every hart sleeps for good, nothing is left to run.
active proctype judge()
{
    timeout;
    assert(queue[0] == 0 && queue[1] == 0 && queue[2] == 0)
}
