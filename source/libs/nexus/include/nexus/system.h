// SPDX-License-Identifier: Apache-2.0
// The system calls, one inline function each. docs/abi.md says what each of them does.
//
// A system call is `ecall` with its number in a7. The kernel keeps the callee-saved registers and
// the floating-point registers; all other integer registers come back undefined. The wrappers are
// always inlined so that a call costs its argument moves and nothing else: a struct nx_message that
// lives in a caller's locals is taken apart into registers and never touches memory.
//
// Every function returns NX_OK or the kernel's refusal; results are written only on NX_OK.
#ifndef NEXUS_SYSTEM_H
#define NEXUS_SYSTEM_H

#include "nexus/info.h"
#include "nexus/message.h"
#include "nexus/status.h"
#include "nexus/syscall.h"
#include <stdint.h>
#include <string.h>

// The register half of a message; bytes and handles travel in the thread's message page.
struct nx_message {
    uint64_t words[NX_MESSAGE_WORDS];
    uint64_t info;  // bytes, handles and flags as NX_INFO() builds them
    uint64_t badge; // who sent it: set by receives only
};

// What the registers hold after a system call.
struct nx_registers {
    uint64_t a0, a1, a2, a3, a4, a5, a6, a7, t0;
};

#define NX_INLINE static inline __attribute__((always_inline))

// The registers that every system call destroys, beside a0..a7 and t0, which are operands.
#define NX_ECALL_CLOBBERS "ra", "t1", "t2", "t3", "t4", "t5", "t6", "memory"

#define NX_ECALL_RESULT                                                                            \
    (struct nx_registers)                                                                          \
    {                                                                                              \
        a0, a1, a2, a3, a4, a5, a6, a7, t0                                                         \
    }

NX_INLINE struct nx_registers nx_ecall1(uint64_t number, uint64_t x0)
{
    register uint64_t a0 __asm__("a0") = x0;
    register uint64_t a1 __asm__("a1");
    register uint64_t a2 __asm__("a2");
    register uint64_t a3 __asm__("a3");
    register uint64_t a4 __asm__("a4");
    register uint64_t a5 __asm__("a5");
    register uint64_t a6 __asm__("a6");
    register uint64_t a7 __asm__("a7") = number;
    register uint64_t t0 __asm__("t0");
    __asm__ volatile("ecall"
                     : "+r"(a0), "=r"(a1), "=r"(a2), "=r"(a3), "=r"(a4), "=r"(a5), "=r"(a6),
                       "+r"(a7), "=r"(t0)
                     :
                     : NX_ECALL_CLOBBERS);
    return NX_ECALL_RESULT;
}

NX_INLINE struct nx_registers nx_ecall4(uint64_t number, uint64_t x0, uint64_t x1, uint64_t x2,
                                        uint64_t x3)
{
    register uint64_t a0 __asm__("a0") = x0;
    register uint64_t a1 __asm__("a1") = x1;
    register uint64_t a2 __asm__("a2") = x2;
    register uint64_t a3 __asm__("a3") = x3;
    register uint64_t a4 __asm__("a4");
    register uint64_t a5 __asm__("a5");
    register uint64_t a6 __asm__("a6");
    register uint64_t a7 __asm__("a7") = number;
    register uint64_t t0 __asm__("t0");
    __asm__ volatile("ecall"
                     : "+r"(a0), "+r"(a1), "+r"(a2), "+r"(a3), "=r"(a4), "=r"(a5), "=r"(a6),
                       "+r"(a7), "=r"(t0)
                     :
                     : NX_ECALL_CLOBBERS);
    return NX_ECALL_RESULT;
}

