// SPDX-License-Identifier: Apache-2.0
// One hart leaves and is started again while two others send it threads and ask it for fences. No
// thread stays behind, the firmware is asked for no fence of a hart that has stopped, which would
// be waited for without end, and a hart that starts finds its reclaim lists taken over and its
// mailbox working. core/hart.h, hart_leave_now, arch_hart_offline and call_harts (arch/riscv/sbi.c)
// say why.
//
// Bounds: two lives of the hart, a thread and a fence by each of the others.
//   MUTANT_EVACUATED_FIRST       the hart looks for threads before it says that it leaves
//   MUTANT_SENDER_LOOKS_FIRST    the sender looks whether the hart stays before its push is visible
//   MUTANT_SLOT_LEFT             who empties the hart forgets the slot
//   MUTANT_FENCES_NOT_AWAITED    the hart stops while others may be asking it for a fence
//   MUTANT_MASK_BEFORE_FENCING   the asker reads who is online before it says that it asks
//   MUTANT_MAILBOX_KEPT          a hart starts with what was sent to it while it left
//   MUTANT_STARTED_TOO_EARLY     a hart starts before its heir has taken over its lists

#define SENDERS 2 // the first is the heir
#define THREADS 1 // sent by each
#define FENCES 1  // asked for by each

bool online = true;    // the state is ONLINE: with its bit in hart_online_bits
bool stopped;          // firmware has it
byte queue;            // length of its run queue
bool arrival;          // its slot
bool idle;             // its bit in scheduler_idle_harts
bool runs_nothing;     // running_class == -1
bool mailbox;          // ipi_pending has IPI_RESCHEDULE
bool interrupt;        // SSIP
bool adopt;            // the heir has lists to take over
bool adopting;         // and is at it
bool lists;            // the hart has retired something
bool fencing[SENDERS]; // arch.fencing
bool asked[SENDERS];   // the hart's firmware has yet to fence

// scheduler_evacuate, by anyone: the threads go to harts that stay.
inline evacuate()
{
#ifndef MUTANT_SLOT_LEFT
    arrival = false;
#endif
    queue = 0 // pops under the queue's lock, until none is left
}

active proctype leaver()
{
    byte life;
    bool found;

start: // hart_enter_online
#ifndef MUTANT_MAILBOX_KEPT
    mailbox = false;
#endif
    online = true;
look: // idle_until_work
    idle = true;
    runs_nothing = true;
    d_step { found = arrival; arrival = false };
    if
    :: !found -> d_step { found = queue > 0; queue = (found -> queue - 1 : 0) }
    :: else
    fi;
    if
    :: found -> // a thread runs and retires something
       idle = false;
       runs_nothing = false;
       d_step { found = false; lists = true };
       if
       :: goto look // it ends
       :: life == 0 -> goto leave // it is made ready elsewhere
       fi
    :: else
    fi;
end_sleep:
    if
    :: interrupt -> interrupt = false; mailbox = false; goto look // hart_dispatch_ipi
    :: life == 0 -> idle = false
    fi;
leave: // hart_leave_now
    life = 1;
#ifdef MUTANT_EVACUATED_FIRST
    evacuate();
    online = false;
#else
    online = false; // and a fence
    evacuate();
#endif
    adopt = true;
    // arch_hart_offline
#ifndef MUTANT_FENCES_NOT_AWAITED
    !fencing[0];
    !fencing[1];
#endif
    d_step {
        assert(!asked[0] && !asked[1]);
        stopped = true;
        interrupt = false
    };
    runs_nothing = true;
    // hart_start, by anyone or nobody
    if
    :: skip
    :: goto end_stopped
    fi;
#ifndef MUTANT_STARTED_TOO_EARLY
    !adopt;
#endif
    stopped = false;
    assert(!adopting && !lists);
    goto start;
end_stopped:
    false
}

// Fences that are asked of the hart, while it has firmware.
active proctype firmware()
{
end_firmware:
    do
    :: d_step { asked[0] && !stopped -> asked[0] = false }
    :: d_step { asked[1] && !stopped -> asked[1] = false }
    od
}

inline interrupt_hart()
{
    // hart_interrupt: refused if the hart is not online, which evacuates it.
    if
    :: online ->
       d_step { before = mailbox; mailbox = true };
       if
       :: !before -> interrupt = true
       :: else
       fi
    :: else -> evacuate()
    fi
}

inline send_thread()
{
    // scheduler_make_ready: hints.
    filled = false;
    if
    :: idle -> d_step { filled = !arrival; arrival = true }
    :: else
    fi;
    if
    :: filled -> interrupt_hart() // send_home, after a fence
    :: else -> // push_to, notify_hart
#ifdef MUTANT_SENDER_LOOKS_FIRST
       stays = online;
       queue++;
#else
       queue++;
       stays = online;
#endif
       if
       :: !stays -> evacuate()
       :: stays && runs_nothing -> interrupt_hart()
       :: else // it runs a thread, and looks when that ends
       fi
    fi
}

inline ask_fence()
{
    stays = online; // awake_harts
#ifdef MUTANT_MASK_BEFORE_FENCING
    stays = stays && online;
    fencing[me] = true;
#else
    fencing[me] = true; // and a fence
    stays = stays && online;
#endif
    if
    :: stays -> asked[me] = true; !asked[me]
    :: else
    fi;
    fencing[me] = false
}

active [SENDERS] proctype sender()
{
    byte me = _pid - 2;
    byte threads = THREADS;
    byte fences = FENCES;
    bool before;
    bool filled;
    bool stays;

end_sender:
    do
    :: threads > 0 && online -> threads--; send_thread() // choose_hart takes harts that are online
    :: fences > 0 -> fences--; ask_fence()
    :: me == 0 && adopt -> // adopt_stopped
       adopting = true;
       lists = false;
       adopting = false;
       adopt = false
    od
}

// Nobody moves any more.
active proctype judge()
{
    timeout;
    assert(queue == 0 && !arrival);
    assert(!fencing[0] && !fencing[1])
}
