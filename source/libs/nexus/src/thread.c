// SPDX-License-Identifier: Apache-2.0
// Threads of this process.
//
// The thread area is a part of the address space that the kernel does not choose addresses from:
// NX_THREADS_MAX places of one stride each. A thread's one mapping ends where its place ends,
//
//     place                                                              place + stride
//     | unmapped: the guard | stack, grows down | TLS | message page |
//
// so that a stack overflow always faults in the unmapped part below. The first places keep mapping
// and notification when their thread was joined: the next thread with such a stack needs no new.
#include "nexus/thread.h"
#include "layout.h"
#include "nexus/memory.h"
#include "nexus/process.h"
#include "tls.h"
#include <stdatomic.h>

#define STACK_BYTES_DEFAULT (64ul << 10)
#define STACK_BYTES_MAX     (NX_LAYOUT_THREAD_STRIDE / 2)
#define THREAD_EXITED_BIT   1u

_Static_assert(NX_THREADS_MAX <= 64, "one bit a place");

// What a new thread needs, at the lowest address of its TLS part's page; consumed by
// nx_thread_main.
struct thread_record {
    void (*entry)(void *);
    void *argument;
    struct nx_message_page *page;
};

void nx_thread_entry(void); // start.S: sets gp and goes on with nx_thread_main
void nx_thread_main(struct thread_record *record) __attribute__((noreturn));

// The layout of one thread's mapping, as offsets from its base.
struct thread_layout {
    uint64_t stack_top;
    uint64_t tls;
    uint64_t page;
    uint64_t length;
};

static struct thread_layout thread_layout_of(uint64_t stack_bytes)
{
    struct thread_layout layout;
    uint64_t tls_bytes = (nx_tls_bytes() + NX_TLS_ALIGN - 1) & ~(uint64_t)(NX_TLS_ALIGN - 1);
    layout.page =
        NX_PAGE_ROUND_UP(stack_bytes + sizeof(struct thread_record) + tls_bytes + NX_TLS_ALIGN);
    layout.length = layout.page + NX_PAGE_SIZE;
    layout.tls = layout.page - tls_bytes;
    layout.stack_top = (layout.tls - sizeof(struct thread_record)) & ~15ul;
    return layout;
}

// What a place has beside its address. Owned by whoever took the place.
struct place {
    nx_handle memory; // mapped there; NX_HANDLE_NONE: nothing is
    nx_handle exited; // notification of the thread's end
    nx_handle thread; // the kernel's, to be started anew; NX_HANDLE_NONE: none
    uint64_t base;    // of the mapping
    uint64_t stack_bytes;
    struct thread_layout layout; // for a stack of so many bytes
};

// The first places keep their memory when their thread has ended, for the next thread.
#define WARM_PLACES 8u

static struct place places[NX_THREADS_MAX];
static _Atomic uint64_t places_used; // by a thread, or warm
static _Atomic uint64_t places_warm; // kept, and free to take

// Takes a place, one that is warm if there is any.
static enum nx_status place_take(uint32_t *slot)
{
    uint64_t warm = atomic_load_explicit(&places_warm, memory_order_relaxed);
    while (warm != 0) {
        // Acquire, here and below, pairs with the release in place_release: what the last owner did
        // with the place is done.
        if (atomic_compare_exchange_weak_explicit(&places_warm, &warm, warm & (warm - 1),
                                                  memory_order_acquire, memory_order_relaxed)) {
            for (*slot = 0; (warm >> *slot & 1) == 0; (*slot)++) {
            }
            return NX_OK;
        }
    }
    uint64_t used = atomic_load_explicit(&places_used, memory_order_relaxed);
    for (;;) {
        if (used == UINT64_MAX) {
            return NX_ERR_NO_MEMORY;
        }
        uint32_t free_slot = (uint32_t)__builtin_ctzll(~used);
        if (atomic_compare_exchange_weak_explicit(&places_used, &used, used | 1ull << free_slot,
                                                  memory_order_acquire, memory_order_relaxed)) {
            *slot = free_slot;
            return NX_OK;
        }
    }
}

// Takes away what the place has.
static void place_clear(struct place *place)
{
    nx_handle_drop(place->thread);
    nx_handle_drop(place->exited);
    nx_handle_drop(place->memory);
    nx_unmap((void *)place->base);
    *place = (struct place){0};
}

static void place_release(uint32_t slot)
{
    if (slot < WARM_PLACES && places[slot].thread != NX_HANDLE_NONE) {
        atomic_fetch_or_explicit(&places_warm, 1ull << slot, memory_order_release);
        return;
    }
    place_clear(&places[slot]);
    atomic_fetch_and_explicit(&places_used, ~(1ull << slot), memory_order_release);
}

