// SPDX-License-Identifier: Apache-2.0
// Kernel objects: references, charging, and the dispatch of destruction by type.
#include "object/object.h"

#include "core/panic.h"
#include "ipc/endpoint.h"
#include "ipc/interrupt.h"
#include "ipc/notification.h"
#include "mm/memory.h"
#include "object/pool.h"
#include "object/process.h"
#include "object/reclaim.h"
#include "sched/thread.h"

typedef enum destroy_result (*destroy_step)(struct object *object);

static enum destroy_result destroy_nothing(struct object *object)
{
    (void)object;
    return DESTROY_FREE;
}

static const destroy_step destroy_steps[NX_OBJECT_TYPES] = {
    [NX_OBJECT_PROCESS] = process_destroy_step,
    [NX_OBJECT_THREAD] = thread_destroy_step,
    [NX_OBJECT_MEMORY] = memory_destroy_step,
    [NX_OBJECT_ENDPOINT] = endpoint_destroy_step,
    [NX_OBJECT_NOTIFICATION] = notification_destroy_step,
    [NX_OBJECT_INTERRUPT] = interrupt_destroy_step,
    [NX_OBJECT_MACHINE] = destroy_nothing,
    [NX_OBJECT_LOG] = destroy_nothing,
};

enum nx_status object_create(struct process *process, enum nx_object_type type, size_t size,
                             size_t offset, struct object **object)
{
    if (process != NULL)
        TRY(process_charge(process, size));
    char *memory = pool_alloc(size);
    if (memory == NULL) {
        if (process != NULL)
            process_uncharge(process, size);
        return NX_ERR_NO_MEMORY;
    }
    if (process != NULL)
        object_acquire(&process->object);
    struct object *created = (struct object *)(void *)(memory + offset);
    created->type = (uint8_t)type;
    created->offset = (uint16_t)offset;
    created->size = (uint32_t)size;
    created->charged_to = process;
    atomic_init(&created->references, 1);
    *object = created;
    return NX_OK;
}

void object_discard(struct object *object)
{
    struct process *process = object->charged_to;
    size_t size = object->size;
    pool_free((char *)object - object->offset);
    if (process != NULL) {
        process_uncharge(process, size);
        object_release(&process->object);
    }
}

void object_acquire(struct object *object)
{
    uint32_t before = atomic_fetch_add_explicit(&object->references, 1, memory_order_relaxed);
    ASSERT(before != 0 && before != UINT32_MAX);
}

bool object_try_acquire(struct object *object)
{
    uint32_t references = atomic_load_explicit(&object->references, memory_order_relaxed);
    do {
        if (references == 0 || references == UINT32_MAX)
            return false;
    } while (!atomic_compare_exchange_weak_explicit(&object->references, &references,
                                                    references + 1, memory_order_relaxed,
                                                    memory_order_relaxed));
    return true;
}

void object_release(struct object *object)
{
    // Release: everything done through this reference is visible to whoever destroys the object.
    uint32_t before = atomic_fetch_sub_explicit(&object->references, 1, memory_order_acq_rel);
    ASSERT(before != 0);
    if (before == 1)
        reclaim_retire(object);
}

bool object_destroy_step(struct object *object)
{
    ASSERT(object->type < NX_OBJECT_TYPES && destroy_steps[object->type] != NULL);
    enum destroy_result result =
        object->unlinked ? DESTROY_FREE : destroy_steps[object->type](object);
    if (result == DESTROY_FREE) {
        object_discard(object);
    } else if (result == DESTROY_UNLINKED) {
        object->unlinked = true;
        reclaim_retire(object);
    }
    return result != DESTROY_MORE;
}
