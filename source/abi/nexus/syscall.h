// SPDX-License-Identifier: Apache-2.0
// System call numbers and the constants in their arguments.
//
// A system call is a function call: `ecall` with the number in a7's low byte and arguments in
// a0..a6. On return a0 is an enum nx_status, results start at a1, callee-saved registers (s0..s11,
// sp, gp, tp) keep their values; every other register is undefined and carries no kernel data.
// No system call takes a pointer: text and records travel through the thread's message page.
// docs/abi.md describes each call; `h` is a handle, `-> ` what a1.. hold on success.
#ifndef NEXUS_SYSCALL_H
#define NEXUS_SYSCALL_H

enum nx_syscall {
    NX_SYS_NULL = 0, // does nothing: measures the cost of entry and exit

    // Messages (message.h)
    NX_SYS_CALL = 1,            // endpoint h, words a1..a6 -> reply words
    NX_SYS_RECEIVE = 2,         // endpoint h, deadline, NX_RECEIVE_KEEP or 0 -> words, t0 badge
    NX_SYS_REPLY = 3,           // saved reply h or 0 for the current caller, words a1..a6
    NX_SYS_REPLY_RECEIVE = 4,   // endpoint h, reply words a1..a6 -> words, t0 badge
    NX_SYS_REPLY_SAVE = 5,      // -> reply h for the current caller
    NX_SYS_ENDPOINT_CREATE = 6, // -> endpoint h

    // Notifications: a word of sticky bits
    NX_SYS_NOTIFICATION_CREATE = 7, // -> notification h
    NX_SYS_NOTIFICATION_SIGNAL = 8, // notification h, bits
    NX_SYS_NOTIFICATION_WAIT = 9,   // notification h (0: only sleep), deadline, notification h to
                                    // signal first or 0, bits for that -> bits, now cleared
    NX_SYS_NOTIFICATION_BIND = 10,  // notification h (0: unbind): this thread's receives report it

    // Handles
    NX_SYS_HANDLE_CLOSE = 11,     // h
    NX_SYS_HANDLE_DUPLICATE = 12, // h, rights, badge (0: keep) -> h
    NX_SYS_HANDLE_GRANT = 13,     // process h, h, rights -> h in that process
    NX_SYS_HANDLE_INFO = 14,      // h -> enum nx_object_type, rights

    // Memory
    NX_SYS_MEMORY_CREATE = 15,   // size, NX_MEMORY_* flags -> memory h
    NX_SYS_MEMORY_COMMIT = 16,   // memory h, offset, length: gives zeroed pages their frames
    NX_SYS_MEMORY_MAP = 17,      // process h or 0, memory h, offset, address or 0, length,
                                 // NX_PROT_* -> address
    NX_SYS_MEMORY_UNMAP = 18,    // process h or 0, address: removes the mapping that starts there
    NX_SYS_MEMORY_PHYSICAL = 19, // machine h, memory h, offset, length -> extents in page data,
                                 // a1 their count
    NX_SYS_MEMORY_DEVICE_CREATE = 20, // machine h, physical base, size -> memory h
    NX_SYS_MEMORY_INFO = 21,          // memory h -> size, NX_MEMORY_* flags, committed bytes

    // Processes
    NX_SYS_PROCESS_CREATE = 22, // budget in pages, name as four words, highest class -> process h
    NX_SYS_PROCESS_KILL = 23,   // process h, exit status
    NX_SYS_PROCESS_INFO = 24, // process h -> enum nx_process_state, exit status, pages used, budget
    NX_SYS_PROCESS_BIND = 25, // process h, notification h, bits at exit, fault endpoint h (0: none)
    NX_SYS_PROCESS_EXIT = 26, // exit status; does not return

