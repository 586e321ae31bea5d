// SPDX-License-Identifier: Apache-2.0
// The first process: nexus-init, loaded from the boot archive.
//
// Read-only segments are mapped straight from the archive's own pages where it aligns them; the
// rest is copied. The program finds its handles in the start area of its message page (message.h).
#include "core/bootstrap.h"

#include "arch/arch.h"
#include "arch_inline.h"
#include "core/log.h"
#include "core/machine.h"
#include "core/panic.h"
#include "cpio/cpio.h"
#include "elf/elf.h"
#include "mm/frame.h"
#include "mm/memory.h"
#include "nexus/message.h"
#include "object/process.h"
#include "sched/thread.h"
#include <string.h>

#define INIT_NAME "nexus-init"

#define STACK_SIZE   (16 * NX_PAGE_SIZE)
#define STACK_TOP    (NX_USER_END - NX_PAGE_SIZE)
#define PAGE_ADDRESS (STACK_TOP - STACK_SIZE - 2 * NX_PAGE_SIZE)

// Frames that stay with the kernel for objects that no process pays for.
#define KERNEL_RESERVE_FRAMES 64u

static void require(enum nx_status status, const char *what)
{
    if (status != NX_OK)
        panic("%s: %s failed with status %d", INIT_NAME, what, (int)status);
}

// --- Loading
// --------------------------------------------------------------------------------------

static uint32_t prot_of(const struct elf_segment *segment)
{
    uint32_t prot = 0;
    if ((segment->permissions & ELF_READ) != 0)
        prot |= NX_PROT_READ;
    if ((segment->permissions & ELF_WRITE) != 0)
        prot |= NX_PROT_WRITE;
    if ((segment->permissions & ELF_EXECUTE) != 0)
        prot |= NX_PROT_EXECUTE;
    return prot;
}

static void map(struct process *process, struct memory *memory, uint64_t address, uint32_t prot)
{
    require(address_space_map(&process->space, memory, 0, memory->size, prot, &address), "map");
    // The mapping holds the object.
    object_release(&memory->object);
}

// Copies a segment's file bytes into fresh pages; `lead` bytes of the first page come before it.
static struct memory *copy_segment(struct process *process, const uint8_t *file,
                                   const struct elf_segment *segment, uint64_t lead)
{
    struct memory *memory;
    require(memory_create_paged(process, lead + segment->memory_size, &memory), "segment");
    uint64_t done = 0;
    while (done < segment->file_size) {
        uint64_t position = lead + done;
        uint64_t in_page = position % NX_PAGE_SIZE;
        uint64_t length = NX_PAGE_SIZE - in_page;
        if (length > segment->file_size - done)
            length = segment->file_size - done;
        void *page;
        require(memory_page_pointer(memory, position - in_page, &page), "segment page");
        memcpy((char *)page + in_page, file + segment->file_offset + done, length);
        done += length;
    }
    return memory;
}

static void load_segment(struct process *process, const uint8_t *file,
                         const struct elf_segment *segment)
{
    uint64_t lead = segment->address % NX_PAGE_SIZE;
    uint64_t source = arch_direct_unmap(file + segment->file_offset).value;
    bool in_place = (segment->permissions & ELF_WRITE) == 0 &&
                    segment->file_size == segment->memory_size && source % NX_PAGE_SIZE == lead;
    struct memory *memory;
    if (in_place)
        require(memory_create_window(process, paddr(source - lead), lead + segment->file_size,
                                     false, &memory),
                "segment window");
    else
        memory = copy_segment(process, file, segment, lead);
    map(process, memory, segment->address - lead, prot_of(segment));
}

// --- Handles and start information
// -----------------------------------------------------------------

static void grant(struct process *process, struct nx_start_info *info, enum nx_start_id id,
                  struct object *object, enum nx_object_type type, uint32_t rights)
{
    struct handle_value value = {.object = object, .type = type, .rights = rights};
    nx_handle handle;
    require(handle_install(process, &value, &handle), "handle");
    info->handles[info->handle_count++] = (struct nx_start_handle){(uint32_t)id, handle};
}

static void grant_new(struct process *process, struct nx_start_info *info, enum nx_start_id id,
                      enum nx_object_type type, uint32_t rights)
{
    struct object *object;
    require(object_create(process, type, sizeof(struct object), 0, &object), "object");
    grant(process, info, id, object, type, rights);
    object_release(object);
}

