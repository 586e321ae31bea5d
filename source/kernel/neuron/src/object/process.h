// SPDX-License-Identifier: Apache-2.0
// Processes: a handle table, an address space, threads and a memory budget.
//
// Life cycle: process_create (NEW) -> first thread is created (ALIVE) -> process_kill, or the last
// thread ends (DYING) -> when no thread is left, bounded cleanup steps kill its children, close its
// handles and unmap its memory (object/reclaim.h) -> DEAD, and the exit notification is signalled
// -> the object goes when its last handle and the last thing charged to it are gone.
//
// A process that has learned where memory lies may have told a device, which may write there until
// it is reset. So it is HELD when all handles are closed but those to memory: that and the mappings
// stay, the exit notification is signalled, and whoever resets the device lets it go by a kill with
// NX_EXIT_LET_GO. Without an exit notification or a living creator nobody would: then it is not
// held, or no longer.
//
// Every kernel object and every frame is charged to a process's budget, in bytes. A child's budget
// is itself charged to its creator and comes back when the child's object is destroyed.
#ifndef NEURON_PROCESS_H
#define NEURON_PROCESS_H

#include "core/lock.h"
#include "mm/address_space.h"
#include "nexus/syscall.h"
#include "object/handle_table.h"
#include "object/object.h"

struct endpoint;
struct notification;
struct thread;

struct process {
    struct object object;

    // Constant after creation.
    uint64_t id;
    char name[NX_NAME_BYTES];
    enum nx_class highest_class;

    _Atomic uint64_t budget;   // bytes; at the end of the cleanup it shrinks to what is used
    _Atomic uint64_t used;     // bytes charged
    _Atomic uint64_t run_time; // time-counter ticks of its threads
    _Atomic uint32_t state;    // enum nx_process_state; changes under `lock`
    _Atomic uint32_t holds;    // not 0: it is to be HELD at its end

    struct handle_table handles;
    struct address_space space;

    struct lock lock;       // rank PROCESS; guards the following
    struct thread *threads; // linked by thread->next_in_process; no references held
    uint32_t thread_count;
    int64_t exit_status;
    struct notification *exit_notification; // reference held
    uint64_t exit_bits;
    struct endpoint *fault_endpoint; // reference held
    uint64_t fault_badge;

    // The tree of all processes: a child is charged to its parent. Guarded by the registry lock in
    // process.c.
    struct process *children;
    struct process *next_sibling;
    struct process *previous_sibling;
    struct process *doomed; // dying: the next of its children to be killed
};

// The singleton root of all budgets: nexus-init, made by core/bootstrap.c. `parent` NULL: charged
// to nobody. Errors: NX_ERR_NO_MEMORY.
NX_MUST_CHECK enum nx_status process_create(struct process *parent, const char *name,
                                            uint64_t budget_bytes, enum nx_class highest_class,
                                            struct process **process);

// Charges bytes to the budget. Errors: NX_ERR_NO_MEMORY. Never fails for uncharge.
NX_MUST_CHECK enum nx_status process_charge(struct process *process, uint64_t bytes);
void process_uncharge(struct process *process, uint64_t bytes);
// Whether memory may be committed ahead of its use: a quarter of the budget is left. NULL: true.
bool process_has_spare(const struct process *process);

// Begins the end: marks the process DYING and all its threads for death. Idempotent; the first
// status wins.
void process_kill(struct process *process, int64_t exit_status);

// Adds a thread; process->lock is held. Errors: NX_ERR_BAD_STATE (dying), NX_ERR_NO_MEMORY (too
// many threads).
NX_MUST_CHECK enum nx_status process_list_thread(struct process *process, struct thread *thread);
// Removes a thread at its end, which is DEAD then; the last one starts the cleanup. Returns what is
// to be signalled with *bits, without a reference, or NULL.
struct notification *process_remove_thread(struct process *process, struct thread *thread,
                                           uint64_t *bits);

// Replaces the exit notification and the fault endpoint (either may be NULL); takes references.
// Errors: NX_ERR_BAD_HANDLE when one is already retired.
NX_MUST_CHECK enum nx_status process_bind(struct process *process,
                                          struct notification *notification, uint64_t bits,
                                          struct endpoint *fault_endpoint, uint64_t fault_badge);

enum destroy_result process_destroy_step(struct object *object);

// The process at position `index` of the list of all, for diagnosis; false past its end. The
// pointer is valid until the kernel is left.
bool process_at(uint64_t index, struct process **process);

#endif
