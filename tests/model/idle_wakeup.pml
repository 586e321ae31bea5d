// SPDX-License-Identifier: Apache-2.0
// Three harts push threads to each other's run queues, tell idle ones by IPI, and sleep when they
// find nothing: no hart sleeps beside a thread in its queue or in its slot. sched/scheduler.h and
// core/hart.h say why.
//
// Each statement is one step that the others see whole, in program order: what the kernel's fences
// give it. The mutants are the orders that a missing fence, or a careless edit, would give.
//   MUTANT_LOOK_BEFORE_ANNOUNCE   the idle hart looks at its queue before it says that it is idle
//   MUTANT_ASK_BEFORE_PUSH        the pusher reads running_class before its push is visible
//   MUTANT_CLEAR_AFTER_EXCHANGE   the receiver clears SSIP after it has taken the mailbox
//   MUTANT_SLOT_SILENT            who has filled a slot leaves it to the idle hart to look there

#define HARTS  3
#define PUSHES 1 // by each hart, and one more by the first

byte queue[HARTS];     // length of the run queue
bool arrival[HARTS];   // a thread in the slot that idle harts are sent one by
bool idle[HARTS];      // running_class == -1, and the bit in scheduler_idle_harts
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
    // send_home: the look at who idles is a hint, the slot is filled by compare-and-swap.
    filled = false;
    if
    :: idle[target] -> d_step { filled = !arrival[target]; arrival[target] = true }
    :: else
    fi;
    if
    :: filled ->
#ifdef MUTANT_SLOT_SILENT
        was_idle = false;
#else
        was_idle = true;
#endif
    :: else ->
#ifdef MUTANT_ASK_BEFORE_PUSH
    was_idle = idle[target];
    queue[target]++;
#else
    queue[target]++;
    was_idle = idle[target];
#endif
    fi;
    if
    :: was_idle -> send_ipi(target)
    :: else
    fi
}

// next_thread: the slot first, then the queue, under its lock.
inline take()
{
    d_step { found = arrival[me]; arrival[me] = false };
    if
    :: !found -> d_step { found = queue[me] > 0; queue[me] = (found -> queue[me] - 1 : 0) }
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
    bool filled;
    bool found;

running:
    do
    :: left > 0 -> left--; push_to_another()
    :: interrupt[me] -> dispatch_ipi();
       // scheduler_preempt: what arrived for an idle hart joins the queue of one that runs.
       d_step { queue[me] = queue[me] + (arrival[me] -> 1 : 0); arrival[me] = false }
    :: break // the thread blocks or ends
    od;
look:
    skip;
#ifdef MUTANT_LOOK_BEFORE_ANNOUNCE
    take();
    idle[me] = !found;
#else
    idle[me] = true;
    take();
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
    assert(queue[0] == 0 && queue[1] == 0 && queue[2] == 0);
    assert(!arrival[0] && !arrival[1] && !arrival[2])
}