NX_INLINE struct nx_registers nx_ecall7(uint64_t number, uint64_t x0, uint64_t x1, uint64_t x2,
                                        uint64_t x3, uint64_t x4, uint64_t x5, uint64_t x6)
{
    register uint64_t a0 __asm__("a0") = x0;
    register uint64_t a1 __asm__("a1") = x1;
    register uint64_t a2 __asm__("a2") = x2;
    register uint64_t a3 __asm__("a3") = x3;
    register uint64_t a4 __asm__("a4") = x4;
    register uint64_t a5 __asm__("a5") = x5;
    register uint64_t a6 __asm__("a6") = x6;
    register uint64_t a7 __asm__("a7") = number;
    register uint64_t t0 __asm__("t0");
    __asm__ volatile("ecall"
                     : "+r"(a0), "+r"(a1), "+r"(a2), "+r"(a3), "+r"(a4), "+r"(a5), "+r"(a6),
                       "+r"(a7), "=r"(t0)
                     :
                     : NX_ECALL_CLOBBERS);
    return NX_ECALL_RESULT;
}

// Writes the call's first result to *result when the call succeeded.
NX_INLINE enum nx_status nx_ecall_finish(struct nx_registers result, uint64_t *value)
{
    enum nx_status status = (enum nx_status)result.a0;
    if (status == NX_OK) {
        *value = result.a1;
    }
    return status;
}

NX_INLINE enum nx_status nx_ecall_finish_handle(struct nx_registers result, nx_handle *handle)
{
    enum nx_status status = (enum nx_status)result.a0;
    if (status == NX_OK) {
        *handle = (nx_handle)result.a1;
    }
    return status;
}

NX_MUST_CHECK NX_INLINE enum nx_status nx_system_null(void)
{
    return (enum nx_status)nx_ecall1(NX_SYS_NULL, 0).a0;
}

// ---- Messages -----------------------------------------------------------------------------------

NX_INLINE enum nx_status nx_message_exchange(uint64_t number, nx_handle handle,
                                             struct nx_message *message)
{
    struct nx_registers r =
        nx_ecall7(number | message->info, handle, message->words[0], message->words[1],
                  message->words[2], message->words[3], message->words[4], message->words[5]);
    message->words[0] = r.a1;
    message->words[1] = r.a2;
    message->words[2] = r.a3;
    message->words[3] = r.a4;
    message->words[4] = r.a5;
    message->words[5] = r.a6;
    message->info = r.a7;
    message->badge = r.t0;
    return (enum nx_status)r.a0;
}

// Sends *message and waits for the answer, which replaces it (badge is undefined). On a refusal
// *message is undefined. With NX_INFO_DEADLINE in info it gives up at the page's deadline.
NX_MUST_CHECK NX_INLINE enum nx_status nx_endpoint_call(nx_handle endpoint,
                                                        struct nx_message *message)
{
    return nx_message_exchange(NX_SYS_CALL, endpoint, message);
}

// Waits for a message or for the bound notification (NX_INFO_NOTIFICATION in info), until
// `deadline` in nanoseconds on the monotonic clock.
NX_MUST_CHECK NX_INLINE enum nx_status nx_endpoint_receive(nx_handle endpoint, uint64_t deadline,
                                                           struct nx_message *message)
{
    struct nx_registers r = nx_ecall4(NX_SYS_RECEIVE, endpoint, deadline, 0, 0);
    *message =
        (struct nx_message){{r.a1, r.a2, r.a3, r.a4, r.a5, r.a6}, .info = r.a7, .badge = r.t0};
    return (enum nx_status)r.a0;
}

// The same, but the current caller stays the one to answer. NX_ERR_BUSY: another one waits, who can
// be received once the first is answered or saved.
NX_MUST_CHECK NX_INLINE enum nx_status
nx_endpoint_receive_keeping(nx_handle endpoint, uint64_t deadline, struct nx_message *message)
{
    struct nx_registers r = nx_ecall4(NX_SYS_RECEIVE, endpoint, deadline, NX_RECEIVE_KEEP, 0);
    *message =
        (struct nx_message){{r.a1, r.a2, r.a3, r.a4, r.a5, r.a6}, .info = r.a7, .badge = r.t0};
    return (enum nx_status)r.a0;
}

// Answers the current caller (`reply` NX_HANDLE_NONE) or a saved one, whose handle it consumes.
NX_MUST_CHECK NX_INLINE enum nx_status nx_endpoint_reply(nx_handle reply,
                                                         const struct nx_message *message)
{
    return (enum nx_status)nx_ecall7(NX_SYS_REPLY | message->info, reply, message->words[0],
                                     message->words[1], message->words[2], message->words[3],
                                     message->words[4], message->words[5])
        .a0;
}

