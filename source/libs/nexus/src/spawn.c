// SPDX-License-Identifier: Apache-2.0
// Starting programs.
//
// The order is: check the image, make the process, load the segments, write stack and start record,
// grant the handles, make the first thread, start it. Until that last step the process has never
// run, so any failure before it is undone by killing it.
#include "nexus/spawn.h"
#include "elf/elf.h"
#include "layout.h"
#include "nexus/memory.h"
#include "nexus/process.h"

#define STACK_BYTES_DEFAULT (256ul << 10)
#define STACK_BYTES_MAX     (64ul << 20)
#define ARGUMENT_BYTES_MAX  1024u
#define CHILD_EXITED_BIT    1ul

// What the program may do with its own process and first thread.
#define SELF_RIGHTS (NX_RIGHT_MANAGE | NX_RIGHT_INSPECT | NX_RIGHT_DUPLICATE)

// ---- Segments -----------------------------------------------------------------------------------

static uint32_t segment_protection(const struct elf_segment *segment)
{
    uint32_t protection = 0;
    protection |= (segment->permissions & ELF_READ) != 0 ? NX_PROT_READ : 0;
    protection |= (segment->permissions & ELF_WRITE) != 0 ? NX_PROT_WRITE : 0;
    protection |= (segment->permissions & ELF_EXECUTE) != 0 ? NX_PROT_EXECUTE : 0;
    return protection;
}

// A read-only segment without zeroes at its end can be the file's own pages.
static bool segment_is_mappable(const struct nx_image *image, const struct elf_segment *segment)
{
    return image->memory != NX_HANDLE_NONE && image->memory_offset % NX_PAGE_SIZE == 0 &&
           (segment->permissions & ELF_WRITE) == 0 && segment->memory_size == segment->file_size;
}

static enum nx_status segment_map(nx_handle process, const struct nx_image *image,
                                  const struct elf_segment *segment)
{
    uint64_t within = segment->address % NX_PAGE_SIZE;
    uint64_t place = segment->address - within;
    return nx_memory_map(
        process, image->memory, image->memory_offset + segment->file_offset - within,
        NX_PAGE_ROUND_UP(within + segment->memory_size), segment_protection(segment), &place);
}

static enum nx_status segment_copy(nx_handle process, const struct nx_image *image,
                                   const struct elf_segment *segment)
{
    uint64_t within = segment->address % NX_PAGE_SIZE;
    uint64_t place = segment->address - within;
    uint64_t length = NX_PAGE_ROUND_UP(within + segment->memory_size);
    nx_handle memory;
    void *window;
    enum nx_status status = nx_memory_new(length, 0, &memory, &window);
    if (status != NX_OK) {
        return status;
    }
    memcpy((uint8_t *)window + within, (const uint8_t *)image->bytes + segment->file_offset,
           segment->file_size);
    nx_unmap(window);
    status = nx_memory_map(process, memory, 0, length, segment_protection(segment), &place);
    nx_handle_drop(memory);
    return status;
}

static enum nx_status image_load(nx_handle process, const struct nx_image *image,
                                 const struct elf_image *elf)
{
    enum nx_status status = NX_OK;
    for (uint32_t i = 0; i < elf->segment_count && status == NX_OK; i++) {
        const struct elf_segment *segment = &elf->segments[i];
        status = NX_ERR_ACCESS_DENIED;
        if (segment_is_mappable(image, segment)) {
            status = segment_map(process, image, segment);
        }
        // A file whose memory object may not be mapped that way (no right to execute it) is copied.
        if (status == NX_ERR_ACCESS_DENIED) {
            status = segment_copy(process, image, segment);
        }
    }
    return status;
}

// ---- Start record -------------------------------------------------------------------------------

static enum nx_status arguments_write(const struct nx_spawn_options *options,
                                      struct nx_start_info *info, uint8_t *text)
{
    uint32_t used = 0;
    for (uint32_t i = 0; i < options->argument_count; i++) {
        size_t bytes = strlen(options->arguments[i]) + 1;
        if (bytes > ARGUMENT_BYTES_MAX - used) {
            return NX_ERR_TOO_LARGE;
        }
        memcpy(text + used, options->arguments[i], bytes);
        used += (uint32_t)bytes;
    }
    info->argument_count = options->argument_count;
    info->argument_bytes = used;
    return NX_OK;
}

static enum nx_status grant_add(nx_handle process, const struct nx_grant *grant,
                                struct nx_start_info *info)
{
    if (info->handle_count == NX_START_HANDLES_MAX) {
        return NX_ERR_TOO_LARGE;
    }
    struct nx_start_handle *slot = &info->handles[info->handle_count];
    slot->id = grant->id;
    enum nx_status status = nx_handle_grant(process, grant->handle, grant->rights, &slot->handle);
    if (status == NX_OK) {
        info->handle_count++;
    }
    return status;
}

static enum nx_status start_record_write(const struct nx_spawn_options *options,
                                         const struct nx_child *child, struct nx_message_page *page)
{
    struct nx_start_info info = {0};
    if (options->facts != NULL) {
        info = *options->facts;
    }
    info.magic = NX_START_MAGIC;
    info.handle_count = 0;
    info.timebase_hz = nx_start()->timebase_hz;
    enum nx_status status = arguments_write(options, &info, page->start + sizeof(info));
    const struct nx_grant self[] = {
        {NX_START_PROCESS, child->process, SELF_RIGHTS},
        {NX_START_THREAD, child->thread, SELF_RIGHTS},
    };
    for (uint32_t i = 0; i < 2 && status == NX_OK; i++) {
        status = grant_add(child->process, &self[i], &info);
    }
    for (uint32_t i = 0; i < options->grant_count && status == NX_OK; i++) {
        status = grant_add(child->process, &options->grants[i], &info);
    }
    memcpy(page->start, &info, sizeof(info));
    return status;
}

