// SPDX-License-Identifier: Apache-2.0
// One hart enters and leaves an address space while another unmaps a page of it: no translation is used
// after the unmapping has returned, although a hart outside the space is not told. mm/address_space.h
// says why.
//
// Each statement is one step that the other sees whole, in program order: what the kernel's fences give
// it. The mutants are the orders that a missing fence, or a careless edit, would give.
//   MUTANT_LOOK_BEFORE_ANNOUNCE  the entering hart reads its bit before it says where it is
//   MUTANT_ASK_BEFORE_CLEAR      the unmapping hart asks who runs before it clears the bits
//   MUTANT_NO_RESTORE            the bit of a hart that was flushed stays clear, and hides it later

#define ROUNDS 2

bool valid = true;     // the page's entry
bool cached;           // the hart's translation of it
bool in_space;         // hart->space == space
bool fresh;            // the hart's bit
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

active proctype entering()
{
    bool was_fresh;
end_loop:
    do
    ::
#ifdef MUTANT_LOOK_BEFORE_ANNOUNCE
        was_fresh = fresh;
        in_space = true;
#else
        in_space = true;
        was_fresh = fresh;
#endif
        if
        :: !was_fresh ->
            fresh = true;
            cached = false
        :: else
        fi;
        do
        :: use()
        :: break
        od;
        in_space = false
    od
}

active proctype unmapping()
{
    bool was_fresh;
    bool running;
    byte round;

    for (round : 1 .. ROUNDS) {
        valid = false;
#ifdef MUTANT_ASK_BEFORE_CLEAR
        running = in_space;
        d_step { was_fresh = fresh; fresh = false };
#else
        d_step { was_fresh = fresh; fresh = false };
        running = was_fresh && in_space;
#endif
        if
        :: running ->
            cached = false; // the firmware's fence: complete when it returns
#ifndef MUTANT_NO_RESTORE
            fresh = true
#endif
        :: else
        fi;
        unmapped = true;
        d_step { unmapped = false; valid = true } // mapped again
    }
}