// Answers the current caller with *message and waits for the next, which replaces it.
NX_MUST_CHECK NX_INLINE enum nx_status nx_endpoint_reply_receive(nx_handle endpoint,
                                                                 struct nx_message *message)
{
    return nx_message_exchange(NX_SYS_REPLY_RECEIVE, endpoint, message);
}

// Keeps the right to answer the current caller for later; the handle is one-shot.
NX_MUST_CHECK NX_INLINE enum nx_status nx_reply_save(nx_handle *reply)
{
    return nx_ecall_finish_handle(nx_ecall1(NX_SYS_REPLY_SAVE, 0), reply);
}

NX_MUST_CHECK NX_INLINE enum nx_status nx_endpoint_create(nx_handle *endpoint)
{
    return nx_ecall_finish_handle(nx_ecall1(NX_SYS_ENDPOINT_CREATE, 0), endpoint);
}

// ---- Notifications ------------------------------------------------------------------------------

NX_MUST_CHECK NX_INLINE enum nx_status nx_notification_create(nx_handle *notification)
{
    return nx_ecall_finish_handle(nx_ecall1(NX_SYS_NOTIFICATION_CREATE, 0), notification);
}

NX_MUST_CHECK NX_INLINE enum nx_status nx_notification_signal(nx_handle notification, uint64_t bits)
{
    return (enum nx_status)nx_ecall4(NX_SYS_NOTIFICATION_SIGNAL, notification, bits, 0, 0).a0;
}

// Waits for at least one bit, takes all of them. NX_HANDLE_NONE only sleeps: NX_ERR_TIMED_OUT.
NX_MUST_CHECK NX_INLINE enum nx_status nx_notification_wait(nx_handle notification,
                                                            uint64_t deadline, uint64_t *bits)
{
    return nx_ecall_finish(nx_ecall4(NX_SYS_NOTIFICATION_WAIT, notification, deadline, 0, 0), bits);
}

// Signals `signalled`, then waits as above. Whoever is woken by it runs when the caller is out of
// the way: one switch there, where a signal and a wait may take three. A refused signal ends it.
NX_MUST_CHECK NX_INLINE enum nx_status
nx_notification_signal_and_wait(nx_handle signalled, uint64_t signalled_bits,
                                nx_handle notification, uint64_t deadline, uint64_t *bits)
{
    return nx_ecall_finish(
        nx_ecall4(NX_SYS_NOTIFICATION_WAIT, notification, deadline, signalled, signalled_bits),
        bits);
}

// The calling thread's receives report this notification too; NX_HANDLE_NONE unbinds.
NX_MUST_CHECK NX_INLINE enum nx_status nx_notification_bind(nx_handle notification)
{
    return (enum nx_status)nx_ecall1(NX_SYS_NOTIFICATION_BIND, notification).a0;
}

// ---- Handles ------------------------------------------------------------------------------------

NX_MUST_CHECK NX_INLINE enum nx_status nx_handle_close(nx_handle handle)
{
    return (enum nx_status)nx_ecall1(NX_SYS_HANDLE_CLOSE, handle).a0;
}

// Closes a handle that is known to be valid or NX_HANDLE_NONE: on clean-up paths.
NX_INLINE void nx_handle_drop(nx_handle handle)
{
    if (handle != NX_HANDLE_NONE) {
        (void)nx_ecall1(NX_SYS_HANDLE_CLOSE, handle);
    }
}

// `badge` 0 keeps the source's badge.
NX_MUST_CHECK NX_INLINE enum nx_status nx_handle_duplicate(nx_handle handle, uint32_t rights,
                                                           uint64_t badge, nx_handle *duplicate)
{
    return nx_ecall_finish_handle(nx_ecall4(NX_SYS_HANDLE_DUPLICATE, handle, rights, badge, 0),
                                  duplicate);
}

