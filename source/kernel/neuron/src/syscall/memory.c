// SPDX-License-Identifier: Apache-2.0
// System calls on memory objects and mappings.
#include "mm/memory.h"

#include "arch/arch.h"
#include "arch_inline.h"
#include "core/machine.h"
#include "nexus/message.h"
#include "object/process.h"
#include "sched/thread.h"
#include "syscall/syscall.h"

#define MEMORY_RIGHTS                                                                              \
    (NX_RIGHT_DUPLICATE | NX_RIGHT_TRANSFER | NX_RIGHT_READ | NX_RIGHT_WRITE | NX_RIGHT_EXECUTE)
// Sv39 translates to 56-bit physical addresses.
#define PHYSICAL_ADDRESS_END (1ull << 56)

// Pages that one call commits before it runs again.
#define COMMIT_STEP 16u

#define DEVICE_RIGHTS (NX_RIGHT_DUPLICATE | NX_RIGHT_TRANSFER | NX_RIGHT_READ | NX_RIGHT_WRITE)

static enum nx_status find_memory(struct thread *current, uint64_t handle, uint32_t rights,
                                  struct memory **memory)
{
    struct handle_value value;
    enum nx_status status =
        handle_lookup(&current->process->handles, handle, NX_OBJECT_MEMORY, rights, &value);
    if (status == NX_OK)
        *memory = CONTAINER_OF(value.object, struct memory, object);
    return status;
}

// What is left of a long call runs after whatever else wants the hart.
static enum nx_status restart(struct thread *current, uint64_t a0, uint64_t a1, uint64_t a2,
                              uint64_t number)
{
    const uint64_t rest[SYSCALL_ARGUMENTS] = {a0, a1, a2, 0, 0, 0, 0, number};
    arch_restart_syscall(current, rest);
    return STATUS_SWITCHED;
}

enum nx_status sys_memory_create(struct thread *current, const uint64_t *arguments)
{
    struct memory *memory;
    enum nx_status status;
    if (arguments[1] == 0)
        status = memory_create_paged(current->process, arguments[0], &memory);
    else if (arguments[1] == NX_MEMORY_CONTIGUOUS)
        status = memory_create_contiguous(current->process, arguments[0], &memory);
    else
        return NX_ERR_INVALID_ARGUMENT;
    if (status != NX_OK)
        return status;
    return syscall_return_new(current, &memory->object, NX_OBJECT_MEMORY, MEMORY_RIGHTS);
}

static enum nx_status check_range(const struct memory *memory, uint64_t offset, uint64_t length)
{
    if (!is_aligned(offset | length, NX_PAGE_SIZE))
        return NX_ERR_INVALID_ARGUMENT;
    if (offset > memory->size || length > memory->size - offset)
        return NX_ERR_OUT_OF_RANGE;
    return NX_OK;
}

enum nx_status sys_memory_commit(struct thread *current, const uint64_t *arguments)
{
    struct memory *memory;
    TRY(find_memory(current, arguments[0], NX_RIGHT_WRITE, &memory));
    uint64_t offset = arguments[1];
    uint64_t length = arguments[2];
    enum nx_status status = check_range(memory, offset, length);
    for (uint32_t pages = 1; status == NX_OK && length > 0; pages++) {
        paddr_t frame;
        status = memory_commit_page(memory, offset / NX_PAGE_SIZE, &frame);
        if (status != NX_OK)
            break;
        offset += NX_PAGE_SIZE;
        length -= NX_PAGE_SIZE;
        if (length > 0 && (pages == COMMIT_STEP || syscall_should_pause()))
            return restart(current, arguments[0], offset, length, NX_SYS_MEMORY_COMMIT);
    }
    return status;
}

static uint32_t rights_for(uint64_t prot)
{
    uint32_t rights = 0;
    if ((prot & NX_PROT_READ) != 0)
        rights |= NX_RIGHT_READ;
    if ((prot & NX_PROT_WRITE) != 0)
        rights |= NX_RIGHT_READ | NX_RIGHT_WRITE; // Sv39 has no page that is only writable
    if ((prot & NX_PROT_EXECUTE) != 0)
        rights |= NX_RIGHT_EXECUTE;
    return rights;
}

// Fills the mapping that starts at `address` from `cursor` on; the result is the address.
static enum nx_status populate(struct thread *current, struct process *process, uint64_t handle,
                               uint64_t address, uint64_t cursor)
{
    bool done = false;
    TRY(address_space_populate_some(&process->space, address, &cursor, &done));
    // A step may have zeroed all its pages, which is as long as a call may take.
    if (!done)
        return restart(current, handle, address, cursor, NX_SYS_MEMORY_POPULATE);
    arch_set_result(current, 0, address);
    return NX_OK;
}

enum nx_status sys_memory_map(struct thread *current, const uint64_t *arguments)
{
    struct process *process;
    TRY(syscall_process(current, arguments[0], NX_RIGHT_MANAGE, &process));
    uint64_t prot = arguments[5];
    if (prot > UINT32_MAX)
        return NX_ERR_INVALID_ARGUMENT;
    struct memory *memory;
    TRY(find_memory(current, arguments[1], rights_for(prot), &memory));
    if (memory->device && (prot & NX_PROT_EXECUTE) != 0)
        return NX_ERR_ACCESS_DENIED;
    uint64_t address = arguments[3];
    TRY(address_space_map(&process->space, memory, arguments[2], arguments[4], (uint32_t)prot,
                          &address));
    if ((prot & NX_PROT_POPULATE) != 0)
        return populate(current, process, arguments[0], address, 0);
    arch_set_result(current, 0, address);
    return NX_OK;
}

