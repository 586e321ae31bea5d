// SPDX-License-Identifier: Apache-2.0
// Interrupt objects: a PLIC source that signals a notification.
#include "ipc/interrupt.h"

#include "arch/arch.h"
#include "arch_inline.h"
#include "core/hart.h"
#include "core/lock_inline.h"
#include "core/machine.h"
#include "core/panic.h"
#include "ipc/notification.h"

// Claims handled per kernel entry: further ones pend and trap again.
#define CLAIMS_PER_ENTRY 8u

static _Atomic(struct interrupt *) interrupts[MACHINE_PLIC_SOURCES_MAX + 1];

enum nx_status interrupt_create(struct process *process, uint64_t source,
                                struct interrupt **interrupt)
{
    if (source == 0 || source > machine.plic_sources || source > MACHINE_PLIC_SOURCES_MAX)
        return NX_ERR_OUT_OF_RANGE;
    struct object *object;
    TRY(object_create(process, NX_OBJECT_INTERRUPT, sizeof(struct interrupt),
                      offsetof(struct interrupt, object), &object));
    struct interrupt *created = CONTAINER_OF(object, struct interrupt, object);
    created->source = (uint32_t)source;
    lock_init(&created->lock, LOCK_RANK_OBJECT);
    struct interrupt *expected = NULL;
    // Release: whoever finds the object in the table finds it initialised.
    if (!atomic_compare_exchange_strong_explicit(&interrupts[source], &expected, created,
                                                 memory_order_release, memory_order_relaxed)) {
        object_discard(object);
        return NX_ERR_BUSY;
    }
    *interrupt = created;
    return NX_OK;
}

enum nx_status interrupt_bind(struct interrupt *interrupt, struct notification *notification,
                              uint64_t bits)
{
    uint32_t chosen = hart_self()->index.value;
    if (!machine.harts[chosen].has_plic_context)
        chosen = 0;
    if (!machine.harts[chosen].has_plic_context)
        return NX_ERR_UNSUPPORTED;
    if (!object_try_acquire(&notification->object))
        return NX_ERR_BAD_HANDLE;
    lock_acquire_fast(&interrupt->lock);
    struct notification *old = interrupt->notification;
    interrupt->notification = notification;
    interrupt->bits = bits;
    if (old == NULL)
        interrupt->hart = chosen;
    struct hart_index hart = {interrupt->hart};
    arch_irq_enable(interrupt->source, hart);
    arch_irq_set_masked(interrupt->source, false);
    if (interrupt->claimed) {
        interrupt->claimed = false;
        arch_irq_complete(interrupt->source, hart);
    }
    lock_release_fast(&interrupt->lock);
    if (old != NULL)
        object_release(&old->object);
    return NX_OK;
}

enum nx_status interrupt_acknowledge(struct interrupt *interrupt)
{
    enum nx_status status = NX_ERR_BAD_STATE;
    lock_acquire_fast(&interrupt->lock);
    if (interrupt->claimed) {
        interrupt->claimed = false;
        interrupt->acknowledged++;
        arch_irq_complete(interrupt->source, (struct hart_index){interrupt->hart});
        status = NX_OK;
    }
    lock_release_fast(&interrupt->lock);
    return status;
}

static void deliver(uint32_t source)
{
    struct hart *hart = hart_self();
    struct interrupt *interrupt = NULL;
    if (source <= MACHINE_PLIC_SOURCES_MAX)
        // Acquire: pairs with the release in interrupt_create.
        interrupt = atomic_load_explicit(&interrupts[source], memory_order_acquire);
    if (interrupt == NULL) {
        // No object, so nobody has enabled it: a claim that was on its way when its object went.
        // The object's end has masked it; masking here could hit a new object's source.
        arch_irq_complete(source, hart->index);
        return;
    }
    lock_acquire_fast(&interrupt->lock);
    if (interrupt->notification == NULL) {
        // Not bound, or being destroyed. A later bind unmasks it, under this lock.
        arch_irq_set_masked(source, true);
        arch_irq_complete(source, hart->index);
        lock_release_fast(&interrupt->lock);
        return;
    }
    interrupt->claimed = true;
    interrupt->count++;
    struct notification *notification = interrupt->notification;
    uint64_t bits = interrupt->bits;
    lock_release_fast(&interrupt->lock);
    // Unbound meanwhile or not, the notification lives until this hart leaves the kernel.
    notification_signal(notification, bits);
}

void interrupt_deliver_claimed(void)
{
    struct hart *hart = hart_self();
    for (uint32_t i = 0; i < CLAIMS_PER_ENTRY; i++) {
        uint32_t source = arch_irq_claim();
        if (source == 0)
            return;
        counter_add(&hart->interrupts, 1);
        deliver(source);
        // A claim costs more than this look.
        if ((arch_interrupts_pending() & ARCH_INTERRUPT_EXTERNAL) == 0)
            return;
    }
}

void interrupt_move_all(struct hart *from, struct hart *to)
{
    for (uint32_t source = 1; source <= machine.plic_sources; source++) {
        struct interrupt *interrupt =
            atomic_load_explicit(&interrupts[source], memory_order_acquire);
        if (interrupt == NULL)
            continue;
        lock_acquire_fast(&interrupt->lock);
        if (interrupt->hart == from->index.value && interrupt->notification != NULL) {
            if (interrupt->claimed) {
                // Completed on the context that claimed it; still asserted, it is claimed anew.
                interrupt->claimed = false;
                arch_irq_complete(source, from->index);
            }
            arch_irq_disable(source, from->index);
            interrupt->hart = to->index.value;
            arch_irq_enable(source, to->index);
        }
        lock_release_fast(&interrupt->lock);
    }
}

bool interrupt_describe(uint64_t index, struct nx_info_interrupt *record)
{
    for (uint32_t source = 1; source <= machine.plic_sources; source++) {
        struct interrupt *interrupt =
            atomic_load_explicit(&interrupts[source], memory_order_acquire);
        if (interrupt == NULL || index-- > 0)
            continue;
        lock_acquire_fast(&interrupt->lock);
        *record = (struct nx_info_interrupt){
            .source = source,
            .bound = interrupt->notification != NULL,
            .count = interrupt->count,
            .acknowledged = interrupt->acknowledged,
            .hart = interrupt->hart,
            .context = arch_irq_context((struct hart_index){interrupt->hart}),
        };
        lock_release_fast(&interrupt->lock);
        return true;
    }
    return false;
}

enum destroy_result interrupt_destroy_step(struct object *object)
{
    // Still in the table: an interrupt that fires finds it, and finds its lock, until it is
    // disabled.
    struct interrupt *interrupt = CONTAINER_OF(object, struct interrupt, object);
    struct hart_index hart = {interrupt->hart};
    if (interrupt->notification != NULL) {
        lock_acquire_fast(&interrupt->lock);
        struct notification *notification = interrupt->notification;
        interrupt->notification = NULL;
        if (interrupt->claimed)
            arch_irq_complete(interrupt->source, hart);
        arch_irq_set_masked(interrupt->source, true);
        arch_irq_disable(interrupt->source, hart);
        lock_release_fast(&interrupt->lock);
        object_release(&notification->object);
    }
    atomic_store_explicit(&interrupts[interrupt->source], NULL, memory_order_release);
    return DESTROY_UNLINKED;
}
