// SPDX-License-Identifier: Apache-2.0
// What a thread, a hart and an address space hold for the host's fake architecture.
#ifndef ARCH_TYPES_H
#define ARCH_TYPES_H

#include "core/types.h"
#include <pthread.h>
#include <stdatomic.h>

struct fiber;
#define ARCH_INTERRUPT_SOFTWARE (1u << 0)
#define ARCH_INTERRUPT_TIMER    (1u << 1)
#define ARCH_INTERRUPT_EXTERNAL (1u << 2)

struct hart;
struct thread;

#define FAKE_CALL_REGISTERS 8

// The registers that the kernel sees of a thread. As on RISC-V, a system call does not save its
// argument registers: the fake fills them with FAKE_UNSAVED, so that a kernel that reads what it
// never saved is caught by the value.
struct trap_frame {
    uint64_t a[FAKE_CALL_REGISTERS];
    uint64_t t0;
    uint64_t pc;
    uint64_t sp;
    uint64_t ra;
    uint64_t tp;
};
#define FAKE_UNSAVED 0xbad0bad0bad0bad0ull

// First member of struct thread. Owned by whoever owns the thread.
struct arch_thread {
    struct trap_frame frame;
    struct hart *hart;                     // where it runs or last ran
    struct fiber *fiber;                   // runs its program; NULL until it first enters user mode
    bool restart;                          // the frame's a[] are a system call that is to run again
    const struct arch_space *direct_space; // as arch_thread_make_direct was told
};

// A user address space. Constant after arch_space_create.
struct arch_space {
    paddr_t root;        // of three levels of tables, 512 entries each
    uint64_t identifier; // as an ASID: tags what the harts cache
};

// A translation that a hart has cached.
struct fake_translation {
    uint64_t identifier; // of the space; 0: empty
    uint64_t page;
    uint64_t frame;
    uint32_t prot;
};
#define FAKE_TLB_ENTRIES 16u

// First member of struct hart.
struct arch_hart {
    bool switched;            // the thread to resume is not certain to be the one that trapped
    uint64_t message[6];      // a1..a6 of the system call being handled
    uint64_t message_info;    // a7
    struct thread *left_with; // whom a fast path left the kernel with; NULL: it declined

    // Any hart writes.
    _Atomic uint32_t software; // a software interrupt pends
    _Atomic uint32_t wake;     // counts events for the sleep in arch_wait_for_interrupt

    // This hart writes.
    _Atomic uint32_t enabled;  // ARCH_INTERRUPT_* that reach it
    _Atomic uint64_t deadline; // of its timer

    pthread_mutex_t tlb_lock; // guards the rest of these
    struct arch_space active; // all zero: the kernel's own table
    struct fake_translation tlb[FAKE_TLB_ENTRIES];

    pthread_t pthread;
    bool has_pthread;
    _Atomic bool stopped; // arch_hart_stop was reached
    uint64_t random;      // of fake_perturb
};

#endif
