// SPDX-License-Identifier: Apache-2.0
// Control and status registers of the RISC-V privileged architecture (1.12, chapter 4), named as
// there.
#ifndef ARCH_CSR_H
#define ARCH_CSR_H

#include <stdint.h>

// sstatus
#define SSTATUS_SPP      (1ul << 8)
#define SSTATUS_FS       (3ul << 13)
#define SSTATUS_FS_CLEAN (2ul << 13)

// sip and sie
#define SIP_SSIP (1ul << 1)
#define SIP_STIP (1ul << 5)
#define SIP_SEIP (1ul << 9)

// scounteren: counters that user mode may read
#define SCOUNTEREN_CY (1ul << 0)
#define SCOUNTEREN_TM (1ul << 1)
#define SCOUNTEREN_IR (1ul << 2)

// scause: exceptions (the interrupt bit is the sign)
#define CAUSE_ILLEGAL    2
#define CAUSE_FETCH_PAGE 12
#define CAUSE_LOAD_PAGE  13
#define CAUSE_STORE_PAGE 15

// satp
#define SATP_MODE_SV39  (8ul << 60)
#define SATP_ASID_SHIFT 44
#define SATP_ASID_MASK  0xfffful

// Sstc; by number, because assemblers that predate it do not know the name.
#define CSR_STIMECMP 0x14d

#define CSR_STRING(text) #text
#define CSR_NAME(name)   CSR_STRING(name)

#define csr_read(name)                                                                             \
    __extension__({                                                                                \
        uint64_t csr_value_;                                                                       \
        __asm__ volatile("csrr %0, " CSR_NAME(name) : "=r"(csr_value_)::"memory");                 \
        csr_value_;                                                                                \
    })

#define csr_write(name, value)                                                                     \
    __asm__ volatile("csrw " CSR_NAME(name) ", %0" ::"rK"((uint64_t)(value)) : "memory")

#define csr_set(name, bits)                                                                        \
    __asm__ volatile("csrs " CSR_NAME(name) ", %0" ::"rK"((uint64_t)(bits)) : "memory")

#define csr_clear(name, bits)                                                                      \
    __asm__ volatile("csrc " CSR_NAME(name) ", %0" ::"rK"((uint64_t)(bits)) : "memory")

#endif
