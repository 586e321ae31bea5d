// SPDX-License-Identifier: Apache-2.0
// Reading a Cap'n Proto message that nobody vouches for.
//
// Follows the encoding specification, sections "Structs", "Lists", "Security Considerations" and
// "Canonicalization" (only as far as null pointers go). Typical sequence:
//
//     capnp_reader_init -> capnp_root -> capnp_struct_u32, capnp_struct_text, capnp_struct_list,
//     ...
//
// Every pointer is checked once, when it is followed; after that a field is one comparison with the
// size of its section and one load. A section shorter than the schema (an older sender) reads as
// defaults, a longer one (a newer sender) is cut.
//
// The bytes must not change while they are read: the checks and the loads see the same memory. They
// stay owned by the caller and must outlive everything that points into them (structs, lists,
// text).
//
// Errors of everything that follows a pointer:
//   NX_ERR_OUT_OF_RANGE  it leads outside of the message
//   NX_ERR_BAD_FORMAT    not the kind of pointer or element that the schema names, a list whose
//                        elements exceed its words, or text without its NUL
//   NX_ERR_UNSUPPORTED   a far pointer or a capability
//   NX_ERR_TOO_LARGE     nested deeper than CAPNP_DEPTH_LIMIT, or more words followed in all than
//                        CAPNP_TRAVERSAL_FACTOR times the message: a cycle, or an amplification
// Outputs are written on success only.
#ifndef CAPNP_READ_H
#define CAPNP_READ_H

#include "capnp/wire.h"

#define CAPNP_DEPTH_LIMIT 32U

// Generous, because reading one field twice counts twice; small, because it bounds a server's work.
#define CAPNP_TRAVERSAL_FACTOR 64U

struct capnp_reader {
    const uint64_t *words;   // constant after init
    uint32_t word_count;     // constant after init
    uint32_t traversal_left; // words that may still be followed
};

struct capnp_struct {
    struct capnp_reader *message;
    const uint8_t *data;    // the data section; the pointer section comes right after it
    uint32_t data_bytes;    // as sent, which may be less or more than the schema's
    uint16_t pointer_count; // as sent
    uint16_t depth_left;    // levels that may still lie below this struct
};

struct capnp_list {
    struct capnp_reader *message;
    const uint8_t *elements;
    uint32_t count;
    uint32_t step_bytes;    // from one element to the next; 0 for bits and for empty structs
    uint32_t data_bytes;    // of one element
    uint16_t pointer_count; // of one element
    uint16_t depth_left;
    enum capnp_element element; // as sent
};

// Starts reading the message of `length` bytes at `bytes`, which must be 8-byte aligned
// (NX_ERR_INVALID_ARGUMENT). NX_ERR_TRUNCATED: no root pointer, or not whole words.
// NX_ERR_TOO_LARGE: more than 2^29 bytes.
CAPNP_INLINE NX_MUST_CHECK enum nx_status capnp_reader_init(struct capnp_reader *reader,
                                                            const void *bytes, size_t length)
{
    if (bytes == NULL || (uintptr_t)bytes % CAPNP_WORD_BYTES != 0)
        return NX_ERR_INVALID_ARGUMENT;
    if (length < CAPNP_WORD_BYTES || length % CAPNP_WORD_BYTES != 0)
        return NX_ERR_TRUNCATED;
    if (length > CAPNP_LIST_COUNT_MAX)
        return NX_ERR_TOO_LARGE;
    uint32_t word_count = (uint32_t)(length / CAPNP_WORD_BYTES);
    uint64_t traversal = (uint64_t)word_count * CAPNP_TRAVERSAL_FACTOR;
    *reader = (struct capnp_reader){
        .words = bytes,
        .word_count = word_count,
        .traversal_left = traversal < UINT32_MAX ? (uint32_t)traversal : UINT32_MAX,
    };
    return NX_OK;
}

// Reads the list at `pointer`, a word of the message, as a list of `expected` elements. A list of
// structs may be read as a list of its first field and the other way round, except for bits.
NX_MUST_CHECK enum nx_status capnp_list_at(struct capnp_reader *message, const uint64_t *pointer,
                                           uint16_t depth_left, enum capnp_element expected,
                                           struct capnp_list *out);

// Reads the text or the bytes at `pointer`, a word of the message. A null pointer is the empty one.
NX_MUST_CHECK enum nx_status capnp_text_at(struct capnp_reader *message, const uint64_t *pointer,
                                           struct capnp_text *out);