// A read-only window over physical memory that starts and ends anywhere.
static uint64_t grant_window(struct process *process, struct nx_start_info *info,
                             enum nx_start_id id, struct physical_range range)
{
    uint64_t lead = range.base.value % NX_PAGE_SIZE;
    struct memory *memory;
    require(memory_create_window(process, paddr(range.base.value - lead), lead + range.size, false,
                                 &memory),
            "window");
    grant(process, info, id, &memory->object, NX_OBJECT_MEMORY,
          NX_RIGHT_READ | NX_RIGHT_EXECUTE | NX_RIGHT_DUPLICATE | NX_RIGHT_TRANSFER);
    object_release(&memory->object);
    return lead;
}

static void fill_start_info(struct process *process, struct thread *thread,
                            struct nx_start_info *info)
{
    struct physical_range devicetree = {machine.devicetree, machine.devicetree_size};
    info->magic = NX_START_MAGIC;
    info->timebase_hz = machine.timebase_hz;
    grant(process, info, NX_START_PROCESS, &process->object, NX_OBJECT_PROCESS, NX_RIGHTS_ALL);
    grant(process, info, NX_START_THREAD, &thread->object, NX_OBJECT_THREAD, NX_RIGHTS_ALL);
    grant_new(process, info, NX_START_MACHINE, NX_OBJECT_MACHINE, NX_RIGHTS_ALL);
    grant_new(process, info, NX_START_LOG, NX_OBJECT_LOG, NX_RIGHTS_ALL);
    info->devicetree_bytes = devicetree.size;
    info->devicetree_offset = grant_window(process, info, NX_START_DEVICETREE, devicetree);
    info->archive_bytes = machine.archive.size;
    info->archive_offset = grant_window(process, info, NX_START_ARCHIVE, machine.archive);
    info->argument_count = 1;
    info->argument_bytes = sizeof(INIT_NAME);
    memcpy(info + 1, INIT_NAME, sizeof(INIT_NAME));
}

static void start_thread(struct process *process, uint64_t entry)
{
    struct memory *stack;
    struct memory *page_memory;
    void *page;
    struct thread *thread;
    require(memory_create_paged(process, STACK_SIZE, &stack), "stack");
    map(process, stack, STACK_TOP - STACK_SIZE, NX_PROT_READ | NX_PROT_WRITE);
    require(memory_create_paged(process, NX_PAGE_SIZE, &page_memory), "message page");
    require(memory_page_pointer(page_memory, 0, &page), "message page");
    const struct thread_beginning beginning = {
        .entry = vaddr(entry),
        .stack = STACK_TOP,
        .argument = PAGE_ADDRESS,
        .class = NX_CLASS_SERVICE,
    };
    require(thread_create(process, &beginning, page_memory, 0, &thread), "thread");
    struct nx_message_page *message = page;
    fill_start_info(process, thread, (struct nx_start_info *)(void *)message->start);
    map(process, page_memory, PAGE_ADDRESS, NX_PROT_READ | NX_PROT_WRITE);
    require(thread_start(thread), "start");
    object_release(&thread->object);
}

void bootstrap_start_init(void)
{
    static const char name[NX_NAME_BYTES] = INIT_NAME;
    const void *archive = arch_direct_map(machine.archive.base);
    struct cpio_entry entry;
    if (machine.archive.size == 0)
        panic("no boot archive: /chosen has no linux,initrd-start");
    require(cpio_find(archive, machine.archive.size, INIT_NAME, &entry), "boot archive look-up");
    struct elf_image image;
    enum elf_refusal refusal = elf_check(&image, entry.data, entry.size, NX_USER_BASE,
                                         round_down(PAGE_ADDRESS, NX_PAGE_SIZE));
    if (refusal != ELF_ACCEPTED)
        panic("%s: %s", INIT_NAME, elf_refusal_text(refusal));
    struct process *process;
    uint64_t budget = (frame_free_count() - KERNEL_RESERVE_FRAMES) * NX_PAGE_SIZE;
    require(process_create(NULL, name, budget, NX_CLASS_COUNT - 1, &process), "process");
    for (uint32_t i = 0; i < image.segment_count; i++)
        load_segment(process, entry.data, &image.segments[i]);
    start_thread(process, image.entry);
    object_release(&process->object);
}
