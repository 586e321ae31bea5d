// SPDX-License-Identifier: Apache-2.0
// Newtypes that keep apart what must not be mixed: addresses, hart ids and hart indices.
#ifndef NEURON_TYPES_H
#define NEURON_TYPES_H

#include "nexus/limits.h"
#include "nexus/status.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// A physical address, in bytes.
typedef struct {
    uint64_t value;
} paddr_t;

// A virtual address in a user address space, in bytes. Kernel pointers are C pointers.
typedef struct {
    uint64_t value;
} vaddr_t;

// The number by which the SBI and the device tree name a hart; sparse, any size.
struct hart_id {
    uint64_t value;
};

// The kernel's own number of a hart: 0 is the boot hart, the others ascend by hart id.
struct hart_index {
    uint32_t value;
};

static inline paddr_t paddr(uint64_t value)
{
    return (paddr_t){value};
}

static inline vaddr_t vaddr(uint64_t value)
{
    return (vaddr_t){value};
}

// Kernel-internal status: the current thread gave its hart away (it waits, or another thread runs
// first), and whoever resumes it has set or will set its results. Never reaches user space.
#define STATUS_SWITCHED ((enum nx_status)NX_STATUS_COUNT)

// Returns the status of a step from the function unless it is NX_OK.
#define TRY(step)                                                                                  \
    do {                                                                                           \
        enum nx_status step_status = (step);                                                       \
        if (step_status != NX_OK)                                                                  \
            return step_status;                                                                    \
    } while (0)

#define ARRAY_LENGTH(array) (sizeof(array) / sizeof((array)[0]))

#define CONTAINER_OF(pointer, type, member)                                                        \
    ((type *)(void *)((char *)(pointer)-offsetof(type, member)))

static inline uint64_t round_up(uint64_t value, uint64_t power_of_two)
{
    return (value + power_of_two - 1) & ~(power_of_two - 1);
}

static inline uint64_t round_down(uint64_t value, uint64_t power_of_two)
{
    return value & ~(power_of_two - 1);
}

static inline bool is_aligned(uint64_t value, uint64_t power_of_two)
{
    return (value & (power_of_two - 1)) == 0;
}

#endif
