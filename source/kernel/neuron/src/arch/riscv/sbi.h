// SPDX-License-Identifier: Apache-2.0
// Calls to the firmware: RISC-V Supervisor Binary Interface 1.0, named as there.
//
// Every function returns the firmware's error as enum nx_status: NX_ERR_UNSUPPORTED (no such call),
// NX_ERR_INVALID_ARGUMENT, NX_ERR_ACCESS_DENIED, NX_ERR_OUT_OF_RANGE (invalid address),
// NX_ERR_ALREADY_EXISTS (already available), NX_ERR_BAD_STATE (already started or stopped),
// NX_ERR_IO (failed), NX_ERR_DEVICE (an error that the specification does not know).
// Masks are of hart indices; hart ids may be sparse and are grouped into as many calls as needed.
#ifndef ARCH_SBI_H
#define ARCH_SBI_H

#include "core/types.h"

#define SBI_EXT_BASE 0x10ul
#define SBI_EXT_TIME 0x54494d45ul
#define SBI_EXT_IPI  0x735049ul
#define SBI_EXT_RFNC 0x52464e43ul
#define SBI_EXT_HSM  0x48534dul
#define SBI_EXT_SRST 0x53525354ul
#define SBI_EXT_PMU  0x504d55ul
#define SBI_EXT_DBCN 0x4442434eul

// What the base extension tells about the firmware, by function number (4)
enum sbi_base {
    SBI_BASE_GET_SPEC_VERSION = 0,
    SBI_BASE_GET_IMPL_ID = 1,
    SBI_BASE_GET_IMPL_VERSION = 2,
};

// Hart states (9.3)
enum sbi_hart_state {
    SBI_HART_STARTED = 0,
    SBI_HART_STOPPED = 1,
    SBI_HART_START_PENDING = 2,
    SBI_HART_STOP_PENDING = 3,
};

// Reset types and reasons (10.1)
#define SBI_RESET_SHUTDOWN       0u
#define SBI_RESET_COLD_REBOOT    1u
#define SBI_RESET_NO_REASON      0u
#define SBI_RESET_SYSTEM_FAILURE 1u

NX_MUST_CHECK enum nx_status sbi_get_base(enum sbi_base what, uint64_t *value);
NX_MUST_CHECK enum nx_status sbi_probe_extension(uint64_t extension, bool *available);

NX_MUST_CHECK enum nx_status sbi_set_timer(uint64_t deadline);

// To one hart: a mask of one, so that the firmware refuses none but the one that is meant.
NX_MUST_CHECK enum nx_status sbi_send_ipi(struct hart_id hart);

// The next three go to each hart of the mask that is online, and wait for it. None of them stops
// meanwhile (arch_hart_offline): some firmware refuses a whole group if one hart of it has just
// stopped, some waits for it for ever. Returned is the first error.
NX_MUST_CHECK enum nx_status sbi_remote_fence_i(uint32_t mask);
// All address spaces; address 0 with the largest length: everything.
NX_MUST_CHECK enum nx_status sbi_remote_sfence_vma(uint32_t mask, uint64_t address,
                                                   uint64_t length);
NX_MUST_CHECK enum nx_status sbi_remote_sfence_vma_asid(uint32_t mask, uint64_t address,
                                                        uint64_t length, uint32_t asid);

NX_MUST_CHECK enum nx_status sbi_hsm_hart_start(struct hart_id hart, paddr_t entry,
                                                uint64_t argument);
// Returns only on failure.
enum nx_status sbi_hsm_hart_stop(void);
NX_MUST_CHECK enum nx_status sbi_hsm_hart_status(struct hart_id hart, enum sbi_hart_state *state);

// The legacy console (chapter 5), for a panic that comes before the UART is known.
void sbi_console_putchar(char character);

// Returns only on failure.
enum nx_status sbi_system_reset(uint32_t type, uint32_t reason);

#endif