enum nx_status sys_memory_populate(struct thread *current, const uint64_t *arguments)
{
    struct process *process;
    TRY(syscall_process(current, arguments[0], NX_RIGHT_MANAGE, &process));
    if (!is_aligned(arguments[2], NX_PAGE_SIZE))
        return NX_ERR_INVALID_ARGUMENT;
    return populate(current, process, arguments[0], arguments[1], arguments[2]);
}

enum nx_status sys_memory_unmap(struct thread *current, const uint64_t *arguments)
{
    struct process *process;
    TRY(syscall_process(current, arguments[0], NX_RIGHT_MANAGE, &process));
    bool done = false;
    while (!done) {
        TRY(address_space_unmap_some(&process->space, arguments[1], &done));
        if (!done && syscall_should_pause())
            return restart(current, arguments[0], arguments[1], 0, NX_SYS_MEMORY_UNMAP);
    }
    return NX_OK;
}

enum nx_status sys_memory_physical(struct thread *current, const uint64_t *arguments)
{
    TRY(syscall_check(current, arguments[0], NX_OBJECT_MACHINE, NX_RIGHT_DMA));
    struct memory *memory;
    TRY(find_memory(current, arguments[1], NX_RIGHT_WRITE, &memory));
    uint64_t offset = arguments[2];
    uint64_t length = arguments[3];
    if (memory->device || length == 0)
        return NX_ERR_INVALID_ARGUMENT;
    if (offset > memory->size || length > memory->size - offset)
        return NX_ERR_OUT_OF_RANGE;
    if (length > NX_MEMORY_PHYSICAL_MAX)
        return NX_ERR_TOO_LARGE;
    atomic_store_explicit(&current->process->holds, 1, memory_order_relaxed);
    struct nx_extent *extents = (struct nx_extent *)(void *)current->page->data;
    struct nx_extent extent = {0};
    uint64_t count = 0;
    for (uint32_t committed = 0; length > 0;) {
        paddr_t frame;
        uint64_t page = offset / NX_PAGE_SIZE;
        uint64_t in_page = offset % NX_PAGE_SIZE;
        uint64_t pages = (in_page + length + NX_PAGE_SIZE - 1) / NX_PAGE_SIZE;
        uint64_t run = memory_find_run(memory, page, pages, &frame);
        if (run == 0) {
            TRY(memory_commit_page(memory, page, &frame));
            if (++committed == COMMIT_STEP || syscall_should_pause()) {
                // From the start: what is committed stays so, and then goes fast.
                arch_restart_syscall(current, arguments);
                return STATUS_SWITCHED;
            }
            continue;
        }
        uint64_t piece = run * NX_PAGE_SIZE - in_page;
        piece = piece < length ? piece : length;
        if (extent.length > 0 && extent.address + extent.length == frame.value + in_page) {
            extent.length += piece;
        } else {
            if (count == NX_EXTENTS_MAX)
                return NX_ERR_TOO_LARGE;
            extent = (struct nx_extent){frame.value + in_page, piece};
            count++;
        }
        // The page belongs to the caller, who may change it; it is written, never read.
        extents[count - 1] = extent;
        offset += piece;
        length -= piece;
    }
    arch_set_result(current, 0, count);
    return NX_OK;
}

static bool overlaps(struct physical_range range, uint64_t base, uint64_t size)
{
    return base < range.base.value + range.size && range.base.value < base + size;
}

// Device memory must not be RAM, nor the interrupt controller, which is the kernel's.
static bool is_device_window(uint64_t base, uint64_t size)
{
    for (uint32_t i = 0; i < machine.memory_count; i++)
        if (overlaps(machine.memory[i], base, size))
            return false;
    return !(machine.has_plic && overlaps(machine.plic, base, size));
}

enum nx_status sys_memory_device_create(struct thread *current, const uint64_t *arguments)
{
    TRY(syscall_check(current, arguments[0], NX_OBJECT_MACHINE, NX_RIGHT_DEVICE));
    uint64_t base = arguments[1];
    uint64_t size = arguments[2];
    if (size > NX_MEMORY_SIZE_MAX || base > PHYSICAL_ADDRESS_END - NX_MEMORY_SIZE_MAX)
        return NX_ERR_OUT_OF_RANGE;
    if (!is_device_window(base, round_up(size, NX_PAGE_SIZE)))
        return NX_ERR_ACCESS_DENIED;
    struct memory *memory;
    TRY(memory_create_window(current->process, paddr(base), size, true, &memory));
    return syscall_return_new(current, &memory->object, NX_OBJECT_MEMORY, DEVICE_RIGHTS);
}

enum nx_status sys_memory_info(struct thread *current, const uint64_t *arguments)
{
    struct memory *memory;
    TRY(find_memory(current, arguments[0], 0, &memory));
    uint64_t flags = memory->kind == MEMORY_CONTIGUOUS ? NX_MEMORY_CONTIGUOUS : 0;
    if (memory->device)
        flags |= NX_MEMORY_DEVICE;
    arch_set_result(current, 0, memory->size);
    arch_set_result(current, 1, flags);
    arch_set_result(current, 2, atomic_load_explicit(&memory->committed, memory_order_relaxed));
    return NX_OK;
}