// Gives the place memory for a stack of this size and a notification, unless it has them.
static enum nx_status place_fill(uint32_t slot, uint64_t stack_bytes)
{
    struct place *place = &places[slot];
    if (place->stack_bytes == stack_bytes) {
        return NX_OK;
    }
    place_clear(place);
    place->layout = thread_layout_of(stack_bytes);
    uint64_t length = place->layout.length;
    enum nx_status status = nx_notification_create(&place->exited);
    if (status == NX_OK) {
        status = nx_memory_create(length, 0, &place->memory);
    }
    uint64_t base = NX_LAYOUT_THREADS + (slot + 1) * NX_LAYOUT_THREAD_STRIDE - length;
    if (status == NX_OK) {
        status = nx_memory_map(NX_HANDLE_NONE, place->memory, 0, length,
                               NX_PROT_READ | NX_PROT_WRITE, &base);
    }
    if (status == NX_OK) {
        place->base = base;
        place->stack_bytes = stack_bytes;
    } else {
        place_clear(place);
    }
    return status;
}

void nx_thread_main(struct thread_record *record)
{
    nx_thread_page = record->page;
    record->entry(record->argument);
    nx_thread_exit();
}

// The first thread of a place: makes it, and binds its end to the place's notification.
static enum nx_status thread_make(struct place *place, const struct nx_thread_setup *setup,
                                  uint64_t affinity, enum nx_class class)
{
    enum nx_status status = nx_thread_create(NX_HANDLE_NONE, setup, &place->thread);
    if (status == NX_OK) {
        status =
            nx_thread_control(place->thread, NX_THREAD_SET_EXIT, place->exited, THREAD_EXITED_BIT);
    }
    if (status == NX_OK && affinity != 0) {
        status = nx_thread_control(place->thread, NX_THREAD_SET_AFFINITY, affinity, 0);
    }
    if (status == NX_OK && class != NX_CLASS_COUNT) {
        status = nx_thread_control(place->thread, NX_THREAD_SET_CLASS, class, 0);
    }
    return status == NX_OK ? nx_thread_start(place->thread) : status;
}

// Writes the thread's record and starts it.
static enum nx_status thread_begin(struct place *place, const struct nx_thread_options *options,
                                   void (*entry)(void *), void *argument)
{
    const struct thread_layout *layout = &place->layout;
    uint64_t base = place->base;
    uint64_t affinity = options != NULL ? options->affinity : 0;
    enum nx_class class =
        options != NULL && options->class >= 0 ? (enum nx_class)options->class : NX_CLASS_COUNT;
    struct thread_record *record = (struct thread_record *)(base + layout->stack_top);
    *record =
        (struct thread_record){entry, argument, (struct nx_message_page *)(base + layout->page)};
    nx_tls_initialise((void *)(base + layout->tls));
    struct nx_thread_setup setup = {
        .entry = (uint64_t)nx_thread_entry,
        .stack_pointer = (uint64_t)record,
        .argument = (uint64_t)record,
        .thread_pointer = base + layout->tls,
        .page_memory = place->memory,
        .page_offset = layout->page,
    };
    if (place->thread != NX_HANDLE_NONE) {
        return nx_thread_restart(place->thread, &setup, affinity, class);
    }
    return thread_make(place, &setup, affinity, class);
}

enum nx_status nx_thread_spawn(const struct nx_thread_options *options, void (*entry)(void *),
                               void *argument, struct nx_thread *thread)
{
    uint64_t stack_bytes =
        options != NULL && options->stack_bytes != 0 ? options->stack_bytes : STACK_BYTES_DEFAULT;
    if (stack_bytes > STACK_BYTES_MAX) {
        return NX_ERR_TOO_LARGE;
    }
    *thread = (struct nx_thread){0};
    uint32_t slot;
    enum nx_status status = place_take(&slot);
    if (status != NX_OK) {
        return status;
    }
    struct place *place = &places[slot];
    status = place_fill(slot, stack_bytes);
    if (status == NX_OK) {
        status = thread_begin(place, options, entry, argument);
    }
    if (status != NX_OK) {
        place_clear(place);
        place_release(slot);
        return status;
    }
    *thread = (struct nx_thread){place->thread, place->exited, place->base, slot};
    return NX_OK;
}

enum nx_status nx_thread_join(struct nx_thread *thread)
{
    uint64_t bits;
    enum nx_status status = nx_notification_wait(thread->exited, NX_DEADLINE_NEVER, &bits);
    if (status == NX_OK) {
        place_release(thread->slot);
    }
    return status;
}
