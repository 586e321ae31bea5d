// SPDX-License-Identifier: Apache-2.0
// The Cap'n Proto wire format: the shapes of pointers and elements, and loads and stores by offset.
//
// Follows the Cap'n Proto encoding specification, sections "Messages" (words, little endian),
// "Structs", "Lists" and "Inter-Segment Pointers". Used by read.h and build.h, not by programs.
#ifndef CAPNP_WIRE_H
#define CAPNP_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "nexus/status.h"

// The wire is little endian; a load is a plain load only because the machine is too.
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "loads and stores do not swap bytes");

#define CAPNP_WORD_BYTES 8U

// What a message's fixed parts are made of. Sizes and offsets are constants of the schema: inlined,
// a struct is built by stores and read by loads, with one check for all of its bounds.
#define CAPNP_INLINE static inline __attribute__((always_inline))

// The low two bits of a pointer.
enum capnp_pointer_kind {
    CAPNP_POINTER_STRUCT = 0,
    CAPNP_POINTER_LIST = 1,
    CAPNP_POINTER_FAR = 2,   // to another segment: our messages have one
    CAPNP_POINTER_OTHER = 3, // capabilities: ours ride beside the message
};

// The field C of a list pointer: how large an element is.
enum capnp_element {
    CAPNP_ELEMENT_VOID = 0,
    CAPNP_ELEMENT_BIT = 1,
    CAPNP_ELEMENT_1_BYTE = 2,
    CAPNP_ELEMENT_2_BYTES = 3,
    CAPNP_ELEMENT_4_BYTES = 4,
    CAPNP_ELEMENT_8_BYTES = 5,
    CAPNP_ELEMENT_POINTER = 6,
    CAPNP_ELEMENT_COMPOSITE = 7, // structs, described by a tag word in front of the first
};

// List counts and list word counts are 29 bits wide.
#define CAPNP_LIST_COUNT_MAX ((UINT32_C(1) << 29) - 1)

// Text: length bytes, then a NUL that the length does not count. Bytes may hold further NULs: who
// hands them on as a C string compares strlen(bytes) with length first.
struct capnp_text {
    const char *bytes;
    uint32_t length;
};

struct capnp_data {
    const uint8_t *bytes;
    uint32_t length;
};

// Message memory is words to the builder and fields of any size to the accessors.
typedef uint16_t __attribute__((may_alias)) capnp_wire_u16;
typedef uint32_t __attribute__((may_alias)) capnp_wire_u32;
typedef uint64_t __attribute__((may_alias)) capnp_wire_u64;

static inline uint8_t capnp_load_u8(const uint8_t *base, uint32_t offset)
{
    return base[offset];
}

static inline uint16_t capnp_load_u16(const uint8_t *base, uint32_t offset)
{
    return *(const capnp_wire_u16 *)(const void *)(base + offset);
}

static inline uint32_t capnp_load_u32(const uint8_t *base, uint32_t offset)
{
    return *(const capnp_wire_u32 *)(const void *)(base + offset);
}

static inline uint64_t capnp_load_u64(const uint8_t *base, uint32_t offset)
{
    return *(const capnp_wire_u64 *)(const void *)(base + offset);
}

static inline void capnp_store_u8(uint8_t *base, uint32_t offset, uint8_t value)
{
    base[offset] = value;
}

static inline void capnp_store_u16(uint8_t *base, uint32_t offset, uint16_t value)
{
    *(capnp_wire_u16 *)(void *)(base + offset) = value;
}

static inline void capnp_store_u32(uint8_t *base, uint32_t offset, uint32_t value)
{
    *(capnp_wire_u32 *)(void *)(base + offset) = value;
}

static inline void capnp_store_u64(uint8_t *base, uint32_t offset, uint64_t value)
{
    *(capnp_wire_u64 *)(void *)(base + offset) = value;
}

static inline bool capnp_load_bit(const uint8_t *base, uint32_t bit)
{
    return ((unsigned)base[bit / 8] >> (bit % 8) & 1U) != 0;
}

static inline void capnp_store_bit(uint8_t *base, uint32_t bit, bool value)
{
    unsigned mask = 1U << (bit % 8);
    unsigned others = base[bit / 8] & ~mask;
    base[bit / 8] = (uint8_t)(value ? others | mask : others);
}

#endif
