// SPDX-License-Identifier: Apache-2.0
// Small processes made by hand: see child.h.
#include "child.h"
#include "nexus/memory.h"
#include <assert.h>

#define CHILD_BUDGET_PAGES 64u
#define STACK_OBJECT_BYTES (2 * NX_PAGE_SIZE) // the stack page, then the message page
#define MESSAGE_PAGE_AT    (CHILD_STACK + 2 * NX_PAGE_SIZE)

static_assert(CHILD_EXIT_STATUS == 7, "as in child_code.S");
static_assert(NX_SYS_RECEIVE == 2 && NX_SYS_REPLY_RECEIVE == 4 && NX_SYS_PROCESS_EXIT == 26,
              "as in child_code.S");

static enum nx_status code_write(nx_handle code)
{
    void *page;
    enum nx_status status = nx_map(code, 0, NX_PAGE_SIZE, NX_PROT_READ | NX_PROT_WRITE, &page);
    if (status == NX_OK) {
        memcpy(page, child_code_start, (size_t)(child_code_end - child_code_start));
        nx_unmap(page);
    }
    return status;
}

static enum nx_status child_map(const struct child *child, nx_handle memory, uint64_t offset,
                                uint64_t address, uint32_t protection)
{
    return nx_memory_map(child->process, memory, offset, NX_PAGE_SIZE, protection, &address);
}

enum nx_status child_create(struct child *child)
{
    *child = (struct child){0};
    enum nx_status status =
        nx_process_create(CHILD_BUDGET_PAGES, "selftest-child", NX_CLASS_NORMAL, &child->process);
    if (status == NX_OK) {
        status = nx_memory_create(NX_PAGE_SIZE, 0, &child->code);
    }
    if (status == NX_OK) {
        status = nx_memory_create(STACK_OBJECT_BYTES, 0, &child->stack);
    }
    if (status == NX_OK) {
        status = code_write(child->code);
    }
    if (status == NX_OK) {
        status = child_map(child, child->code, 0, CHILD_CODE, NX_PROT_READ | NX_PROT_EXECUTE);
    }
    if (status == NX_OK) {
        status = child_map(child, child->stack, 0, CHILD_STACK, NX_PROT_READ | NX_PROT_WRITE);
    }
    if (status == NX_OK) {
        status = child_map(child, child->stack, NX_PAGE_SIZE, MESSAGE_PAGE_AT,
                           NX_PROT_READ | NX_PROT_WRITE);
    }
    if (status != NX_OK) {
        child_end(child);
    }
    return status;
}

enum nx_status child_start(struct child *child, const uint8_t *snippet, uint64_t argument,
                           uint64_t affinity)
{
    struct nx_thread_setup setup = {
        .entry = CHILD_CODE + (uint64_t)(snippet - child_code_start),
        .stack_pointer = CHILD_STACK + NX_PAGE_SIZE,
        .argument = argument,
        .page_memory = child->stack,
        .page_offset = NX_PAGE_SIZE,
    };
    enum nx_status status = nx_thread_create(child->process, &setup, &child->thread);
    if (status == NX_OK && affinity != 0) {
        status = nx_thread_control(child->thread, NX_THREAD_SET_AFFINITY, affinity, 0);
    }
    return status == NX_OK ? nx_thread_start(child->thread) : status;
}

void child_end(struct child *child)
{
    if (child->process != NX_HANDLE_NONE) {
        (void)!nx_process_kill(child->process, NX_EXIT_KILLED); // it may have ended by itself
    }
    nx_handle_drop(child->thread);
    nx_handle_drop(child->stack);
    nx_handle_drop(child->code);
    nx_handle_drop(child->process);
    *child = (struct child){0};
}
