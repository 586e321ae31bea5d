// SPDX-License-Identifier: Apache-2.0
// Counters that one hart writes and any hart reads for diagnosis: words that are never torn,
// without the cost of an atomic addition.
#ifndef NEURON_COUNTER_H
#define NEURON_COUNTER_H

#include "arch_inline.h"
#include <stdatomic.h>
#include <stdint.h>

static inline uint64_t counter_read(const _Atomic uint64_t *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

static inline void counter_set(_Atomic uint64_t *counter, uint64_t value)
{
    arch_store_relaxed(counter, value);
}

// Only the hart that owns the counter.
static inline void counter_add(_Atomic uint64_t *counter, uint64_t amount)
{
    counter_set(counter, counter_read(counter) + amount);
}

#endif