// *granted is the number in the other process; the caller keeps its own handle.
NX_MUST_CHECK NX_INLINE enum nx_status nx_handle_grant(nx_handle process, nx_handle handle,
                                                       uint32_t rights, nx_handle *granted)
{
    return nx_ecall_finish_handle(nx_ecall4(NX_SYS_HANDLE_GRANT, process, handle, rights, 0),
                                  granted);
}

NX_MUST_CHECK NX_INLINE enum nx_status nx_handle_info(nx_handle handle, enum nx_object_type *type,
                                                      uint32_t *rights)
{
    struct nx_registers r = nx_ecall1(NX_SYS_HANDLE_INFO, handle);
    enum nx_status status = (enum nx_status)r.a0;
    if (status == NX_OK) {
        *type = (enum nx_object_type)r.a1;
        *rights = (uint32_t)r.a2;
    }
    return status;
}

// ---- Memory -------------------------------------------------------------------------------------

NX_MUST_CHECK NX_INLINE enum nx_status nx_memory_create(uint64_t size, uint32_t flags,
                                                        nx_handle *memory)
{
    return nx_ecall_finish_handle(nx_ecall4(NX_SYS_MEMORY_CREATE, size, flags, 0, 0), memory);
}

NX_MUST_CHECK NX_INLINE enum nx_status nx_memory_commit(nx_handle memory, uint64_t offset,
                                                        uint64_t length)
{
    return (enum nx_status)nx_ecall4(NX_SYS_MEMORY_COMMIT, memory, offset, length, 0).a0;
}

// Maps into `process` (NX_HANDLE_NONE: this one). *address 0 lets the kernel choose a place;
// on success it holds the address.
NX_MUST_CHECK NX_INLINE enum nx_status nx_memory_map(nx_handle process, nx_handle memory,
                                                     uint64_t offset, uint64_t length,
                                                     uint32_t protection, uint64_t *address)
{
    return nx_ecall_finish(
        nx_ecall7(NX_SYS_MEMORY_MAP, process, memory, offset, *address, length, protection, 0),
        address);
}

// Commits and enters all pages of the mapping that starts at `address`.
NX_MUST_CHECK NX_INLINE enum nx_status nx_memory_populate(nx_handle process, uint64_t address)
{
    return (enum nx_status)nx_ecall4(NX_SYS_MEMORY_POPULATE, process, address, 0, 0).a0;
}

NX_MUST_CHECK NX_INLINE enum nx_status nx_memory_unmap(nx_handle process, uint64_t address)
{
    return (enum nx_status)nx_ecall4(NX_SYS_MEMORY_UNMAP, process, address, 0, 0).a0;
}

// The extents arrive in the message page's data as struct nx_extent[*count].
NX_MUST_CHECK NX_INLINE enum nx_status nx_memory_physical(nx_handle machine, nx_handle memory,
                                                          uint64_t offset, uint64_t length,
                                                          uint64_t *count)
{
    return nx_ecall_finish(nx_ecall4(NX_SYS_MEMORY_PHYSICAL, machine, memory, offset, length),
                           count);
}

NX_MUST_CHECK NX_INLINE enum nx_status nx_memory_device_create(nx_handle machine, uint64_t physical,
                                                               uint64_t size, nx_handle *memory)
{
    return nx_ecall_finish_handle(
        nx_ecall4(NX_SYS_MEMORY_DEVICE_CREATE, machine, physical, size, 0), memory);
}

struct nx_memory_facts {
    uint64_t size;
    uint32_t flags; // NX_MEMORY_*
    uint64_t committed_bytes;
};

NX_MUST_CHECK NX_INLINE enum nx_status nx_memory_info(nx_handle memory,
                                                      struct nx_memory_facts *facts)
{
    struct nx_registers r = nx_ecall1(NX_SYS_MEMORY_INFO, memory);
    enum nx_status status = (enum nx_status)r.a0;
    if (status == NX_OK) {
        *facts = (struct nx_memory_facts){r.a1, (uint32_t)r.a2, r.a3};
    }
    return status;
}

// ---- Processes ----------------------------------------------------------------------------------

