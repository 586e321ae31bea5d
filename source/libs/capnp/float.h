// SPDX-License-Identifier: Apache-2.0
// Floating point fields of Cap'n Proto structs: their bits as values. Included only by the
// generated headers of schemas that have such fields, so that code built without an FPU never sees
// it.
#ifndef CAPNP_FLOAT_H
#define CAPNP_FLOAT_H

#include <stdint.h>
#include <string.h>

_Static_assert(sizeof(float) == 4 && sizeof(double) == 8, "the wire has IEEE 754 binary32 and 64");

static inline float capnp_f32_from_bits(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof(value));
    return value;
}

static inline double capnp_f64_from_bits(uint64_t bits)
{
    double value;
    memcpy(&value, &bits, sizeof(value));
    return value;
}

static inline uint32_t capnp_f32_to_bits(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof(bits));
    return bits;
}

static inline uint64_t capnp_f64_to_bits(double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof(bits));
    return bits;
}

#endif
