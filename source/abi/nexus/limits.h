// SPDX-License-Identifier: Apache-2.0
// Bounds of the system that the kernel and user space share.
#ifndef NEXUS_LIMITS_H
#define NEXUS_LIMITS_H

#define NX_PAGE_SHIFT 12
#define NX_PAGE_SIZE  4096ul

#define NX_HARTS_MAX 4u

// User address space: Sv39's lower half without the null guard and without the last page, so that
// `address + length` of a valid range never wraps.
#define NX_USER_BASE 0x0000000000010000ul
#define NX_USER_END  0x0000003ffffff000ul

#define NX_MESSAGE_WORDS       6u    // message words that travel in registers
#define NX_MESSAGE_BYTES_MAX   1024u // message bytes that travel through the message page
#define NX_MESSAGE_HANDLES_MAX 4u

#define NX_NAME_BYTES            32u   // process names, including the terminating NUL
#define NX_HANDLES_MAX           8192u // per process
#define NX_MAPPINGS_MAX          512u  // per process
#define NX_THREADS_MAX           64u   // per process
#define NX_MEMORY_SIZE_MAX       (1ul << 30)
#define NX_MEMORY_CONTIGUOUS_MAX (128ul << 10)
#define NX_EXTENTS_MAX           64u // physical extents that one memory_physical call reports
#define NX_MEMORY_PHYSICAL_MAX   (256ul << 10) // bytes that one memory_physical call may ask for

#define NX_DEADLINE_NEVER (~0ull) // nanoseconds since the time counter's zero
#define NX_HART_ANY       (~0ull)

#endif
