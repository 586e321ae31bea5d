// SPDX-License-Identifier: Apache-2.0
// Shadows the compiler's header: before each look of the driver at shared memory the device may
// move. A real device does so at any time; the model otherwise moves at register accesses only, and
// between two looks at a ring there is none.
#ifndef FAKE_STDATOMIC_H
#define FAKE_STDATOMIC_H

#include_next <stdatomic.h>
#include <stddef.h>

// Of the one thread that all tests run on. `moves` NULL: nothing happens between looks.
struct memory_watch {
    void (*moves)(void *context, const volatile void *looked_at);
    void *context;
};
extern struct memory_watch memory_watch;

static inline void memory_watch_look(const volatile void *looked_at)
{
    if (memory_watch.moves != NULL) {
        memory_watch.moves(memory_watch.context, looked_at);
    }
}

#undef atomic_load_explicit
#define atomic_load_explicit(object, order)                                                        \
    (memory_watch_look(object), __atomic_load_n((object), (order)))

#endif
