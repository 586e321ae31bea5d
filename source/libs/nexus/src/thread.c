// SPDX-License-Identifier: Apache-2.0
// Threads of this process.
//
// The thread area is a part of the address space that the kernel does not choose addresses from:
// NX_THREADS_MAX places of one stride each. A thread's one mapping ends where its place ends,
//
//     place                                                              place + stride
//     | unmapped: the guard | stack, grows down | TLS | message page |
//
// so that a stack overflow always faults in the unmapped part below.
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

static _Atomic uint64_t places_used;

static enum nx_status place_take(uint32_t *slot)
{
    uint64_t used = atomic_load_explicit(&places_used, memory_order_relaxed);
    for (;;) {
        if (used == UINT64_MAX) {
            return NX_ERR_NO_MEMORY;
        }
        uint32_t free_slot = (uint32_t)__builtin_ctzll(~used);
        // Acquire pairs with the release in place_release: the old mapping is gone.
        if (atomic_compare_exchange_weak_explicit(&places_used, &used, used | 1ull << free_slot,
                                                  memory_order_acquire, memory_order_relaxed)) {
            *slot = free_slot;
            return NX_OK;
        }
    }
}

static void place_release(uint32_t slot)
{
    atomic_fetch_and_explicit(&places_used, ~(1ull << slot), memory_order_release);
}

void nx_thread_main(struct thread_record *record)
{
    nx_thread_page = record->page;
    record->entry(record->argument);
    nx_thread_exit();
}

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

static enum nx_status thread_begin(const struct nx_thread_options *options,
                                   const struct nx_thread *thread)
{
    enum nx_status status =
        nx_thread_control(thread->handle, NX_THREAD_SET_EXIT, thread->exited, THREAD_EXITED_BIT);
    if (status == NX_OK && options != NULL && options->affinity != 0) {
        status = nx_thread_control(thread->handle, NX_THREAD_SET_AFFINITY, options->affinity, 0);
    }
    if (status == NX_OK && options != NULL && options->class >= 0) {
        status =
            nx_thread_control(thread->handle, NX_THREAD_SET_CLASS, (uint64_t)options->class, 0);
    }
    if (status == NX_OK) {
        status = nx_thread_start(thread->handle);
    }
    return status;
}

// Maps the thread's memory, writes its record and creates the kernel thread.
static enum nx_status thread_build(const struct thread_layout *layout, void (*entry)(void *),
                                   void *argument, struct nx_thread *thread)
{
    nx_handle memory;
    enum nx_status status = nx_memory_create(layout->length, 0, &memory);
    if (status != NX_OK) {
        return status;
    }
    uint64_t base =
        NX_LAYOUT_THREADS + (thread->slot + 1) * NX_LAYOUT_THREAD_STRIDE - layout->length;
    status = nx_memory_map(NX_HANDLE_NONE, memory, 0, layout->length, NX_PROT_READ | NX_PROT_WRITE,
                           &base);
    if (status != NX_OK) {
        nx_handle_drop(memory);
        return status;
    }
    thread->base = base;
    struct thread_record *record = (struct thread_record *)(base + layout->stack_top);
    *record =
        (struct thread_record){entry, argument, (struct nx_message_page *)(base + layout->page)};
    nx_tls_initialise((void *)(base + layout->tls));
    struct nx_thread_setup setup = {
        .entry = (uint64_t)nx_thread_entry,
        .stack_pointer = (uint64_t)record,
        .argument = (uint64_t)record,
        .thread_pointer = base + layout->tls,
        .page_memory = memory,
        .page_offset = layout->page,
    };
    status = nx_thread_create(NX_HANDLE_NONE, &setup, &thread->handle);
    nx_handle_drop(memory);
    return status;
}

static void thread_free(struct nx_thread *thread)
{
    nx_handle_drop(thread->handle);
    nx_handle_drop(thread->exited);
    nx_unmap((void *)thread->base);
    place_release(thread->slot);
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
    enum nx_status status = place_take(&thread->slot);
    if (status != NX_OK) {
        return status;
    }
    struct thread_layout layout = thread_layout_of(stack_bytes);
    status = nx_notification_create(&thread->exited);
    if (status == NX_OK) {
        status = thread_build(&layout, entry, argument, thread);
    }
    if (status == NX_OK) {
        status = thread_begin(options, thread);
    }
    if (status != NX_OK) {
        thread_free(thread);
    }
    return status;
}

enum nx_status nx_thread_join(struct nx_thread *thread)
{
    uint64_t bits;
    enum nx_status status = nx_notification_wait(thread->exited, NX_DEADLINE_NEVER, &bits);
    if (status == NX_OK) {
        thread_free(thread);
    }
    return status;
}
