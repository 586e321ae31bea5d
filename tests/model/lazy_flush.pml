// SPDX-License-Identifier: Apache-2.0
// Three harts run in an address space, run elsewhere, idle, and unmap a page of it; one of them
// leaves and comes back. No translation is used after the unmapping has returned, although a hart
// that idles, or has never been in the space, is not told, and entering the space again checks
// nothing. mm/address_space.h says why.
//
// Each statement is one step that the others see whole, in program order: what the kernel's fences
// give it. The mutants are the orders that a missing fence, or a careless edit, would give.
//
// Bounds: two unmappings, by any of the harts; one departure.
//   MUTANT_USE_BEFORE_ANNOUNCE  the waking hart says that it is awake when it has run already
//   MUTANT_NO_FLUSH             it does not forget its translations
//   MUTANT_ASK_BEFORE_CLEAR     the unmapping hart asks who is awake before it clears the entry
//   MUTANT_REMEMBERED_LATE      a hart enters a space for the first time and is remembered afterwards
//   MUTANT_NO_FLUSH_ONLINE      a hart that comes back keeps what it had
//   MUTANT_SELF_FORGOTTEN       the unmapping hart does not flush itself

#define HARTS 3
#define ROUNDS 2

bool valid = true;      // the page's entry
bool unmapped;          // an unmapping has returned, and nothing is mapped there again
bool locked;            // the space's lock
byte rounds = ROUNDS;   // unmappings left
bool known[HARTS];      // space->harts
bool cached[HARTS];     // the hart's translation
bool active_in[HARTS];  // satp names the space: its walker may cache the entry at any time
bool spaceless[HARTS] = true;
bool online[HARTS] = true;

inline use()
{
    // The walk and the access: one step, for a flush waits for the accesses under way.
    d_step {
        if
        :: valid -> cached[me] = true
        :: else
        fi;
        assert(!(cached[me] && unmapped))
    }
}

// address_space_activate
inline enter()
{
#ifdef MUTANT_USE_BEFORE_ANNOUNCE
    if
    :: spaceless[me] -> cached[me] = false; active_in[me] = true; use(); spaceless[me] = false
    :: else
    fi;
#else
    if
    :: spaceless[me] ->
       spaceless[me] = false; // and a fence
#ifndef MUTANT_NO_FLUSH
       cached[me] = false
#endif
    :: else
    fi;
#endif
#ifdef MUTANT_REMEMBERED_LATE
    active_in[me] = true;
    use();
    known[me] = true
#else
    known[me] = true;
    active_in[me] = true
#endif
}

#define AWAKE(i) (mask[i] && !spaceless[i] && online[i])

// shrink, flush, arch_tlb_flush
inline unmap()
{
    d_step { !locked && rounds > 0 && valid; locked = true; rounds-- };
#ifdef MUTANT_ASK_BEFORE_CLEAR
    d_step { mask[0] = known[0]; mask[1] = known[1]; mask[2] = known[2]; mask[me] = false };
    mask[0] = AWAKE(0);
    mask[1] = AWAKE(1);
    mask[2] = AWAKE(2);
    valid = false;
#else
    valid = false; // and a fence
    d_step { mask[0] = known[0]; mask[1] = known[1]; mask[2] = known[2]; mask[me] = false };
    mask[0] = AWAKE(0);
    mask[1] = AWAKE(1);
    mask[2] = AWAKE(2);
#endif
#ifndef MUTANT_SELF_FORGOTTEN
    cached[me] = false;
#endif
    // The firmware's fence: complete when it returns.
    if
    :: mask[0] -> cached[0] = false; mask[0] = false
    :: else
    fi;
    if
    :: mask[1] -> cached[1] = false; mask[1] = false
    :: else
    fi;
    if
    :: mask[2] -> cached[2] = false; mask[2] = false
    :: else
    fi;
    d_step { unmapped = true; locked = false }
}

active [HARTS] proctype hart()
{
    byte me = _pid;
    bool mask[HARTS];
    bool may_leave = (_pid == 2);

end_hart:
    do
    :: enter();
       do
       :: use()
       :: unmap() // by a system call of a thread that runs in the space
       :: d_step { unmapped && !locked -> unmapped = false; valid = true } // mapped again
       :: break
       od;
       if
       :: active_in[me] = false; // a thread of another space runs
          if
          :: unmap() // for a process that ends
          :: skip
          fi
       :: active_in[me] = false; // the hart idles
          spaceless[me] = true
       :: may_leave -> // hart_leave_now, and later hart_enter_online
          may_leave = false;
          online[me] = false;
          active_in[me] = false;
          skip;
          online[me] = true;
#ifndef MUTANT_NO_FLUSH_ONLINE
          cached[me] = false
#endif
       fi
    od
}

active proctype walker()
{
end_walker:
    do
    :: d_step { active_in[0] && valid -> cached[0] = true }
    :: d_step { active_in[1] && valid -> cached[1] = true }
    :: d_step { active_in[2] && valid -> cached[2] = true }
    od
}