// `name` is cut at NX_NAME_BYTES - 1; `budget_pages` bounds the process's memory.
NX_MUST_CHECK NX_INLINE enum nx_status nx_process_create(uint64_t budget_pages, const char *name,
                                                         enum nx_class highest_class,
                                                         nx_handle *process)
{
    uint64_t words[NX_NAME_BYTES / 8] = {0};
    size_t length = strlen(name);
    memcpy(words, name, length < NX_NAME_BYTES ? length : NX_NAME_BYTES - 1);
    return nx_ecall_finish_handle(nx_ecall7(NX_SYS_PROCESS_CREATE, budget_pages, words[0], words[1],
                                            words[2], words[3], highest_class, 0),
                                  process);
}

NX_MUST_CHECK NX_INLINE enum nx_status nx_process_kill(nx_handle process, int64_t exit_status)
{
    return (enum nx_status)nx_ecall4(NX_SYS_PROCESS_KILL, process, (uint64_t)exit_status, 0, 0).a0;
}

struct nx_process_facts {
    enum nx_process_state state;
    int64_t exit_status; // meaningful from NX_PROCESS_DYING on
    uint64_t pages_used;
    uint64_t pages_budget;
};

NX_MUST_CHECK NX_INLINE enum nx_status nx_process_info(nx_handle process,
                                                       struct nx_process_facts *facts)
{
    struct nx_registers r = nx_ecall1(NX_SYS_PROCESS_INFO, process);
    enum nx_status status = (enum nx_status)r.a0;
    if (status == NX_OK) {
        *facts = (struct nx_process_facts){(enum nx_process_state)r.a1, (int64_t)r.a2, r.a3, r.a4};
    }
    return status;
}

// At the process's end `bits` are signalled; its faults become messages to `fault_endpoint`
// (NX_HANDLE_NONE: a fault kills it).
NX_MUST_CHECK NX_INLINE enum nx_status nx_process_bind(nx_handle process, nx_handle notification,
                                                       uint64_t bits, nx_handle fault_endpoint)
{
    return (enum nx_status)nx_ecall4(NX_SYS_PROCESS_BIND, process, notification, bits,
                                     fault_endpoint)
        .a0;
}

__attribute__((noreturn)) NX_INLINE void nx_process_exit(int64_t exit_status)
{
    for (;;) {
        (void)nx_ecall1(NX_SYS_PROCESS_EXIT, (uint64_t)exit_status);
    }
}

// ---- Threads ------------------------------------------------------------------------------------

struct nx_thread_setup {
    uint64_t entry;
    uint64_t stack_pointer;
    uint64_t argument; // a0 at the entry
    uint64_t thread_pointer;
    nx_handle page_memory; // memory object that holds the thread's message page
    uint64_t page_offset;
};

NX_MUST_CHECK NX_INLINE enum nx_status
nx_thread_create(nx_handle process, const struct nx_thread_setup *setup, nx_handle *thread)
{
    return nx_ecall_finish_handle(
        nx_ecall7(NX_SYS_THREAD_CREATE, process, setup->entry, setup->stack_pointer,
                  setup->argument, setup->thread_pointer, setup->page_memory, setup->page_offset),
        thread);
}

NX_MUST_CHECK NX_INLINE enum nx_status nx_thread_start(nx_handle thread)
{
    return (enum nx_status)nx_ecall1(NX_SYS_THREAD_START, thread).a0;
}

// Starts a thread anew that has ended. `affinity` 0: every hart. `class` NX_CLASS_COUNT: the
// process's default. setup->page_memory and page_offset are not used.
NX_MUST_CHECK NX_INLINE enum nx_status nx_thread_restart(nx_handle thread,
                                                         const struct nx_thread_setup *setup,
                                                         uint64_t affinity, enum nx_class class)
{
    return (enum nx_status)nx_ecall7(NX_SYS_THREAD_RESTART, thread, setup->entry,
                                     setup->stack_pointer, setup->argument, setup->thread_pointer,
                                     affinity, class)
        .a0;
}

__attribute__((noreturn)) NX_INLINE void nx_thread_exit(void)
{
    for (;;) {
        (void)nx_ecall1(NX_SYS_THREAD_EXIT, 0);
    }
}

