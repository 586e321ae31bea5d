// SPDX-License-Identifier: Apache-2.0
// Reading Cap'n Proto lists, text and bytes. Contract in read.h; encoding specification, "Lists".
#include "capnp/read.h"

#include <string.h>

const uint64_t capnp_null_pointer = 0;

void capnp_data_extend(const struct capnp_struct *fields, uint32_t bytes, uint64_t *room)
{
    memset(room, 0, bytes);
    if (fields->data_bytes != 0)
        memcpy(room, fields->data, fields->data_bytes);
}

// Bytes of one element by its wire size; bits, pointers and structs have their own rules.
static const uint8_t element_bytes[] = {
    [CAPNP_ELEMENT_VOID] = 0,    [CAPNP_ELEMENT_BIT] = 0,       [CAPNP_ELEMENT_1_BYTE] = 1,
    [CAPNP_ELEMENT_2_BYTES] = 2, [CAPNP_ELEMENT_4_BYTES] = 4,   [CAPNP_ELEMENT_8_BYTES] = 8,
    [CAPNP_ELEMENT_POINTER] = 0, [CAPNP_ELEMENT_COMPOSITE] = 0,
};

static enum capnp_element pointer_element(uint64_t word)
{
    return (enum capnp_element)(word >> 32 & 7);
}

// The field D of a list pointer: elements, or for structs the words after the tag.
static uint32_t pointer_list_size(uint64_t word)
{
    return (uint32_t)(word >> 35);
}

// Elements that take no room are paid for one by one: otherwise a word could claim 2^29 of them.
static enum nx_status charge_empty_elements(struct capnp_reader *message, uint32_t count)
{
    if (count > message->traversal_left)
        return NX_ERR_TOO_LARGE;
    message->traversal_left -= count;
    return NX_OK;
}

static enum nx_status composite_list(struct capnp_reader *message, const uint64_t *pointer,
                                     uint64_t word, struct capnp_list *list)
{
    uint32_t words = pointer_list_size(word);
    const uint64_t *tag;
    enum nx_status status = capnp_follow(message, pointer, word, words + 1, &tag);
    if (status != NX_OK)
        return status;
    uint64_t shape = *tag;
    if ((shape & 3) != CAPNP_POINTER_STRUCT)
        return NX_ERR_BAD_FORMAT;
    uint32_t count = (uint32_t)shape >> 2;
    uint32_t data_words = (uint16_t)(shape >> 32);
    uint16_t pointer_count = (uint16_t)(shape >> 48);
    uint32_t element_words = data_words + pointer_count;
    if ((uint64_t)count * element_words > words)
        return NX_ERR_BAD_FORMAT;
    list->elements = (const uint8_t *)(tag + 1);
    list->count = count;
    list->step_bytes = element_words * CAPNP_WORD_BYTES;
    list->data_bytes = data_words * CAPNP_WORD_BYTES;
    list->pointer_count = pointer_count;
    return element_words == 0 ? charge_empty_elements(message, count) : NX_OK;
}

static enum nx_status flat_list(struct capnp_reader *message, const uint64_t *pointer,
                                uint64_t word, struct capnp_list *list)
{
    uint32_t count = pointer_list_size(word);
    enum capnp_element element = list->element;
    bool pointers = element == CAPNP_ELEMENT_POINTER;
    uint32_t step = pointers ? CAPNP_WORD_BYTES : element_bytes[element];
    uint64_t bits = element == CAPNP_ELEMENT_BIT ? count : (uint64_t)count * step * 8;
    const uint64_t *start;
    enum nx_status status =
        capnp_follow(message, pointer, word, (uint32_t)((bits + 63) / 64), &start);
    if (status != NX_OK)
        return status;
    list->elements = (const uint8_t *)start;
    list->count = count;
    list->step_bytes = step;
    list->data_bytes = element_bytes[element];
    list->pointer_count = pointers ? 1 : 0;
    return element == CAPNP_ELEMENT_VOID ? charge_empty_elements(message, count) : NX_OK;
}

// Whether every element as sent holds an element as expected.
static bool element_fits(const struct capnp_list *list, enum capnp_element expected)
{
    if (expected == CAPNP_ELEMENT_BIT || list->element == CAPNP_ELEMENT_BIT)
        return expected == list->element;
    if (expected == CAPNP_ELEMENT_COMPOSITE)
        return true;
    if (expected == CAPNP_ELEMENT_POINTER)
        return list->pointer_count > 0;
    return element_bytes[expected] <= list->data_bytes;
}