NX_MUST_CHECK enum nx_status capnp_data_at(struct capnp_reader *message, const uint64_t *pointer,
                                           struct capnp_data *out);

// Element `index` of a list read as structs, as text or as bytes; past the end it is
// NX_ERR_OUT_OF_RANGE.
NX_MUST_CHECK enum nx_status capnp_list_struct(const struct capnp_list *list, uint32_t index,
                                               struct capnp_struct *out);
NX_MUST_CHECK enum nx_status capnp_list_text(const struct capnp_list *list, uint32_t index,
                                             struct capnp_text *out);
NX_MUST_CHECK enum nx_status capnp_list_data(const struct capnp_list *list, uint32_t index,
                                             struct capnp_data *out);

// What a pointer that the sender did not have reads as.
extern const uint64_t capnp_null_pointer;

// The error for a pointer that is not of the kind expected.
static inline enum nx_status capnp_wrong_kind(uint64_t pointer)
{
    return (pointer & 2) != 0 ? NX_ERR_UNSUPPORTED : NX_ERR_BAD_FORMAT;
}

// Where the object of `size` words that `pointer` leads to starts; the object is within the message
// and paid for.
CAPNP_INLINE NX_MUST_CHECK enum nx_status capnp_follow(struct capnp_reader *message,
                                                       const uint64_t *pointer, uint64_t word,
                                                       uint64_t size, const uint64_t **out)
{
    // The low half is the signed distance in words times four; the two low bits are the kind's.
    int64_t distance = (int64_t)(int32_t)(uint32_t)(word & ~UINT64_C(3)) * 2;
    uintptr_t start = (uintptr_t)(pointer + 1) + (uintptr_t)distance;
    // From the message's start, in bytes; in front of it, more than there are.
    uint64_t offset = start - (uintptr_t)message->words;
    uint64_t length = (uint64_t)message->word_count * CAPNP_WORD_BYTES;
    if (offset > length || size * CAPNP_WORD_BYTES > length - offset)
        return NX_ERR_OUT_OF_RANGE;
    if (size > message->traversal_left)
        return NX_ERR_TOO_LARGE;
    message->traversal_left -= (uint32_t)size;
    *out = (const uint64_t *)(const void *)((const uint8_t *)message->words + offset);
    return NX_OK;
}

// Reads the struct at `pointer`, a word of the message. A null pointer is the struct of defaults.
CAPNP_INLINE NX_MUST_CHECK enum nx_status capnp_struct_at(struct capnp_reader *message,
                                                          const uint64_t *pointer,
                                                          uint16_t depth_left,
                                                          struct capnp_struct *out)
{
    uint64_t word = *pointer;
    if (word == 0) {
        *out = (struct capnp_struct){.message = message};
        return NX_OK;
    }
    if ((word & 3) != CAPNP_POINTER_STRUCT)
        return capnp_wrong_kind(word);
    if (depth_left == 0)
        return NX_ERR_TOO_LARGE;
    uint64_t data_words = capnp_load_u16((const uint8_t *)pointer, 4);
    uint64_t pointer_count = capnp_load_u16((const uint8_t *)pointer, 6);
    const uint64_t *start;
    enum nx_status status =
        capnp_follow(message, pointer, word, data_words + pointer_count, &start);
    if (status != NX_OK)
        return status;
    *out = (struct capnp_struct){
        .message = message,
        .data = (const uint8_t *)start,
        .data_bytes = (uint32_t)(data_words * CAPNP_WORD_BYTES),
        .pointer_count = (uint16_t)pointer_count,
        .depth_left = (uint16_t)(depth_left - 1),
    };
    return NX_OK;
}

// Reads the root struct.
CAPNP_INLINE NX_MUST_CHECK enum nx_status capnp_root(struct capnp_reader *message,
                                                     struct capnp_struct *out)
{
    return capnp_struct_at(message, message->words, CAPNP_DEPTH_LIMIT, out);
}

// Field values by offset; 0 when the sender's data section ends before the field. Offsets are in
// bytes and multiples of the field's size; of a bool, in bits.
static inline bool capnp_struct_bool(const struct capnp_struct *fields, uint32_t bit)
{
    return bit / 8 < fields->data_bytes && capnp_load_bit(fields->data, bit);
}

static inline uint8_t capnp_struct_u8(const struct capnp_struct *fields, uint32_t offset)
{
    return offset + 1 <= fields->data_bytes ? capnp_load_u8(fields->data, offset) : 0;
}