// `thread` NX_HANDLE_NONE: the calling thread.
NX_MUST_CHECK NX_INLINE enum nx_status nx_thread_control(nx_handle thread,
                                                         enum nx_thread_control operation,
                                                         uint64_t value, uint64_t value2)
{
    return (enum nx_status)nx_ecall4(NX_SYS_THREAD_CONTROL, thread, operation, value, value2).a0;
}

// Gives up the slice; to another hart when `hart_index` is not NX_HART_ANY.
NX_MUST_CHECK NX_INLINE enum nx_status nx_thread_yield(uint64_t hart_index)
{
    return (enum nx_status)nx_ecall1(NX_SYS_THREAD_YIELD, hart_index).a0;
}

// ---- Interrupts ---------------------------------------------------------------------------------

NX_MUST_CHECK NX_INLINE enum nx_status nx_interrupt_create(nx_handle machine, uint32_t source,
                                                           nx_handle *interrupt)
{
    return nx_ecall_finish_handle(nx_ecall4(NX_SYS_INTERRUPT_CREATE, machine, source, 0, 0),
                                  interrupt);
}

NX_MUST_CHECK NX_INLINE enum nx_status nx_interrupt_bind(nx_handle interrupt,
                                                         nx_handle notification, uint64_t bits)
{
    return (enum nx_status)nx_ecall4(NX_SYS_INTERRUPT_BIND, interrupt, notification, bits, 0).a0;
}

NX_MUST_CHECK NX_INLINE enum nx_status nx_interrupt_ack(nx_handle interrupt)
{
    return (enum nx_status)nx_ecall1(NX_SYS_INTERRUPT_ACK, interrupt).a0;
}

// ---- Machine ------------------------------------------------------------------------------------

NX_MUST_CHECK NX_INLINE enum nx_status nx_hart_control(nx_handle machine, uint64_t hart_index,
                                                       enum nx_hart_operation operation)
{
    return (enum nx_status)nx_ecall4(NX_SYS_HART_CONTROL, machine, hart_index, operation, 0).a0;
}

NX_MUST_CHECK NX_INLINE enum nx_status nx_system_reset(nx_handle machine, enum nx_reset_kind kind)
{
    return (enum nx_status)nx_ecall4(NX_SYS_SYSTEM_RESET, machine, kind, 0, 0).a0;
}

// The record arrives in the message page's data; *bytes is its size.
NX_MUST_CHECK NX_INLINE enum nx_status nx_system_info(nx_handle machine, enum nx_info_kind kind,
                                                      uint64_t index, uint64_t *bytes)
{
    return nx_ecall_finish(nx_ecall4(NX_SYS_SYSTEM_INFO, machine, kind, index, 0), bytes);
}

// ---- Kernel log ---------------------------------------------------------------------------------

// Writes `length` bytes of the message page's data.
NX_MUST_CHECK NX_INLINE enum nx_status nx_log_write(nx_handle log, uint64_t length)
{
    return (enum nx_status)nx_ecall4(NX_SYS_LOG_WRITE, log, length, 0, 0).a0;
}

struct nx_log_part {
    uint64_t next_cursor;
    uint64_t bytes; // in the message page's data
    uint64_t lost;  // bytes overwritten before they were read
};

NX_MUST_CHECK NX_INLINE enum nx_status nx_log_read(nx_handle log, uint64_t cursor,
                                                   struct nx_log_part *part)
{
    struct nx_registers r = nx_ecall4(NX_SYS_LOG_READ, log, cursor, 0, 0);
    enum nx_status status = (enum nx_status)r.a0;
    if (status == NX_OK) {
        *part = (struct nx_log_part){r.a1, r.a2, r.a3};
    }
    return status;
}

NX_MUST_CHECK NX_INLINE enum nx_status nx_log_bind(nx_handle log, nx_handle notification,
                                                   uint64_t bits, uint64_t *cursor)
{
    struct nx_registers r = nx_ecall4(NX_SYS_LOG_BIND, log, notification, bits, 0);
    enum nx_status status = (enum nx_status)r.a0;
    if (status == NX_OK) {
        *cursor = r.a1;
    }
    return status;
}

#endif