// ---- First thread -------------------------------------------------------------------------------

// One memory object holds the stack and, right above it, the message page.
static enum nx_status first_thread_create(const struct nx_spawn_options *options, uint64_t entry,
                                          struct nx_child *child)
{
    uint64_t stack_bytes =
        options->stack_bytes != 0 ? NX_PAGE_ROUND_UP(options->stack_bytes) : STACK_BYTES_DEFAULT;
    if (stack_bytes > STACK_BYTES_MAX) {
        return NX_ERR_TOO_LARGE;
    }
    nx_handle memory;
    enum nx_status status = nx_memory_create(stack_bytes + NX_PAGE_SIZE, 0, &memory);
    if (status != NX_OK) {
        return status;
    }
    uint64_t place = NX_LAYOUT_STACK_TOP - stack_bytes;
    status = nx_memory_map(child->process, memory, 0, stack_bytes + NX_PAGE_SIZE,
                           NX_PROT_READ | NX_PROT_WRITE, &place);
    if (status == NX_OK) {
        struct nx_thread_setup setup = {
            .entry = entry,
            .stack_pointer = NX_LAYOUT_STACK_TOP,
            .argument = NX_LAYOUT_STACK_TOP,
            .page_memory = memory,
            .page_offset = stack_bytes,
        };
        status = nx_thread_create(child->process, &setup, &child->thread);
    }
    void *page = NULL;
    if (status == NX_OK) {
        status = nx_map(memory, stack_bytes, NX_PAGE_SIZE, NX_PROT_READ | NX_PROT_WRITE, &page);
    }
    if (status == NX_OK) {
        status = start_record_write(options, child, page);
    }
    nx_unmap(page);
    nx_handle_drop(memory);
    return status;
}

static enum nx_status exit_bind(const struct nx_spawn_options *options, struct nx_child *child)
{
    nx_handle notification = options->exit_notification;
    uint64_t bits = options->exit_bits;
    if (notification == NX_HANDLE_NONE) {
        enum nx_status status = nx_notification_create(&child->exited);
        if (status != NX_OK) {
            return status;
        }
        notification = child->exited;
        bits = CHILD_EXITED_BIT;
    }
    return nx_process_bind(child->process, notification, bits, options->fault_endpoint);
}

static enum nx_status child_build(const struct nx_spawn_options *options,
                                  const struct elf_image *elf, struct nx_child *child)
{
    enum nx_status status = image_load(child->process, &options->image, elf);
    if (status == NX_OK) {
        status = exit_bind(options, child);
    }
    if (status == NX_OK) {
        status = first_thread_create(options, elf->entry, child);
    }
    if (status == NX_OK && options->affinity != 0) {
        status = nx_thread_control(child->thread, NX_THREAD_SET_AFFINITY, options->affinity, 0);
    }
    if (status == NX_OK) {
        status = nx_thread_control(child->thread, NX_THREAD_SET_CLASS, options->highest_class, 0);
    }
    if (status == NX_OK) {
        status = nx_thread_start(child->thread);
    }
    return status;
}

enum nx_status nx_spawn(const struct nx_spawn_options *options, struct nx_child *child)
{
    struct elf_image elf;
    enum elf_refusal refusal = elf_check(&elf, options->image.bytes, options->image.size,
                                         NX_USER_BASE, NX_LAYOUT_STACK_TOP - STACK_BYTES_MAX);
    if (refusal != ELF_ACCEPTED) {
        return elf_refusal_status(refusal);
    }
    *child = (struct nx_child){0};
    uint64_t budget = options->budget_pages != 0 ? options->budget_pages : NX_SPAWN_BUDGET_DEFAULT;
    enum nx_status status =
        nx_process_create(budget, options->name, options->highest_class, &child->process);
    if (status != NX_OK) {
        return status;
    }
    status = child_build(options, &elf, child);
    if (status != NX_OK) {
        // It has no running thread; what it has is taken back with it.
        (void)!nx_process_kill(child->process, NX_EXIT_KILLED);
        nx_child_close(child);
    }
    return status;
}

// ---- Afterwards ---------------------------------------------------------------------------------

enum nx_status nx_child_wait(const struct nx_child *child, uint64_t deadline, int64_t *exit_status)
{
    struct nx_process_facts facts;
    for (;;) {
        enum nx_status status = nx_process_info(child->process, &facts);
        if (status != NX_OK) {
            return status;
        }
        if (facts.state >= NX_PROCESS_DYING) {
            *exit_status = facts.exit_status;
            return NX_OK;
        }
        uint64_t bits;
        status = nx_notification_wait(child->exited, deadline, &bits);
        if (status != NX_OK) {
            return status;
        }
    }
}

void nx_child_close(struct nx_child *child)
{
    nx_handle_drop(child->thread);
    nx_handle_drop(child->process);
    nx_handle_drop(child->exited);
    *child = (struct nx_child){0};
}
