// SPDX-License-Identifier: Apache-2.0
// One thread calls again and again; a server on a second hart takes its message, answers it, gives it up
// or keeps it for ever; a third hart expires its deadline, and it may be killed at any point. Each wait
// is ended exactly once, a killed caller or one whose deadline passed never waits on, and a reply cannot
// end a later wait. sched/thread.h and ipc/endpoint.h say why.
//
//   MUTANT_NO_SETTLE      the carrier of a caller does not look for a kill or timeout that missed it
//   MUTANT_NO_RECHECK     the caller does not look for a kill after publishing its wait
//   MUTANT_NO_SEQUENCE    a reply or timeout takes whatever wait it meets
//   MUTANT_PLAIN_REPLY    the reply tests the state and then sets it, instead of compare-and-swap

#define WAITS 2

mtype = { RUNNING, RUNNABLE, CALLING, AWAITING_REPLY };

mtype state = RUNNING; // with `sequence`, the wait word
byte sequence;
bool queued;           // in the endpoint's queue
bool locked;           // the endpoint's lock
bool pending_kill;
bool has_deadline;     // of the present wait
bool in_heap;          // its timer node
byte timer_sequence;
bool ready;            // made ready: runs next
bool in_kernel;        // the caller's hart runs its call: it takes no timer interrupt
bool finished;         // all waits done, or dead

#ifdef MUTANT_NO_SEQUENCE
#define IS_WAIT(s) true
#else
#define IS_WAIT(s) (sequence == (s))
#endif

inline lock() { d_step { !locked; locked = true } }
inline unlock() { locked = false }

// The caller of this owns the thread.
inline make_ready()
{
    in_heap = false; // timer_cancel
    assert(!ready && state == RUNNABLE);
    ready = true
}

// thread_cancel: ends the wait `s`, if it is still that one.
inline cancel(s)
{
    do
    :: d_step { seen = state; same = IS_WAIT(s) };
       if
       :: !same -> break
       :: same && seen == CALLING ->
          lock();
          if
          :: state == CALLING && IS_WAIT(s) ->
             queued = false;
             state = RUNNABLE;
             unlock();
             assert(sequence == (s));
             make_ready();
             break
          :: else -> unlock()
          fi
       :: same && seen == AWAITING_REPLY ->
          // thread_claim
          d_step {
              won = (state == AWAITING_REPLY && IS_WAIT(s));
              if
              :: won -> state = RUNNABLE
              :: else
              fi
          };
          if
          :: won -> assert(sequence == (s)); make_ready(); break
          :: else
          fi
       :: else -> break // carried or running
       fi
    od
}

active proctype caller()
{
    byte waits = WAITS;
    byte mine;
    mtype seen;
    bool same;
    bool won;

    do
    :: waits > 0 && !pending_kill ->
       waits--;
       in_kernel = true;
       lock();
       if
       :: has_deadline = true; timer_sequence = sequence + 1; in_heap = true
       :: has_deadline = false
       fi;
       d_step { sequence++; mine = sequence; state = CALLING }; // published
       queued = true;
       unlock();
#ifndef MUTANT_NO_RECHECK
       if
       :: pending_kill -> cancel(mine)
       :: else
       fi;
#endif
       in_kernel = false;
end_wait:
       ready; // until somebody makes it so
       ready = false;
       assert(state == RUNNABLE && !queued);
       state = RUNNING
    :: else -> break
    od;
    finished = true
}

active proctype server()
{
    byte his; // the sequence that the reply right names
    bool expired;
    mtype seen;
    bool same;
    bool won;

end_server:
    do
    :: queued ->
       lock();
       if
       :: queued ->
          queued = false;
          state = RUNNABLE; // carried
          unlock();
          // settle_caller
          his = sequence;
          expired = has_deadline;
          state = AWAITING_REPLY;
#ifndef MUTANT_NO_SETTLE
          expired = expired && !in_heap;
          if
          :: expired -> cancel(his)
          :: else
          fi;
          if
          :: pending_kill -> cancel(his)
          :: else
          fi;
#endif
          if
          :: // answers
#ifdef MUTANT_PLAIN_REPLY
             won = (state == AWAITING_REPLY && IS_WAIT(his));
             if
             :: won -> state = RUNNABLE
             :: else
             fi;
#else
             d_step {
                 won = (state == AWAITING_REPLY && IS_WAIT(his));
                 if
                 :: won -> state = RUNNABLE
                 :: else
                 fi
             };
#endif
             if
             :: won -> assert(sequence == his); make_ready()
             :: else
             fi
          :: cancel(his) // gives the caller up: PEER_CLOSED
          :: skip // keeps it
          fi
       :: else -> unlock()
       fi
    :: finished -> break
    :: break // receives no more
    od
}

// expire_deadlines, on the hart whose heap holds the node.
active proctype clock()
{
    byte his;
    mtype seen;
    bool same;
    bool won;

end_clock:
    do
    :: d_step { in_heap && !in_kernel; his = timer_sequence; in_heap = false };
       cancel(his)
    :: finished -> break
    od
}

active proctype killer()
{
    byte his;
    mtype seen;
    bool same;
    bool won;

    if
    :: pending_kill = true;
       his = sequence;
       cancel(his)
    :: skip
    fi
}

// Nobody moves any more: only a caller that nobody has reason to wake may still wait.
active proctype judge()
{
    timeout;
    assert(finished || (!pending_kill && !has_deadline && (state == AWAITING_REPLY || state == CALLING)))
}
