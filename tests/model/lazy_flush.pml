// SPDX-License-Identifier: Apache-2.0
// One hart runs in an address space and idles in turn while another unmaps a page of it: no translation is
// used after the unmapping has returned, although an idle hart is not told. mm/address_space.h says why.
//
// Each statement is one step that the other sees whole, in program order: what the kernel's fences give
// it. The mutants are the orders that a missing fence, or a careless edit, would give.
//   MUTANT_USE_BEFORE_ANNOUNCE  the waking hart says that it is awake when it has run already
//   MUTANT_NO_FLUSH             it does not forget its translations
//   MUTANT_ASK_BEFORE_CLEAR     the unmapping hart asks who is awake before it clears the entry

#define ROUNDS 3

bool valid = true;     // the page's entry
bool cached;           // the hart's translation of it
bool spaceless = true; // the hart idles
bool unmapped;         // an unmapping has returned, and nothing was mapped since

inline use()
{
    // The walk and the access: one step, for a flush waits for the accesses under way.
    d_step {
        if
        :: valid -> cached = true
        :: else
        fi;
        assert(!(cached && unmapped))
    }
}

active proctype running()
{
end_loop:
    do
    ::
#ifdef MUTANT_USE_BEFORE_ANNOUNCE
        cached = false;
        use();
        spaceless = false;
#else
        spaceless = false;
#ifndef MUTANT_NO_FLUSH
        cached = false;
#endif
#endif
        do
        :: use()
        :: break
        od;
        spaceless = true
    od
}

active proctype unmapping()
{
    bool awake;
    byte round;

    for (round : 1 .. ROUNDS) {
#ifdef MUTANT_ASK_BEFORE_CLEAR
        awake = !spaceless;
        valid = false;
#else
        valid = false;
        awake = !spaceless;
#endif
        if
        :: awake -> cached = false // the firmware's fence: complete when it returns
        :: else
        fi;
        unmapped = true;
        d_step { unmapped = false; valid = true } // mapped again
    }
}
