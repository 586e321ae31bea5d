// SPDX-License-Identifier: Apache-2.0
// Building a Cap'n Proto message in a buffer of the caller's.
//
// Follows the encoding specification, sections "Structs" and "Lists". Typical sequence:
//
//     capnp_builder_init -> capnp_build_struct (root) -> stores, capnp_build_text, ... -> send
//     capnp_builder_bytes(builder) bytes
//
// Objects are laid out one after the other in the order of the calls; every object starts as zeros,
// whatever the buffer held, so that no stale byte leaves the program. Nothing is ever moved or
// freed: setting a pointer twice leaves the first object in the message as a hole.
//
// Errors: NX_ERR_NO_MEMORY when the buffer is full (the message so far stays whole),
// NX_ERR_TOO_LARGE for a list or text longer than 2^29 - 1 elements, words or bytes.
#ifndef CAPNP_BUILD_H
#define CAPNP_BUILD_H

#include <string.h>

#include "capnp/wire.h"

struct capnp_builder {
    uint64_t *words;
    uint32_t capacity; // words
    uint32_t used;     // words
};

struct capnp_list_builder {
    struct capnp_builder *message;
    uint64_t *pointer; // the word that leads to this list
    uint8_t *elements;
    uint32_t count;
    uint32_t step_bytes; // 0 for bits
    enum capnp_element element;
};

// Starts a message in `size` bytes at `buffer`, which must be 8-byte aligned
// (NX_ERR_INVALID_ARGUMENT) and stays owned by the caller. NX_ERR_NO_MEMORY: no room for the root
// pointer.
CAPNP_INLINE NX_MUST_CHECK enum nx_status capnp_builder_init(struct capnp_builder *builder,
                                                             void *buffer, size_t size)
{
    if (buffer == NULL || (uintptr_t)buffer % CAPNP_WORD_BYTES != 0)
        return NX_ERR_INVALID_ARGUMENT;
    size_t capacity = size / CAPNP_WORD_BYTES;
    if (capacity == 0)
        return NX_ERR_NO_MEMORY;
    if (capacity > CAPNP_LIST_COUNT_MAX)
        capacity = CAPNP_LIST_COUNT_MAX;
    *builder = (struct capnp_builder){.words = buffer, .capacity = (uint32_t)capacity, .used = 1};
    builder->words[0] = 0;
    return NX_OK;
}

// The length of the message so far, in bytes.
static inline size_t capnp_builder_bytes(const struct capnp_builder *builder)
{
    return (size_t)builder->used * CAPNP_WORD_BYTES;
}

// Words that are still free.
static inline uint32_t capnp_builder_room(const struct capnp_builder *builder)
{
    return builder->capacity - builder->used;
}

// Words that text of `length` bytes takes, its NUL included.
static inline uint32_t capnp_text_words(uint32_t length)
{
    return length / CAPNP_WORD_BYTES + 1;
}

// The C string as text; it is not copied.
static inline struct capnp_text capnp_text_of(const char *string)
{
    size_t length = strlen(string);
    uint32_t bounded = length < UINT32_MAX ? (uint32_t)length : UINT32_MAX;
    return (struct capnp_text){.bytes = string, .length = bounded};
}

// A pointer's first half: kind and signed distance in words from the pointer's end to `target`.
static inline uint64_t capnp_pointer_to(const uint64_t *pointer, const uint64_t *target,
                                        enum capnp_pointer_kind kind)
{
    uint32_t distance = (uint32_t)(int32_t)(target - pointer - 1);
    return (uint64_t)(uint32_t)(distance << 2) | (uint64_t)kind;
}

// Takes `count` words, which hold what the buffer held: who takes them writes all of them. NULL
// when the buffer is full.
CAPNP_INLINE uint64_t *capnp_builder_claim(struct capnp_builder *builder, uint32_t count)
{
    if (count > builder->capacity - builder->used)
        return NULL;
    uint64_t *start = builder->words + builder->used;
    builder->used += count;
    return start;
}

