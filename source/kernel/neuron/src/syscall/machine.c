// SPDX-License-Identifier: Apache-2.0
// System calls on the machine: interrupts, harts, power, diagnosis, the kernel log.
#include "core/machine.h"
#include "arch/arch.h"
#include "arch_inline.h"
#include "core/hart.h"
#include "core/log.h"
#include "ipc/interrupt.h"
#include "ipc/notification.h"
#include "mm/frame.h"
#include "nexus/info.h"
#include "nexus/message.h"
#include "object/pool.h"
#include "object/process.h"
#include "object/reclaim.h"
#include "sched/thread.h"
#include "syscall/syscall.h"
#include <string.h>

#define INTERRUPT_RIGHTS (NX_RIGHT_DUPLICATE | NX_RIGHT_TRANSFER | NX_RIGHT_WAIT)

// --- Interrupts
// -----------------------------------------------------------------------------------

enum nx_status sys_interrupt_create(struct thread *current, const uint64_t *arguments)
{
    TRY(syscall_check(current, arguments[0], NX_OBJECT_MACHINE, NX_RIGHT_DEVICE));
    struct interrupt *interrupt;
    TRY(interrupt_create(current->process, arguments[1], &interrupt));
    return syscall_return_new(current, &interrupt->object, NX_OBJECT_INTERRUPT, INTERRUPT_RIGHTS);
}

static enum nx_status find_interrupt(struct thread *current, uint64_t handle,
                                     struct interrupt **interrupt)
{
    struct handle_value value;
    enum nx_status status = handle_lookup(&current->process->handles, handle, NX_OBJECT_INTERRUPT,
                                          NX_RIGHT_WAIT, &value);
    if (status == NX_OK)
        *interrupt = CONTAINER_OF(value.object, struct interrupt, object);
    return status;
}

// A notification to be signalled with bits; both are required.
static enum nx_status find_signal(struct thread *current, uint64_t handle, uint64_t bits,
                                  struct notification **notification)
{
    TRY(syscall_notification(current, handle, NX_RIGHT_SIGNAL, notification));
    return bits != 0 ? NX_OK : NX_ERR_INVALID_ARGUMENT;
}

enum nx_status sys_interrupt_bind(struct thread *current, const uint64_t *arguments)
{
    struct interrupt *interrupt;
    TRY(find_interrupt(current, arguments[0], &interrupt));
    struct notification *notification;
    TRY(find_signal(current, arguments[1], arguments[2], &notification));
    return interrupt_bind(interrupt, notification, arguments[2]);
}

enum nx_status sys_interrupt_ack(struct thread *current, const uint64_t *arguments)
{
    struct interrupt *interrupt;
    TRY(find_interrupt(current, arguments[0], &interrupt));
    return interrupt_acknowledge(interrupt);
}

// --- Harts and power
// ------------------------------------------------------------------------------

enum nx_status sys_hart_control(struct thread *current, const uint64_t *arguments)
{
    TRY(syscall_check(current, arguments[0], NX_OBJECT_MACHINE, NX_RIGHT_HARTS));
    if (arguments[1] >= hart_count())
        return NX_ERR_OUT_OF_RANGE;
    struct hart_index index = {(uint32_t)arguments[1]};
    if (arguments[2] == NX_HART_START)
        return hart_start(index);
    if (arguments[2] == NX_HART_STOP)
        return hart_stop(index);
    return NX_ERR_INVALID_ARGUMENT;
}

enum nx_status sys_system_reset(struct thread *current, const uint64_t *arguments)
{
    TRY(syscall_check(current, arguments[0], NX_OBJECT_MACHINE, NX_RIGHT_POWER));
    if (arguments[1] > NX_RESET_FAILURE)
        return NX_ERR_INVALID_ARGUMENT;
    return arch_system_reset((uint32_t)arguments[1]);
}

// --- Diagnosis
// ------------------------------------------------------------------------------------

// Each writes its record and returns its size; 0: there is none of that index.
static size_t describe_system(uint64_t index, void *buffer)
{
    if (index != 0)
        return 0;
    uint64_t retired = reclaim_retired_count();
    uint64_t done = reclaim_done_count();
    const struct nx_info_system record = {
        .harts = hart_count(),
        .harts_online = (uint32_t)__builtin_popcount(hart_online_mask()),
        .timebase_hz = machine.timebase_hz,
        .boot_hart_id = harts[0].id.value,
        .sbi_spec_version = arch_firmware.spec_version,
        .sbi_implementation_id = arch_firmware.implementation_id,
        .sbi_implementation_version = arch_firmware.implementation_version,
        .sbi_extensions = arch_firmware.extensions,
        .sstc = arch_has_sstc(),
        .checks = sizeof(struct lock_check) > 1,
        .asid_bits = arch_asid_bits(),
        .frames_total = frame_total_count(),
        .frames_free = frame_free_count(),
        .boot_ticks = counter_read(&harts[0].online_since),
        .objects_retired = retired > done ? retired - done : 0,
        .objects_reclaimed = done,
        .frames_pooled = counter_read(&pool_frames),
        .pooled_bytes = counter_read(&pool_bytes),
    };
    memcpy(buffer, &record, sizeof(record));
    return sizeof(record);
}

