// SPDX-License-Identifier: Apache-2.0
// One hart retires an object and frees it; two others enter the kernel, look it up by handle or through
// a thread that waits on it, use it, and leave, rest, or stop for good. None uses it after it was freed.
// object/reclaim.h says why.
//
//   MUTANT_SNAPSHOT_FIRST    the counters are read before the handle is unlinked
//   MUTANT_REST_TOO_LONG     a waking hart looks things up before it says that it rests no more
//   MUTANT_ONE_GRACE_PERIOD  the memory goes as soon as the waiting threads are taken off
//   MUTANT_STOPPING_IGNORED  a grace period does not wait for a hart that is on its way out

#define READERS 2
#define ENTRIES 3 // into the kernel, by each

mtype = { ONLINE, STOPPING, STOPPED };

bool by_handle = true;  // a handle names the object
bool by_waiter = true;  // a thread waits on it: kill and timeout find it through that
bool freed;
mtype hart_state[READERS] = ONLINE;
bool resting[READERS];
byte passes[READERS];
byte snapshot[READERS];

inline use(i)
{
    // Found at one moment, used at a later one.
    if
    :: by_handle || by_waiter -> found = true
    :: found = false
    fi;
    if
    :: found -> assert(!freed)
    :: else
    fi
}

proctype reader(byte i)
{
    byte left = ENTRIES;
    bool found;

    do
    :: left > 0 ->
       left--;
       use(i);
       if
       :: passes[i]++ // to user mode
       :: resting[i] = true; // idle
#ifdef MUTANT_REST_TOO_LONG
          use(i);
          resting[i] = false
#else
          resting[i] = false // and a fence
#endif
       :: // hart_leave_now: what was found is still in use
          if
          :: by_handle || by_waiter -> found = true
          :: found = false
          fi;
          hart_state[i] = STOPPING;
          if
          :: found -> assert(!freed)
          :: else
          fi;
          hart_state[i] = STOPPED;
          break
       fi
    :: left == 0 -> resting[i] = true; break
    od
}

inline take_snapshot()
{
    snapshot[0] = passes[0];
    snapshot[1] = passes[1]
}

#ifdef MUTANT_STOPPING_IGNORED
#define GONE(i) (hart_state[i] != ONLINE)
#else
#define GONE(i) (hart_state[i] == STOPPED)
#endif
#define HAS_PASSED(i) (GONE(i) || resting[i] || passes[i] != snapshot[i])

inline grace_period()
{
    HAS_PASSED(0);
    HAS_PASSED(1)
}

init
{
    run reader(0);
    run reader(1);
#ifdef MUTANT_SNAPSHOT_FIRST
    take_snapshot();
    by_handle = false;
#else
    by_handle = false; // the last handle is closed: retired
    take_snapshot();   // after a full fence
#endif
    grace_period();
    // The destroy step fails the threads that wait: nothing leads to the object any more.
#ifdef MUTANT_SNAPSHOT_FIRST
    take_snapshot();
    by_waiter = false;
#else
    by_waiter = false;
    take_snapshot();
#endif
#ifndef MUTANT_ONE_GRACE_PERIOD
    grace_period();
#endif
    freed = true
}