// Takes `count` zeroed words; NULL when the buffer is full.
static inline uint64_t *capnp_builder_take(struct capnp_builder *builder, uint32_t count)
{
    uint64_t *start = capnp_builder_claim(builder, count);
    if (start != NULL)
        memset(start, 0, (size_t)count * CAPNP_WORD_BYTES);
    return start;
}

// Makes `pointer`, a word of the message, lead to a fresh struct, whose data section starts at *out
// and whose pointer section starts data_words later. It is not zeroed: the generated code that
// calls this clears it next, by stores that the compiler drops where a field's own store follows.
CAPNP_INLINE NX_MUST_CHECK enum nx_status capnp_place_struct(struct capnp_builder *builder,
                                                             uint64_t *pointer, uint16_t data_words,
                                                             uint16_t pointer_count, uint64_t **out)
{
    uint32_t size = (uint32_t)data_words + pointer_count;
    uint64_t *start = capnp_builder_claim(builder, size);
    if (start == NULL)
        return NX_ERR_NO_MEMORY;
    // A struct of no words points at itself: a distance of 0 would make the pointer null.
    const uint64_t *target = size != 0 ? start : pointer;
    *pointer = capnp_pointer_to(pointer, target, CAPNP_POINTER_STRUCT) |
               (uint64_t)data_words << 32 | (uint64_t)pointer_count << 48;
    *out = start;
    return NX_OK;
}

// Makes `pointer` lead to a copy of the text or the bytes.
NX_MUST_CHECK enum nx_status capnp_build_text(struct capnp_builder *builder, uint64_t *pointer,
                                              struct capnp_text text);
NX_MUST_CHECK enum nx_status capnp_build_data(struct capnp_builder *builder, uint64_t *pointer,
                                              struct capnp_data data);

// Makes `pointer` lead to a fresh list of `count` elements (not structs, not void), all zero.
NX_MUST_CHECK enum nx_status capnp_build_list(struct capnp_builder *builder, uint64_t *pointer,
                                              enum capnp_element element, uint32_t count,
                                              struct capnp_list_builder *out);

// Makes `pointer` lead to a fresh list of `count` structs, all zero.
NX_MUST_CHECK enum nx_status capnp_build_struct_list(struct capnp_builder *builder,
                                                     uint64_t *pointer, uint16_t data_words,
                                                     uint16_t pointer_count, uint32_t count,
                                                     struct capnp_list_builder *out);

// Shortens the list to `count` elements (NX_ERR_OUT_OF_RANGE: it is shorter). The words go back to
// the buffer if nothing was built after the list; else they stay in the message, zeroed.
NX_MUST_CHECK enum nx_status capnp_list_truncate(struct capnp_list_builder *list, uint32_t count);

// Sets one element. NX_ERR_OUT_OF_RANGE: past the end. NX_ERR_INVALID_ARGUMENT: not a list of
// these.
NX_MUST_CHECK enum nx_status capnp_list_set_bool(const struct capnp_list_builder *list,
                                                 uint32_t index, bool value);
NX_MUST_CHECK enum nx_status capnp_list_set_u8(const struct capnp_list_builder *list,
                                               uint32_t index, uint8_t value);
NX_MUST_CHECK enum nx_status capnp_list_set_u16(const struct capnp_list_builder *list,
                                                uint32_t index, uint16_t value);
NX_MUST_CHECK enum nx_status capnp_list_set_u32(const struct capnp_list_builder *list,
                                                uint32_t index, uint32_t value);
NX_MUST_CHECK enum nx_status capnp_list_set_u64(const struct capnp_list_builder *list,
                                                uint32_t index, uint64_t value);
NX_MUST_CHECK enum nx_status capnp_list_set_text(const struct capnp_list_builder *list,
                                                 uint32_t index, struct capnp_text text);
NX_MUST_CHECK enum nx_status capnp_list_set_data(const struct capnp_list_builder *list,
                                                 uint32_t index, struct capnp_data data);

// The first data word of struct `index`.
NX_MUST_CHECK enum nx_status capnp_list_struct_words(const struct capnp_list_builder *list,
                                                     uint32_t index, uint64_t **out);

#endif