static size_t describe_hart(uint64_t index, void *buffer)
{
    if (index >= hart_count())
        return 0;
    const struct hart *hart = &harts[index];
    uint32_t state = atomic_load_explicit(&hart->state, memory_order_relaxed);
    // A hart that sleeps now has not booked this sleep yet.
    uint64_t now = arch_time();
    uint64_t since = counter_read(&hart->idle_since);
    uint64_t sleeping = since != 0 && since < now ? now - since : 0;
    struct nx_info_hart record = {
        .hart_id = hart->id.value,
        .state = state,
        .run_queue_length = atomic_load_explicit(&hart->run_queue.length, memory_order_relaxed),
        .ticks = counter_read(&hart->ticks),
        .idle_time = counter_read(&hart->idle_time) + sleeping,
        .online_time = state == NX_HART_ONLINE ? now - counter_read(&hart->online_since) : 0,
        .ipi_requested = counter_read(&hart->ipi.requested),
        .ipi_coalesced = counter_read(&hart->ipi.coalesced),
        .ipi_sent = counter_read(&hart->ipi.sent),
        .ipi_trapped = counter_read(&hart->ipi.trapped),
        .ipi_dispatched = counter_read(&hart->ipi.dispatched),
        .steals = counter_read(&hart->steals),
        .switches = counter_read(&hart->switches),
        .interrupts = counter_read(&hart->interrupts),
        .timer_interrupts = counter_read(&hart->timer_interrupts),
        .lock_contended = counter_read(&hart->lock_contended),
        .set_timer_calls = counter_read(&hart->set_timer_calls),
    };
    for (uint32_t i = 0; i < NX_HARTS_MAX; i++) {
        record.ipi_sent_to[i] = counter_read(&hart->ipi.sent_to[i]);
        record.ipi_received_from[i] = counter_read(&hart->ipi.received_from[i]);
    }
    memcpy(buffer, &record, sizeof(record));
    return sizeof(record);
}

static size_t describe_process(uint64_t index, void *buffer)
{
    struct process *process;
    if (!process_at(index, &process))
        return 0;
    uint64_t used = atomic_load_explicit(&process->used, memory_order_relaxed);
    struct nx_info_process record = {
        .id = process->id,
        .state = atomic_load_explicit(&process->state, memory_order_relaxed),
        .pages_used = round_up(used, NX_PAGE_SIZE) / NX_PAGE_SIZE,
        .pages_budget = counter_read(&process->budget) / NX_PAGE_SIZE,
        .run_time = atomic_load_explicit(&process->run_time, memory_order_relaxed),
    };
    memcpy(record.name, process->name, sizeof(record.name));
    lock_acquire(&process->lock);
    record.threads = process->thread_count;
    lock_release(&process->lock);
    lock_acquire(&process->handles.lock);
    record.handles = process->handles.used;
    lock_release(&process->handles.lock);
    memcpy(buffer, &record, sizeof(record));
    return sizeof(record);
}

static size_t describe_interrupt(uint64_t index, void *buffer)
{
    struct nx_info_interrupt record;
    if (!interrupt_describe(index, &record))
        return 0;
    memcpy(buffer, &record, sizeof(record));
    return sizeof(record);
}

enum nx_status sys_system_info(struct thread *current, const uint64_t *arguments)
{
    typedef size_t (*describer)(uint64_t index, void *buffer);
    static const describer describers[] = {
        [NX_INFO_SYSTEM] = describe_system,
        [NX_INFO_HART] = describe_hart,
        [NX_INFO_PROCESS] = describe_process,
        [NX_INFO_INTERRUPT] = describe_interrupt,
    };
    TRY(syscall_check(current, arguments[0], NX_OBJECT_MACHINE, NX_RIGHT_INSPECT));
    if (arguments[1] >= ARRAY_LENGTH(describers))
        return NX_ERR_INVALID_ARGUMENT;
    size_t size = describers[arguments[1]](arguments[2], current->page->data);
    if (size == 0)
        return NX_ERR_NOT_FOUND;
    arch_set_result(current, 0, size);
    return NX_OK;
}

// --- Kernel log
// -----------------------------------------------------------------------------------

enum nx_status sys_log_write(struct thread *current, const uint64_t *arguments)
{
    TRY(syscall_check(current, arguments[0], NX_OBJECT_LOG, NX_RIGHT_WRITE));
    if (arguments[1] == 0 || arguments[1] > NX_MESSAGE_BYTES_MAX)
        return NX_ERR_INVALID_ARGUMENT;
    log_write((const char *)current->page->data, arguments[1]);
    return NX_OK;
}

enum nx_status sys_log_read(struct thread *current, const uint64_t *arguments)
{
    TRY(syscall_check(current, arguments[0], NX_OBJECT_LOG, NX_RIGHT_READ));
    uint64_t cursor = arguments[1];
    uint64_t lost;
    size_t length = log_read(&cursor, (char *)current->page->data, NX_MESSAGE_BYTES_MAX, &lost);
    arch_set_result(current, 0, cursor);
    arch_set_result(current, 1, length);
    arch_set_result(current, 2, lost);
    return NX_OK;
}

enum nx_status sys_log_bind(struct thread *current, const uint64_t *arguments)
{
    TRY(syscall_check(current, arguments[0], NX_OBJECT_LOG, NX_RIGHT_READ));
    struct notification *notification;
    TRY(find_signal(current, arguments[1], arguments[2], &notification));
    uint64_t cursor;
    enum nx_status status = log_bind(notification, arguments[2], &cursor);
    if (status == NX_OK)
        arch_set_result(current, 0, cursor);
    return status;
}