enum nx_status capnp_list_at(struct capnp_reader *message, const uint64_t *pointer,
                             uint16_t depth_left, enum capnp_element expected,
                             struct capnp_list *out)
{
    uint64_t word = *pointer;
    if (word == 0) {
        *out = (struct capnp_list){.message = message, .element = expected};
        return NX_OK;
    }
    if ((word & 3) != CAPNP_POINTER_LIST)
        return capnp_wrong_kind(word);
    if (depth_left == 0)
        return NX_ERR_TOO_LARGE;
    struct capnp_list list = {
        .message = message,
        .depth_left = (uint16_t)(depth_left - 1),
        .element = pointer_element(word),
    };
    enum nx_status status = list.element == CAPNP_ELEMENT_COMPOSITE
                                ? composite_list(message, pointer, word, &list)
                                : flat_list(message, pointer, word, &list);
    if (status != NX_OK)
        return status;
    if (!element_fits(&list, expected))
        return NX_ERR_BAD_FORMAT;
    *out = list;
    return NX_OK;
}

// The bytes of a non-null pointer to a list of bytes.
static enum nx_status byte_list(struct capnp_reader *message, const uint64_t *pointer,
                                struct capnp_data *out)
{
    uint64_t word = *pointer;
    if ((word & 3) != CAPNP_POINTER_LIST)
        return capnp_wrong_kind(word);
    if (pointer_element(word) != CAPNP_ELEMENT_1_BYTE)
        return NX_ERR_BAD_FORMAT;
    uint32_t length = pointer_list_size(word);
    const uint64_t *start;
    enum nx_status status = capnp_follow(message, pointer, word, (length + 7) / 8, &start);
    if (status != NX_OK)
        return status;
    *out = (struct capnp_data){.bytes = (const uint8_t *)start, .length = length};
    return NX_OK;
}

enum nx_status capnp_data_at(struct capnp_reader *message, const uint64_t *pointer,
                             struct capnp_data *out)
{
    if (*pointer == 0) {
        *out = (struct capnp_data){.bytes = (const uint8_t *)&capnp_null_pointer, .length = 0};
        return NX_OK;
    }
    return byte_list(message, pointer, out);
}

enum nx_status capnp_text_at(struct capnp_reader *message, const uint64_t *pointer,
                             struct capnp_text *out)
{
    if (*pointer == 0) {
        *out = (struct capnp_text){.bytes = "", .length = 0};
        return NX_OK;
    }
    struct capnp_data data;
    enum nx_status status = byte_list(message, pointer, &data);
    if (status != NX_OK)
        return status;
    if (data.length == 0 || data.bytes[data.length - 1] != 0)
        return NX_ERR_BAD_FORMAT;
    *out = (struct capnp_text){.bytes = (const char *)data.bytes, .length = data.length - 1};
    return NX_OK;
}

enum nx_status capnp_list_struct(const struct capnp_list *list, uint32_t index,
                                 struct capnp_struct *out)
{
    if (index >= list->count)
        return NX_ERR_OUT_OF_RANGE;
    if (list->element == CAPNP_ELEMENT_BIT)
        return NX_ERR_BAD_FORMAT;
    if (list->depth_left == 0)
        return NX_ERR_TOO_LARGE;
    *out = (struct capnp_struct){
        .message = list->message,
        .data = list->elements + (size_t)index * list->step_bytes,
        .data_bytes = list->data_bytes,
        .pointer_count = list->pointer_count,
        .depth_left = (uint16_t)(list->depth_left - 1),
    };
    return NX_OK;
}

// The pointer that element `index` is, or, of a list sent as structs, begins its pointers with.
static enum nx_status list_pointer(const struct capnp_list *list, uint32_t index,
                                   const uint64_t **out)
{
    if (index >= list->count)
        return NX_ERR_OUT_OF_RANGE;
    if (list->pointer_count == 0)
        return NX_ERR_BAD_FORMAT;
    const uint8_t *element = list->elements + (size_t)index * list->step_bytes;
    *out = (const uint64_t *)(const void *)(element + list->data_bytes);
    return NX_OK;
}

enum nx_status capnp_list_text(const struct capnp_list *list, uint32_t index,
                               struct capnp_text *out)
{
    const uint64_t *pointer;
    enum nx_status status = list_pointer(list, index, &pointer);
    return status == NX_OK ? capnp_text_at(list->message, pointer, out) : status;
}

enum nx_status capnp_list_data(const struct capnp_list *list, uint32_t index,
                               struct capnp_data *out)
{
    const uint64_t *pointer;
    enum nx_status status = list_pointer(list, index, &pointer);
    return status == NX_OK ? capnp_data_at(list->message, pointer, out) : status;
}
