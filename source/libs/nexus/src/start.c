// SPDX-License-Identifier: Apache-2.0
// From _start to main and back: thread-local storage, start record, constructors, exit.
//
// Nothing before the TLS block is in place may touch a thread-local variable (errno,
// nx_thread_page).
#include "nexus/process.h"
#include "tls.h"
#include <stdlib.h>

#define ARGUMENTS_MAX      64u
#define ARGUMENT_BYTES_MAX 1024u

int main(int argc, char **argv);
void nx_program_start(struct nx_message_page *page);
void __libc_init_array(void);

extern char __tls_main[]; // user.ld

_Thread_local struct nx_message_page *nx_thread_page;

struct nx_start_info nx_start_record;
nx_handle nx_start_handles[NX_START_HANDLES_MAX];
static char argument_text[ARGUMENT_BYTES_MAX + 1];
static char *argument_pointers[ARGUMENTS_MAX + 1];

nx_handle nx_start_handle_find(enum nx_start_id id)
{
    for (uint32_t i = 0; i < nx_start_record.handle_count; i++) {
        if (nx_start_record.handles[i].id == (uint32_t)id) {
            return nx_start_record.handles[i].handle;
        }
    }
    return NX_HANDLE_NONE;
}

// The table is for the ids that this library knows. Of two handles with one id the first counts.
static void handles_sort(void)
{
    for (uint32_t i = nx_start_record.handle_count; i-- > 0;) {
        const struct nx_start_handle *given = &nx_start_record.handles[i];
        if (given->id < NX_START_HANDLES_MAX) {
            nx_start_handles[given->id] = given->handle;
        }
    }
}

// Splits the NUL-terminated strings; returns how many there are.
static int arguments_split(uint32_t count, uint32_t bytes)
{
    uint32_t found = 0;
    uint32_t position = 0;
    while (found < count && found < ARGUMENTS_MAX && position < bytes) {
        argument_pointers[found++] = &argument_text[position];
        position += (uint32_t)strlen(&argument_text[position]) + 1;
    }
    argument_pointers[found] = NULL;
    return (int)found;
}

// The page is the creator's word: bounded before it is used, like any message.
static int start_record_copy(const struct nx_message_page *page)
{
    memcpy(&nx_start_record, page->start, sizeof(nx_start_record));
    if (nx_start_record.magic != NX_START_MAGIC) {
        memset(&nx_start_record, 0, sizeof(nx_start_record));
    }
    if (nx_start_record.handle_count > NX_START_HANDLES_MAX) {
        nx_start_record.handle_count = NX_START_HANDLES_MAX;
    }
    handles_sort();
    uint32_t bytes = nx_start_record.argument_bytes;
    if (bytes > ARGUMENT_BYTES_MAX) {
        bytes = ARGUMENT_BYTES_MAX;
    }
    memcpy(argument_text, page->start + sizeof(nx_start_record), bytes);
    return arguments_split(nx_start_record.argument_count, bytes);
}

void nx_program_start(struct nx_message_page *page)
{
    nx_tls_initialise(__tls_main);
    __asm__ volatile("mv tp, %0" : : "r"(__tls_main) : "memory");
    nx_thread_page = page;
    int argument_count = start_record_copy(page);
    __libc_init_array();
    exit(main(argument_count, argument_pointers));
}

void _exit(int exit_status);

void _exit(int exit_status)
{
    nx_process_exit(exit_status);
}
