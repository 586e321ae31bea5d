// SPDX-License-Identifier: Apache-2.0
// Calls with numbers that no call has: each is NX_ERR_BAD_SYSCALL, and nothing else happens.
//
// The number is a7's low byte; what stands above it belongs to messages. So a number with any bits
// above the byte is the same number: also of the one call that needs neither arguments nor rights.
#include "fuzz.h"

#define NUMBERS_FREE (NX_INFO_NUMBER_MASK + 1 - NX_SYSCALL_COUNT) // that no call has
#define NULL_ONE_IN  8u

// The part of the page that calls read and write.
#define PAGE_BYTES offsetof(struct nx_message_page, start)

static uint64_t bits_above(struct random *random)
{
    uint64_t number = random_next(random) & ~NX_INFO_NUMBER_MASK;
    return random_one_in(random, 2) ? number
                                    : (NX_INFO_NUMBER_MASK + 1) << random_below(random, 56);
}

static uint64_t number_without_call(struct random *random)
{
    uint64_t number = NX_SYSCALL_COUNT + random_below(random, NUMBERS_FREE);
    switch (random_below(random, 4)) {
    case 0:
        return NX_SYSCALL_COUNT;
    case 1:
        return number;
    case 2:
        return UINT64_MAX - random_below(random, NUMBERS_FREE); // negative
    default:
        return bits_above(random) | number;
    }
}

// What a kernel that takes the number for another call's would act on.
static void arguments_fill(struct fuzzer *fuzzer, uint64_t arguments[7])
{
    struct random *random = &fuzzer->random;
    uint64_t *words = (uint64_t *)fuzzer->page;
    for (uint32_t i = 0; i < PAGE_BYTES / sizeof(uint64_t); i++) {
        words[i] = random_next(random);
    }
    for (uint32_t i = 0; i < 7; i++) {
        uint64_t type = 1 + random_below(random, NX_OBJECT_TYPES - 1);
        arguments[i] = random_one_in(random, 2) ? fuzz_handle(fuzzer, (enum nx_object_type)type)
                                                : random_next(random) >> random_below(random, 64);
    }
}

void fuzz_unknown_call(struct fuzzer *fuzzer)
{
    struct fuzz_counts *counts = worker.counts;
    uint8_t before[PAGE_BYTES];
    uint64_t arguments[7];
    bool null = random_one_in(&fuzzer->random, NULL_ONE_IN);
    uint64_t number =
        null ? bits_above(&fuzzer->random) | NX_SYS_NULL : number_without_call(&fuzzer->random);
    uint64_t pattern = random_next(&fuzzer->random);
    arguments_fill(fuzzer, arguments);
    memcpy(before, fuzzer->page, PAGE_BYTES);
    atomic_fetch_add_explicit(&counts->calls, 1, memory_order_relaxed);
    uint64_t status = fuzz_kept_call(number, arguments, pattern);
    bool changed = status == FUZZ_REGISTER_CHANGED || memcmp(before, fuzzer->page, PAGE_BYTES) != 0;
    bool right = status == (null ? NX_OK : NX_ERR_BAD_SYSCALL);
    atomic_fetch_add_explicit(changed ? &counts->unknown_changed
                              : right ? &counts->unknown
                                      : &counts->unknown_taken,
                              1, memory_order_relaxed);
    atomic_fetch_add_explicit(&fuzzer->progress, 1, memory_order_relaxed);
}
