// SPDX-License-Identifier: Apache-2.0
// Kernel objects: references, charging, and the end of an object's life.
//
// Life cycle: object_create (one reference, its bytes charged to a process) -> handles, mappings
// and other objects take references -> the last object_release retires it -> after a grace period
// no hart can still hold a pointer found in a handle table -> its destroy steps run, bounded each
// -> the memory and the charge go back (object/reclaim.h).
//
// A pointer from a handle lookup needs no reference until the kernel is left: harts do not block in
// the kernel, and a retired object outlives every hart's current pass through it. An object that
// can be found in other ways too leaves those in its destroy steps, and waits for a second grace
// period.
#ifndef NEURON_OBJECT_H
#define NEURON_OBJECT_H

#include "core/types.h"
#include "nexus/handle.h"
#include <stdatomic.h>

struct process;

struct object {
    uint8_t type;  // enum nx_object_type; constant
    bool unlinked; // only its memory is left to free; owned by reclamation
    _Atomic uint32_t references;
    uint16_t offset;            // of this struct in its allocation; constant
    uint32_t size;              // bytes charged; constant
    struct process *charged_to; // holds a reference; NULL: the kernel itself
    struct object *next;        // in a reclaim list, owned by it
};

// Allocates `size` zeroed bytes that hold a struct object at `offset` and charges them to
// `process`. Errors: NX_ERR_NO_MEMORY (budget or machine).
NX_MUST_CHECK enum nx_status object_create(struct process *process, enum nx_object_type type,
                                           size_t size, size_t offset, struct object **object);

// Gives back memory, charge and the reference on the process, at once: for an object that nobody
// else has seen yet.
void object_discard(struct object *object);

// Takes a reference; the caller has or can prove another one.
void object_acquire(struct object *object);
// The same two for fast paths.
static inline void object_acquire_fast(struct object *object)
{
    atomic_fetch_add_explicit(&object->references, 1, memory_order_relaxed);
}

// Drops a reference that is known not to be the last.
static inline void object_release_shared(struct object *object)
{
    atomic_fetch_sub_explicit(&object->references, 1, memory_order_relaxed);
}

// Takes a reference unless the object is already retired: for pointers from a lookup.
NX_MUST_CHECK bool object_try_acquire(struct object *object);
// Drops a reference; the last one retires the object. Takes no lock.
void object_release(struct object *object);

// What one bounded step of destruction came to.
enum destroy_result {
    DESTROY_MORE, // call again
    DESTROY_FREE, // only the memory itself is left to free
    // The same, but until this step other harts could find the object although it was retired
    // (through a thread that waited on it, or in a list): the memory goes after another grace
    // period.
    DESTROY_UNLINKED,
    DESTROY_KEEP, // work done, but the object lives on (a dead process that handles still name)
};

// One bounded step of destruction, after the grace period; true when nothing is left to do.
bool object_destroy_step(struct object *object);

#endif
