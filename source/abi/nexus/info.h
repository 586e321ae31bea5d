// SPDX-License-Identifier: Apache-2.0
// Diagnosis records: what system_info writes into the message page, one record a call.
#ifndef NEXUS_INFO_H
#define NEXUS_INFO_H

#include "limits.h"
#include <stdint.h>

enum nx_info_kind {
    NX_INFO_SYSTEM = 0,    // index 0
    NX_INFO_HART = 1,      // index: hart index, below system.harts
    NX_INFO_PROCESS = 2,   // index: 0, 1, ... until NX_ERR_NOT_FOUND
    NX_INFO_INTERRUPT = 3, // index: 0, 1, ... over interrupt objects until NX_ERR_NOT_FOUND
};

// Bits of nx_info_system.sbi_extensions.
#define NX_SBI_TIME (1u << 0)
#define NX_SBI_IPI  (1u << 1)
#define NX_SBI_RFNC (1u << 2)
#define NX_SBI_HSM  (1u << 3)
#define NX_SBI_SRST (1u << 4)
#define NX_SBI_PMU  (1u << 5)
#define NX_SBI_DBCN (1u << 6)

struct nx_info_system {
    uint32_t harts; // named by the device tree, at most NX_HARTS_MAX
    uint32_t harts_online;
    uint64_t timebase_hz;
    uint64_t boot_hart_id;
    uint64_t sbi_spec_version;
    uint64_t sbi_implementation_id;
    uint64_t sbi_implementation_version;
    uint32_t sbi_extensions;
    uint32_t sstc;   // 1: timers by stimecmp, 0: by SBI set_timer
    uint32_t checks; // 1: debug kernel with lock-rank checks
    uint32_t asid_bits;
    uint64_t frames_total; // 4 KiB frames that the allocator manages
    uint64_t frames_free;
    uint64_t boot_ticks;      // time counter when the boot hart took interrupts
    uint64_t objects_retired; // waiting for a grace period
    uint64_t objects_reclaimed;
    uint64_t frames_pooled; // hold kernel objects, or did and have room for more
    uint64_t pooled_bytes;  // of them in use
};

enum nx_hart_state {
    NX_HART_ABSENT = 0,
    NX_HART_STARTING = 1,
    NX_HART_ONLINE = 2,
    NX_HART_STOPPING = 3,
    NX_HART_STOPPED = 4,
    NX_HART_FAILED = 5,
};

struct nx_info_hart {
    uint64_t hart_id;
    uint32_t state; // enum nx_hart_state
    uint32_t run_queue_length;
    uint64_t ticks;       // periodic ticks taken
    uint64_t idle_time;   // time-counter ticks in wfi
    uint64_t online_time; // time-counter ticks since it came online
    uint64_t ipi_requested;
    uint64_t ipi_coalesced;
    uint64_t ipi_sent;
    uint64_t ipi_trapped;
    uint64_t ipi_dispatched;
    uint64_t ipi_sent_to[NX_HARTS_MAX];
    uint64_t ipi_received_from[NX_HARTS_MAX];
    uint64_t steals; // threads that this hart took from others
    uint64_t switches;
    uint64_t interrupts; // external
    uint64_t timer_interrupts;
    uint64_t lock_contended;  // acquisitions that had to wait
    uint64_t set_timer_calls; // of the firmware, to arm the timer; none with Sstc
};

struct nx_info_process {
    uint64_t id;
    char name[NX_NAME_BYTES];
    uint32_t state; // enum nx_process_state
    uint32_t threads;
    uint64_t pages_used;
    uint64_t pages_budget;
    uint64_t handles;
    uint64_t run_time; // time-counter ticks on a hart
};

struct nx_info_interrupt {
    uint32_t source;
    uint32_t bound; // 1: a notification is bound
    uint64_t count; // delivered
    uint64_t acknowledged;
    uint32_t hart;    // index of the hart whose context claims it
    uint32_t context; // PLIC context number
};

#endif
