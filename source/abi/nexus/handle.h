// SPDX-License-Identifier: Apache-2.0
// Handles, object types and rights: what a process may name and what it may do with it.
//
// A handle is a number that means something in one process only. It names a kernel object together
// with a set of rights and, for endpoints, a badge: the identity that a receiver sees. Rights only
// shrink: a duplicate or a transferred copy has at most the rights of its source. Handle 0 is never
// valid; in calls that accept it, it means "this process" or "none".
#ifndef NEXUS_HANDLE_H
#define NEXUS_HANDLE_H

#include <stdint.h>

typedef uint32_t nx_handle;
#define NX_HANDLE_NONE ((nx_handle)0)

enum nx_object_type {
    NX_OBJECT_NONE = 0,
    NX_OBJECT_PROCESS = 1,
    NX_OBJECT_THREAD = 2,
    NX_OBJECT_MEMORY = 3,
    NX_OBJECT_ENDPOINT = 4,
    NX_OBJECT_NOTIFICATION = 5,
    NX_OBJECT_INTERRUPT = 6,
    NX_OBJECT_REPLY = 7,   // a one-shot right to answer one caller
    NX_OBJECT_MACHINE = 8, // device memory, interrupts, DMA addresses, harts, power, diagnosis
    NX_OBJECT_LOG = 9,     // the kernel log
    NX_OBJECT_TYPES
};

// Rights, and the operations that need them.
#define NX_RIGHT_DUPLICATE (1u << 0)  // handle_duplicate
#define NX_RIGHT_TRANSFER  (1u << 1)  // handle_grant, riding along with a message
#define NX_RIGHT_READ      (1u << 2)  // memory: map readable; log: read
#define NX_RIGHT_WRITE     (1u << 3)  // memory: map writable, DMA into it; log: write
#define NX_RIGHT_EXECUTE   (1u << 4)  // memory: map executable
#define NX_RIGHT_CALL      (1u << 5)  // endpoint: call; reply: reply
#define NX_RIGHT_RECEIVE   (1u << 6)  // endpoint: receive
#define NX_RIGHT_SIGNAL    (1u << 7)  // notification: signal, be the target of a binding
#define NX_RIGHT_WAIT      (1u << 8)  // notification: wait; interrupt: bind and acknowledge
#define NX_RIGHT_MANAGE    (1u << 9)  // process, thread: change, kill, map into; endpoint: badge
#define NX_RIGHT_INSPECT   (1u << 10) // process: read its state; machine: diagnosis records
#define NX_RIGHT_DEVICE    (1u << 11) // machine: create device memory and interrupt objects
#define NX_RIGHT_DMA       (1u << 12) // machine: learn physical addresses
#define NX_RIGHT_HARTS     (1u << 13) // machine: start and stop harts
#define NX_RIGHT_POWER     (1u << 14) // machine: power off, reboot
#define NX_RIGHTS_ALL      0x7fffu

#endif
