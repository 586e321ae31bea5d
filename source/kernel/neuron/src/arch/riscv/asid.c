// SPDX-License-Identifier: Apache-2.0
// Address space identifiers: see asid.h. asid_lock guards the bitmaps and the search position.
#include "asid.h"
#include "arch_inline.h"
#include "core/hart.h"
#include "core/lock.h"
#include "core/panic.h"
#include "paging.h"
#include "sbi.h"

#define ASID_BITS_MAX  16
#define ASID_WORD_BITS 64u
#define ASID_WORDS     ((1u << ASID_BITS_MAX) / ASID_WORD_BITS)
#define ASID_NONE      UINT32_MAX

static struct lock asid_lock = LOCK_INITIALIZER(LOCK_RANK_ASID);
static uint64_t taken[ASID_WORDS]; // in use or stale
static uint64_t stale[ASID_WORDS];
static uint32_t next_asid = ASID_SHARED + 1; // none below it is free

static uint32_t asid_bits; // constant after asid_probe

uint32_t arch_asid_bits(void)
{
    return asid_bits;
}

// The field keeps only the bits that exist (4.1.11). The kernel's mappings are global, so any value
// will do for a moment.
void asid_probe(void)
{
    const uint64_t satp = csr_read(satp);

    csr_write(satp, satp | SATP_ASID_MASK << SATP_ASID_SHIFT);
    const uint64_t kept = csr_read(satp) >> SATP_ASID_SHIFT & SATP_ASID_MASK;

    csr_write(satp, satp);
    arch_tlb_flush_all_local();
    asid_bits = (uint32_t)__builtin_popcountl(kept);
}

static uint32_t find_free(uint32_t from)
{
    for (uint32_t asid = from; asid < 1u << asid_bits; asid++) {
        const uint64_t word = taken[asid / ASID_WORD_BITS];

        if (word == UINT64_MAX) {
            asid |= ASID_WORD_BITS - 1;
            continue;
        }
        if ((word >> (asid % ASID_WORD_BITS) & 1) == 0)
            return asid;
    }
    return ASID_NONE;
}

// Every translation of every space, everywhere.
static void flush_all_harts(void)
{
    const uint32_t others = hart_online_mask() & ~hart_bit(hart_self());

    arch_tlb_flush_all_local();
    if (others == 0)
        return;
    tlb_check_remote(sbi_remote_sfence_vma(others, 0, UINT64_MAX), others);
}

static void recycle_stale(void)
{
    for (uint32_t i = 0; i < ASID_WORDS; i++) {
        taken[i] &= ~stale[i];
        stale[i] = 0;
    }
    flush_all_harts();
}

uint32_t asid_alloc(void)
{
    lock_acquire(&asid_lock);
    uint32_t asid = find_free(next_asid);

    if (asid == ASID_NONE) {
        recycle_stale();
        asid = find_free(ASID_SHARED + 1);
    }
    if (asid == ASID_NONE) {
        asid = ASID_SHARED;
    } else {
        taken[asid / ASID_WORD_BITS] |= 1ul << (asid % ASID_WORD_BITS);
        next_asid = asid + 1;
    }
    lock_release(&asid_lock);
    return asid;
}

void asid_free(uint32_t asid)
{
    if (asid == ASID_SHARED)
        return;
    lock_acquire(&asid_lock);
    stale[asid / ASID_WORD_BITS] |= 1ul << (asid % ASID_WORD_BITS);
    lock_release(&asid_lock);
}
