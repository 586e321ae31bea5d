// SPDX-License-Identifier: Apache-2.0
// Address spaces: which memory objects a process sees where, and with which permissions.
//
// Mappings are records in an array sorted by address; page tables are filled at the first touch or,
// with NX_PROT_POPULATE, at once. A mapping holds a reference on its memory object. Page tables and
// records are charged to the process.
//
// The lock (rank SPACE) guards records and page tables. Pages are zeroed before it is taken, and
// what was seen of a mapping is looked up again then.
//
// Unmapping clears entries, flushes, then forgets the record; frames belong to the memory object
// and outlive the flush. `harts` remembers each hart that has run in the space, where entering
// again is nothing but a write to satp (sched/thread.h: direct switches): its TLB may hold
// translations, so it is flushed at once, unless it idles. A hart that idles forgets everything
// before it runs a thread again:
//
//     hart h leaves the idle loop               somebody unmaps, under the lock
//     spaceless = false                         clear the entries
//     full fence                                full fence
//     flush everything here                     for each of `harts`: not spaceless? flush it now
//     write satp
//
// Either the other sees h awake, or h's flush comes after the clearing
// (tests/model/lazy_flush.pml).
#ifndef NEURON_ADDRESS_SPACE_H
#define NEURON_ADDRESS_SPACE_H

#include "arch/arch.h"
#include "arch_inline.h"
#include "core/hart.h"
#include "core/lock.h"

struct hart;
struct memory;
struct process;

struct mapping {
    uint64_t start;
    uint64_t length;
    uint64_t offset;       // into the memory object
    struct memory *memory; // reference held
    uint32_t prot;         // NX_PROT_READ, WRITE, EXECUTE
    uint32_t window;       // pages that the next fault commits if it goes on where this one ends
    uint64_t next_fault;   // the first address behind what the last fault committed
};

struct address_space {
    struct process *process; // constant
    struct arch_space arch;  // constant after creation; its tables are guarded by lock
    _Atomic uint32_t harts;  // mask of harts that may hold translations

    struct lock lock;
    struct mapping **mappings; // one frame of pointers, sorted by start
    bool closed;               // the process is dying: nothing may be mapped any more
    uint32_t mapping_count;
    uint32_t table_frames; // charged page tables besides the root
};

NX_MUST_CHECK enum nx_status address_space_init(struct address_space *space,
                                                struct process *process);
// All mappings are gone (address_space_clear_some). Frees some of the tables; true: all of them.
NX_MUST_CHECK bool address_space_destroy_some(struct address_space *space);

// Enters a mapping; *address 0 lets the kernel choose. Errors: NX_ERR_INVALID_ARGUMENT (alignment,
// W+X, no permission bit), NX_ERR_OUT_OF_RANGE (past the object or outside the user range),
// NX_ERR_ALREADY_EXISTS (overlap), NX_ERR_NO_MEMORY, NX_ERR_BAD_HANDLE (the object is retired),
// NX_ERR_BAD_STATE (the process is dying).
NX_MUST_CHECK enum nx_status address_space_map(struct address_space *space, struct memory *memory,
                                               uint64_t offset, uint64_t length, uint32_t prot,
                                               uint64_t *address);

// Commits and maps pages from *cursor on, up to a bounded number; *cursor advances, *done says
// whether the mapping that starts at `address` is complete. Errors: NX_ERR_NOT_FOUND,
// NX_ERR_NO_MEMORY.
NX_MUST_CHECK enum nx_status address_space_populate_some(struct address_space *space,
                                                         uint64_t address, uint64_t *cursor,
                                                         bool *done);

// Removes a bounded number of pages from the end of the mapping that starts at `address`; *done
// says whether the mapping is gone. Errors: NX_ERR_NOT_FOUND.
NX_MUST_CHECK enum nx_status address_space_unmap_some(struct address_space *space, uint64_t address,
                                                      bool *done);

// For a dying process: unmaps a bounded amount; true when nothing is left.
bool address_space_clear_some(struct address_space *space);

// Makes a user access work if a mapping allows it. Enters neighbours that are committed as well,
// and commits ahead where one fault follows another. Errors: NX_ERR_NOT_FOUND,
// NX_ERR_ACCESS_DENIED, NX_ERR_NO_MEMORY.
NX_MUST_CHECK enum nx_status address_space_resolve_fault(struct address_space *space,
                                                         enum arch_fault_kind kind,
                                                         uint64_t address);

// This hart leaves the idle loop: forgets all translations.
void address_space_leave_idle(struct hart *hart);

// Makes the space current on this hart; NULL: the kernel's own table.
static inline void address_space_activate(struct address_space *space, struct hart *hart)
{
    if (space == NULL) {
        arch_space_activate(NULL);
        return;
    }
    if (atomic_load_explicit(&hart->spaceless, memory_order_relaxed))
        address_space_leave_idle(hart);
    if ((atomic_load_explicit(&space->harts, memory_order_relaxed) & hart->bit) == 0)
        // Sequentially consistent: remembered before this hart can walk the tables. Pairs with the
        // fence in flush.
        atomic_fetch_or_explicit(&space->harts, hart->bit, memory_order_seq_cst);
    arch_space_activate(&space->arch);
}

#endif