    // Threads
    NX_SYS_THREAD_CREATE = 27,  // process h or 0, entry, sp, argument, tp, memory h, offset of the
                                // message page in it -> thread h; not yet started
    NX_SYS_THREAD_START = 28,   // thread h
    NX_SYS_THREAD_EXIT = 29,    // does not return
    NX_SYS_THREAD_CONTROL = 30, // thread h or 0, enum nx_thread_control, value, value
    NX_SYS_THREAD_YIELD = 31,   // hart index or NX_HART_ANY: gives up the slice; to another hart

    // Interrupts
    NX_SYS_INTERRUPT_CREATE = 32, // machine h, PLIC source -> interrupt h
    NX_SYS_INTERRUPT_BIND = 33,   // interrupt h, notification h, bits: enables the source
    NX_SYS_INTERRUPT_ACK = 34,    // interrupt h: completes it at the PLIC

    // Machine
    NX_SYS_HART_CONTROL = 35, // machine h, hart index, enum nx_hart_operation
    NX_SYS_SYSTEM_RESET = 36, // machine h, enum nx_reset_kind
    NX_SYS_SYSTEM_INFO = 37, // machine h, enum nx_info_kind, index -> record in page data, a1 bytes

    // Kernel log
    NX_SYS_LOG_WRITE = 38, // log h, length of text in page data: whole lines stay whole
    NX_SYS_LOG_READ = 39,  // log h, cursor -> next cursor, bytes in page data, bytes lost
    NX_SYS_LOG_BIND = 40,  // log h, notification h, bits: signalled when text arrives; from then on
                           // the kernel itself prints only in a panic -> cursor behind what has
                           // been printed or read

    NX_SYS_MEMORY_POPULATE = 41, // process h or 0, address, bytes already done: commits and maps
                                 // the pages of the mapping that starts at address -> address
    NX_SYS_THREAD_RESTART = 42,  // thread h that has ended, entry, sp, argument, tp,
                                 // affinity or 0, class or NX_CLASS_COUNT
    NX_SYSCALL_COUNT
};

// The current caller stays the one to answer; another one is told by NX_ERR_BUSY and stays queued.
#define NX_RECEIVE_KEEP 1ul

#define NX_MEMORY_CONTIGUOUS (1u << 0) // physically contiguous, for DMA rings; committed at once
#define NX_MEMORY_DEVICE     (1u << 1) // reported only: device registers

#define NX_PROT_READ     (1u << 0)
#define NX_PROT_WRITE    (1u << 1)
#define NX_PROT_EXECUTE  (1u << 2) // never together with NX_PROT_WRITE
#define NX_PROT_POPULATE (1u << 3) // commit and map every page at once

enum nx_process_state {
    NX_PROCESS_NEW = 0,
    NX_PROCESS_ALIVE = 1,
    NX_PROCESS_DYING = 2,
    NX_PROCESS_HELD = 3, // without threads; waits for a kill with NX_EXIT_LET_GO
    NX_PROCESS_DEAD = 4,
};
#define NX_EXIT_KILLED  (-1) // exit statuses that the kernel itself sets
#define NX_EXIT_FAULTED (-2)
#define NX_EXIT_LET_GO  INT64_MIN // no status: ends what a HELD process waits for

enum nx_thread_control {
    NX_THREAD_SET_AFFINITY = 0, // value: mask of hart indices, at least one of them online
    NX_THREAD_SET_CLASS = 1,    // value: enum nx_class, at most the process's highest
    NX_THREAD_SET_EXIT = 2,     // values: notification h, bits signalled at the thread's end
    NX_THREAD_KILL = 3,
};

// Classes of service, most urgent last.
enum nx_class {
    NX_CLASS_BACKGROUND = 0,
    NX_CLASS_NORMAL = 1,
    NX_CLASS_SERVICE = 2,
    NX_CLASS_DRIVER = 3,
    NX_CLASS_COUNT
};

enum nx_hart_operation { NX_HART_START = 0, NX_HART_STOP = 1 };
enum nx_reset_kind { NX_RESET_POWER_OFF = 0, NX_RESET_REBOOT = 1, NX_RESET_FAILURE = 2 };

#endif
