// SPDX-License-Identifier: Apache-2.0
// Messages: the info word, the per-thread message page, and what a new program finds in its page.
//
// A message is up to six words in registers a1..a6, plus up to 1024 bytes and up to four handles
// through the sender's and the receiver's message pages. The info word in a7 says how much there
// is.
//
//   on entry   a7 = system call number | handles << 8 | bytes << 16 | flags << 32
//   on return  a7 = handles << 8 | bytes << 16 | flags << 32, t0 = the sender's badge (receive
//   only)
//
// The kernel copies bytes straight from page to page; a page belongs to one thread and is ordinary
// memory of its process, so the kernel reads it once and validates what it has read.
#ifndef NEXUS_MESSAGE_H
#define NEXUS_MESSAGE_H

#include "handle.h"
#include "limits.h"

#define NX_INFO_NUMBER_MASK   0xfful
#define NX_INFO_HANDLES_SHIFT 8
#define NX_INFO_HANDLES_MASK  0xfful
#define NX_INFO_BYTES_SHIFT   16
#define NX_INFO_BYTES_MASK    0xfffful

// Set by a caller: give up at message_page.deadline (call and reply_receive).
#define NX_INFO_DEADLINE (1ul << 32)
// Set by the kernel, never by a sender:
#define NX_INFO_NOTIFICATION (1ul << 33) // not a message: a1 holds the bound notification's bits
#define NX_INFO_FAULT        (1ul << 34) // a thread's fault; words as in enum nx_fault_word

#define NX_INFO(bytes, handles)                                                                    \
    (((uint64_t)(bytes) << NX_INFO_BYTES_SHIFT) | ((uint64_t)(handles) << NX_INFO_HANDLES_SHIFT))
#define NX_INFO_BYTES(info)   ((uint32_t)(((info) >> NX_INFO_BYTES_SHIFT) & NX_INFO_BYTES_MASK))
#define NX_INFO_HANDLES(info) ((uint32_t)(((info) >> NX_INFO_HANDLES_SHIFT) & NX_INFO_HANDLES_MASK))

// Register words of a fault message. Replying with word 0 == NX_FAULT_RESUME runs the thread again
// at `pc`; any other reply, or none because the supervisor died, kills its process.
enum nx_fault_word {
    NX_FAULT_CAUSE = 0,   // RISC-V scause
    NX_FAULT_PC = 1,      // faulting instruction
    NX_FAULT_ADDRESS = 2, // faulting address (stval)
    NX_FAULT_THREAD = 3,  // thread id, as in diagnosis records
    NX_FAULT_RETURN = 4,  // ra at the fault
    NX_FAULT_STACK = 5,   // sp at the fault
};
#define NX_FAULT_RESUME              1ul
#define NX_FAULT_ILLEGAL_INSTRUCTION 2ul // a cause

struct nx_message_page {
    uint8_t data[NX_MESSAGE_BYTES_MAX];
    nx_handle handles[NX_MESSAGE_HANDLES_MAX]; // to send, and as received
    uint64_t deadline;                         // nanoseconds; read when NX_INFO_DEADLINE is set
    uint8_t start[NX_PAGE_SIZE - NX_MESSAGE_BYTES_MAX - 4 * NX_MESSAGE_HANDLES_MAX - 8];
};
_Static_assert(sizeof(struct nx_message_page) == NX_PAGE_SIZE, "a message page is one page");

// One physically contiguous run of a memory object, reported by memory_physical in page data.
struct nx_extent {
    uint64_t address; // physical, bytes
    uint64_t length;  // bytes
};

// What a new program's first thread finds in its message page's `start` area, written by whoever
// created the process (by the kernel for nexus-init).
#define NX_START_MAGIC       0x5453584eu // "NXST"
#define NX_START_HANDLES_MAX 24u

enum nx_start_id {
    NX_START_NONE = 0,
    NX_START_PROCESS = 1,  // the program's own process
    NX_START_THREAD = 2,   // its first thread
    NX_START_REGISTRY = 3, // endpoint of nexus-init's name registry
    NX_START_LOG = 4,      // kernel log
    NX_START_MACHINE = 5,  // machine object, rights as the program needs
    NX_START_CONSOLE = 6,  // endpoint of uartd, when the program has a console
    NX_START_PACKAGES = 7, // endpoint of packagefsd
    NX_START_SERVICE = 8,  // the endpoint on which this program serves
    NX_START_DEVICE = 9,   // device memory of the driver's registers
    NX_START_INTERRUPT = 10,
    NX_START_BLOCK = 11,      // endpoint of virtioblkd
    NX_START_DEVICETREE = 12, // memory object that holds the device tree blob
    NX_START_ARCHIVE = 13,    // memory object that holds the boot archive
    NX_START_FIXTURES = 14,   // memory object that holds the fixtures image
    NX_START_TRUST = 15,      // memory object that holds the boot archive's `package-trust`
};

struct nx_start_handle {
    uint32_t id; // enum nx_start_id
    nx_handle handle;
};

// What every hart can do beyond RV64GC, by the device tree.
#define NX_HART_EXTENSION_ZBB (1u << 0) // basic bit manipulation: rotations in one instruction

struct nx_start_info {
    uint32_t magic;
    uint32_t handle_count;
    uint64_t timebase_hz;
    uint64_t devicetree_bytes; // size and first byte of the blob in NX_START_DEVICETREE
    uint64_t devicetree_offset;
    uint64_t archive_bytes; // the same for NX_START_ARCHIVE
    uint64_t archive_offset;
    uint64_t fixtures_bytes; // the same for NX_START_FIXTURES
    uint64_t fixtures_offset;
    uint64_t trust_bytes; // of NX_START_TRUST, from its start
    uint64_t device_base; // physical base and interrupt of a driver's device, for its marker
    uint32_t interrupt_number;
    uint32_t argument_count;
    uint32_t argument_bytes; // NUL-terminated strings, one after the other, right after this struct
    uint32_t hart_extensions; // NX_HART_EXTENSION_*: what code may use
    uint32_t hart_count;      // of the machine: so many threads can compute at once; 0: not known
    uint32_t reserved;
    struct nx_start_handle handles[NX_START_HANDLES_MAX];
};
_Static_assert(sizeof(struct nx_start_info) + 1024 <= sizeof(((struct nx_message_page *)0)->start),
               "the start area holds the info and 1 KiB of arguments");

#endif
