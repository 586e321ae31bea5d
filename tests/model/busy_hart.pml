// SPDX-License-Identifier: Apache-2.0
// A hart runs a thread that never blocks, and stops its tick when nobody shares the hart, while two
// others push threads of the same class, or a more urgent one, to it: none waits beside the running
// one for ever. sched/scheduler.h, stop_tick and notify_hart say why.
//
// Bounds: two pushes by each of the others.
//   MUTANT_TICK_ENDS_LAST   the hart does not look at its queue again after it has stopped its tick
//   MUTANT_ASK_BEFORE_PUSH  the pusher reads what runs and whether it ticks before its push is visible

#define PUSHERS 2
#define PUSHES 2

#define NORMAL 0
#define URGENT 1

byte queue[2];          // length of the run queue, by class
byte running = URGENT;  // running_class
bool tick = true;       // tick_deadline is not ARCH_TIMER_NEVER
bool mailbox;           // ipi_pending has IPI_RESCHEDULE
bool interrupt;         // SSIP

#define HAS_QUEUED (queue[NORMAL] + queue[URGENT] > 0)

// The hart. Its threads become less urgent at some point (thread_set_class), and the queued ones
// end when they have had their turn.
active proctype hart()
{
    byte class = URGENT;
    bool slice_over;
    bool more;
#ifdef MUTANT_TICK_ENDS_LAST
    bool ends;
#endif

end_user:
    if
    :: interrupt -> interrupt = false; mailbox = false // hart_dispatch_ipi
    :: class == URGENT -> class = NORMAL; goto preempt
    :: tick -> // scheduler_timer_interrupt
       slice_over = true;
       if
       :: HAS_QUEUED
       :: else -> // stop_tick
#ifdef MUTANT_TICK_ENDS_LAST
          ends = true
#else
          tick = false; // and a fence
          if
          :: HAS_QUEUED -> tick = true
          :: else
          fi
#endif
       fi
    fi;
preempt: // scheduler_preempt
    running = class; // and a fence
    more = queue[URGENT] > 0;
    if
    :: HAS_QUEUED -> tick = true // timer_start_tick
    :: else
    fi;
    if
    :: more && class == NORMAL -> queue[URGENT]--
    :: slice_over && queue[URGENT] > 0 -> queue[URGENT]--
    :: slice_over && class == NORMAL && queue[NORMAL] > 0 -> queue[NORMAL]--
    :: else
    fi;
#ifdef MUTANT_TICK_ENDS_LAST
    if
    :: ends -> tick = false; ends = false
    :: else
    fi;
#endif
    d_step { slice_over = false; more = false };
    goto end_user
}

active [PUSHERS] proctype pusher()
{
    byte left = PUSHES;
    byte class;
    bool looks_late;
    bool before;

    do
    :: left > 0 ->
       left--;
       if
       :: class = NORMAL
       :: class = URGENT
       fi;
       // push_to, notify_hart
#ifdef MUTANT_ASK_BEFORE_PUSH
       looks_late = class <= running;
       looks_late = looks_late && tick;
       queue[class]++;
#else
       queue[class]++; // and a fence
       looks_late = class <= running;
       looks_late = looks_late && tick;
#endif
       if
       :: looks_late
       :: else ->
          d_step { before = mailbox; mailbox = true };
          if
          :: !before -> interrupt = true
          :: else
          fi
       fi
    :: left == 0 -> break
    od
}

// When nobody moves any more, nothing is left to run.
active proctype judge()
{
    timeout;
    assert(queue[NORMAL] == 0 && queue[URGENT] == 0)
}