static inline uint16_t capnp_struct_u16(const struct capnp_struct *fields, uint32_t offset)
{
    return offset + 2 <= fields->data_bytes ? capnp_load_u16(fields->data, offset) : 0;
}

static inline uint32_t capnp_struct_u32(const struct capnp_struct *fields, uint32_t offset)
{
    return offset + 4 <= fields->data_bytes ? capnp_load_u32(fields->data, offset) : 0;
}

static inline uint64_t capnp_struct_u64(const struct capnp_struct *fields, uint32_t offset)
{
    return offset + 8 <= fields->data_bytes ? capnp_load_u64(fields->data, offset) : 0;
}

// Copies a data section that is shorter than `bytes` to `room`, zeros after it.
void capnp_data_extend(const struct capnp_struct *fields, uint32_t bytes, uint64_t *room);

// The first `bytes` bytes of the data section, whatever the sender's is: after this one check they
// are read by capnp_load_*. `room` has as many bytes.
CAPNP_INLINE const uint8_t *capnp_struct_data_at_least(const struct capnp_struct *fields,
                                                       uint32_t bytes, uint64_t *room)
{
    if (__builtin_expect(fields->data_bytes >= bytes, 1))
        return fields->data;
    capnp_data_extend(fields, bytes, room);
    return (const uint8_t *)room;
}

// The pointer word `index`, or the null one when the sender's pointer section ends before it.
static inline const uint64_t *capnp_struct_pointer(const struct capnp_struct *fields,
                                                   uint32_t index)
{
    if (index >= fields->pointer_count)
        return &capnp_null_pointer;
    return (const uint64_t *)(const void *)(fields->data + fields->data_bytes) + index;
}

static inline NX_MUST_CHECK enum nx_status
capnp_struct_struct(const struct capnp_struct *fields, uint32_t index, struct capnp_struct *out)
{
    return capnp_struct_at(fields->message, capnp_struct_pointer(fields, index), fields->depth_left,
                           out);
}

static inline NX_MUST_CHECK enum nx_status capnp_struct_list(const struct capnp_struct *fields,
                                                             uint32_t index,
                                                             enum capnp_element expected,
                                                             struct capnp_list *out)
{
    return capnp_list_at(fields->message, capnp_struct_pointer(fields, index), fields->depth_left,
                         expected, out);
}

static inline NX_MUST_CHECK enum nx_status capnp_struct_text(const struct capnp_struct *fields,
                                                             uint32_t index, struct capnp_text *out)
{
    return capnp_text_at(fields->message, capnp_struct_pointer(fields, index), out);
}

static inline NX_MUST_CHECK enum nx_status capnp_struct_data(const struct capnp_struct *fields,
                                                             uint32_t index, struct capnp_data *out)
{
    return capnp_data_at(fields->message, capnp_struct_pointer(fields, index), out);
}

// Elements of a list of primitives. Past the end, or wider than the elements are, they read as 0.
static inline bool capnp_list_bool(const struct capnp_list *list, uint32_t index)
{
    return list->element == CAPNP_ELEMENT_BIT && index < list->count &&
           capnp_load_bit(list->elements, index);
}

static inline const uint8_t *capnp_list_element(const struct capnp_list *list, uint32_t index,
                                                uint32_t bytes)
{
    if (index >= list->count || bytes > list->data_bytes)
        return NULL;
    return list->elements + (size_t)index * list->step_bytes;
}

static inline uint8_t capnp_list_u8(const struct capnp_list *list, uint32_t index)
{
    const uint8_t *element = capnp_list_element(list, index, 1);
    return element != NULL ? capnp_load_u8(element, 0) : 0;
}

static inline uint16_t capnp_list_u16(const struct capnp_list *list, uint32_t index)
{
    const uint8_t *element = capnp_list_element(list, index, 2);
    return element != NULL ? capnp_load_u16(element, 0) : 0;
}

static inline uint32_t capnp_list_u32(const struct capnp_list *list, uint32_t index)
{
    const uint8_t *element = capnp_list_element(list, index, 4);
    return element != NULL ? capnp_load_u32(element, 0) : 0;
}

static inline uint64_t capnp_list_u64(const struct capnp_list *list, uint32_t index)
{
    const uint8_t *element = capnp_list_element(list, index, 8);
    return element != NULL ? capnp_load_u64(element, 0) : 0;
}

#endif
