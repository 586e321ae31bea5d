// SPDX-License-Identifier: Apache-2.0
// One hart retires an object, goes on using it until it leaves the kernel, and frees it; two others
// enter the kernel, look it up by handle or through a thread that waits on it, use it, and leave,
// rest, or stop and start again. None uses it after it was freed. object/reclaim.h says why.
//
// Bounds: three entries by each of the others.
//   MUTANT_SNAPSHOT_FIRST     the counters are read before the handle, and the thread, is unlinked
//   MUTANT_REST_TOO_LONG      a waking hart looks things up before it says that it rests no more
//   MUTANT_PASS_TOO_EARLY     a hart counts its pass before its last use
//   MUTANT_ONE_GRACE_PERIOD   the memory goes as soon as the waiting threads are taken off
//   MUTANT_STOPPING_IGNORED   a grace period does not wait for a hart that is on its way out
//   MUTANT_ONLINE_TOO_LATE    a hart that starts looks things up before it says that it is online
//   MUTANT_OWN_PASS_IGNORED   a grace period does not wait for the hart that began it

#define OTHERS 2
#define ENTRIES 3 // into the kernel, by each

mtype = { ONLINE, STOPPING, STOPPED };
mtype = { INCOMING, WAITING, UNLINKED, WAITING_AGAIN, FREED };

bool by_handle = true;  // a handle names the object
bool by_waiter = true;  // a thread waits on it: kill and timeout find it through that
mtype stage = INCOMING; // of its reclamation
mtype hart_state[OTHERS] = ONLINE;
bool resting[OTHERS];
byte passes[OTHERS];
byte snapshot[OTHERS];
bool own_pass;          // the retiring hart has left the kernel since its snapshot

#define IS_FOUND (by_handle || by_waiter)
#define CHECK_USE assert(!found || stage != FREED)

inline use()
{
    // Found at one moment, used at a later one.
    if
    :: found = IS_FOUND
    :: found = false
    fi;
    CHECK_USE
}

active [OTHERS] proctype other()
{
    byte me = _pid;
    byte left = ENTRIES;
    bool found;

    do
    :: left > 0 ->
       left--;
#ifdef MUTANT_PASS_TOO_EARLY
       found = IS_FOUND;
       passes[me]++;
       CHECK_USE;
#else
       use();
#endif
       if
#ifndef MUTANT_PASS_TOO_EARLY
       :: passes[me]++ // to user mode
#endif
       :: skip // a direct switch: not counted
       :: resting[me] = true; // idle
#ifdef MUTANT_REST_TOO_LONG
          use();
          resting[me] = false
#else
          resting[me] = false // and a fence
#endif
       :: // hart_leave_now: what was found is still in use
          found = IS_FOUND;
          hart_state[me] = STOPPING;
          CHECK_USE;
          hart_state[me] = STOPPED;
#ifdef MUTANT_ONLINE_TOO_LATE
          use();
#endif
          if
          :: hart_state[me] = ONLINE // hart_enter_online
          :: found = false; break
          fi
       fi;
       found = false
    :: left == 0 -> resting[me] = true; break
    od
}

inline begin_grace_period()
{
    snapshot[0] = passes[0];
    snapshot[1] = passes[1];
#ifndef MUTANT_OWN_PASS_IGNORED
    own_pass = false
#endif
}

#ifdef MUTANT_STOPPING_IGNORED
#define GONE(i) (hart_state[i] != ONLINE)
#else
#define GONE(i) (hart_state[i] == STOPPED)
#endif

// lagging_harts: the mask is read once, then the words of each hart.
inline look_for_laggards()
{
    d_step { lags[0] = !GONE(0); lags[1] = !GONE(1) };
    if
    :: resting[0] -> lags[0] = false
    :: else
    fi;
    if
    :: passes[0] != snapshot[0] -> lags[0] = false
    :: else
    fi;
    if
    :: resting[1] -> lags[1] = false
    :: else
    fi;
    if
    :: passes[1] != snapshot[1] -> lags[1] = false
    :: else
    fi
}

// reclaim_run: advance, and a destroy step.
inline reclaim()
{
    if
    :: stage == INCOMING ->
#ifndef MUTANT_SNAPSHOT_FIRST
       begin_grace_period(); // after a full fence
#endif
       stage = WAITING
    :: stage == UNLINKED ->
#ifndef MUTANT_SNAPSHOT_FIRST
       begin_grace_period();
#endif
       stage = WAITING_AGAIN
    :: stage == WAITING && own_pass ->
       look_for_laggards();
       if
       :: !lags[0] && !lags[1] ->
          // The destroy step fails the threads that wait: nothing leads to the object any more.
#ifdef MUTANT_SNAPSHOT_FIRST
          begin_grace_period();
#endif
          by_waiter = false;
#ifdef MUTANT_ONE_GRACE_PERIOD
          stage = FREED
#else
          stage = UNLINKED
#endif
       :: else
       fi
    :: stage == WAITING_AGAIN && own_pass ->
       look_for_laggards();
       if
       :: !lags[0] && !lags[1] -> stage = FREED
       :: else
       fi
    :: else
    fi;
    d_step { lags[0] = false; lags[1] = false }
}

active proctype retirer()
{
    bool found;
    bool lags[OTHERS];

#ifdef MUTANT_OWN_PASS_IGNORED
    own_pass = true;
#endif
    found = true; // looked up by this entry, which closes the last handle
#ifdef MUTANT_SNAPSHOT_FIRST
    begin_grace_period();
#endif
    by_handle = false;
    do
    :: reclaim()
    :: CHECK_USE; break
    od;
    found = false;
    do
    :: stage != FREED ->
       if
       :: own_pass = true // leaves the kernel, and enters it again
       :: skip
       fi;
       reclaim()
    :: stage == FREED -> break
    od
}
