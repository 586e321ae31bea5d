// SPDX-License-Identifier: Apache-2.0
// Building Cap'n Proto lists, text and bytes. Contract in build.h; encoding specification, "Lists".
#include "capnp/build.h"

// The second half of a list pointer: element size and count (of structs: words after the tag).
static uint64_t list_shape(enum capnp_element element, uint32_t size)
{
    return (uint64_t)element << 32 | (uint64_t)size << 35;
}

static uint32_t element_bits(enum capnp_element element)
{
    static const uint8_t bits[] = {
        [CAPNP_ELEMENT_VOID] = 0,     [CAPNP_ELEMENT_BIT] = 1,       [CAPNP_ELEMENT_1_BYTE] = 8,
        [CAPNP_ELEMENT_2_BYTES] = 16, [CAPNP_ELEMENT_4_BYTES] = 32,  [CAPNP_ELEMENT_8_BYTES] = 64,
        [CAPNP_ELEMENT_POINTER] = 64, [CAPNP_ELEMENT_COMPOSITE] = 0,
    };
    return bits[element];
}

static uint32_t list_words(enum capnp_element element, uint32_t count)
{
    return (uint32_t)(((uint64_t)count * element_bits(element) + 63) / 64);
}

// Makes `pointer` lead to `length` bytes (a copy of `bytes`) and `padding` zero bytes after them.
static enum nx_status build_bytes(struct capnp_builder *builder, uint64_t *pointer,
                                  const void *bytes, uint32_t length, uint32_t padding)
{
    if (length > CAPNP_LIST_COUNT_MAX - padding)
        return NX_ERR_TOO_LARGE;
    uint32_t total = length + padding;
    uint32_t words = list_words(CAPNP_ELEMENT_1_BYTE, total);
    uint64_t *start = capnp_builder_claim(builder, words);
    if (start == NULL)
        return NX_ERR_NO_MEMORY;
    if (words != 0)
        start[words - 1] = 0; // the bytes after the last one
    if (length != 0)
        memcpy(start, bytes, length);
    *pointer = capnp_pointer_to(pointer, start, CAPNP_POINTER_LIST) |
               list_shape(CAPNP_ELEMENT_1_BYTE, total);
    return NX_OK;
}

enum nx_status capnp_build_text(struct capnp_builder *builder, uint64_t *pointer,
                                struct capnp_text text)
{
    return build_bytes(builder, pointer, text.bytes, text.length, 1);
}

enum nx_status capnp_build_data(struct capnp_builder *builder, uint64_t *pointer,
                                struct capnp_data data)
{
    return build_bytes(builder, pointer, data.bytes, data.length, 0);
}

enum nx_status capnp_build_list(struct capnp_builder *builder, uint64_t *pointer,
                                enum capnp_element element, uint32_t count,
                                struct capnp_list_builder *out)
{
    if (element == CAPNP_ELEMENT_VOID || element == CAPNP_ELEMENT_COMPOSITE)
        return NX_ERR_INVALID_ARGUMENT;
    if (count > CAPNP_LIST_COUNT_MAX)
        return NX_ERR_TOO_LARGE;
    uint64_t *start = capnp_builder_take(builder, list_words(element, count));
    if (start == NULL)
        return NX_ERR_NO_MEMORY;
    *pointer = capnp_pointer_to(pointer, start, CAPNP_POINTER_LIST) | list_shape(element, count);
    *out = (struct capnp_list_builder){
        .message = builder,
        .pointer = pointer,
        .elements = (uint8_t *)start,
        .count = count,
        .step_bytes = element_bits(element) / 8,
        .element = element,
    };
    return NX_OK;
}

enum nx_status capnp_build_struct_list(struct capnp_builder *builder, uint64_t *pointer,
                                       uint16_t data_words, uint16_t pointer_count, uint32_t count,
                                       struct capnp_list_builder *out)
{
    uint32_t element_words = (uint32_t)data_words + pointer_count;
    uint64_t words = (uint64_t)count * element_words;
    if (count > CAPNP_LIST_COUNT_MAX || words > CAPNP_LIST_COUNT_MAX)
        return NX_ERR_TOO_LARGE;
    uint64_t *tag = capnp_builder_take(builder, (uint32_t)words + 1);
    if (tag == NULL)
        return NX_ERR_NO_MEMORY;
    *tag = (uint64_t)count << 2 | (uint64_t)data_words << 32 | (uint64_t)pointer_count << 48;
    *pointer = capnp_pointer_to(pointer, tag, CAPNP_POINTER_LIST) |
               list_shape(CAPNP_ELEMENT_COMPOSITE, (uint32_t)words);
    *out = (struct capnp_list_builder){
        .message = builder,
        .pointer = pointer,
        .elements = (uint8_t *)(tag + 1),
        .count = count,
        .step_bytes = element_words * CAPNP_WORD_BYTES,
        .element = CAPNP_ELEMENT_COMPOSITE,
    };
    return NX_OK;
}

static uint32_t list_builder_words(const struct capnp_list_builder *list, uint32_t count)
{
    if (list->element == CAPNP_ELEMENT_COMPOSITE)
        return count * (list->step_bytes / CAPNP_WORD_BYTES);
    return list_words(list->element, count);
}

enum nx_status capnp_list_truncate(struct capnp_list_builder *list, uint32_t count)
{
    if (count > list->count)
        return NX_ERR_OUT_OF_RANGE;
    uint64_t *start = (uint64_t *)(void *)list->elements;
    uint32_t old_words = list_builder_words(list, list->count);
    uint32_t new_words = list_builder_words(list, count);
    uint32_t shape = count;
    if (list->element == CAPNP_ELEMENT_COMPOSITE) {
        start[-1] = (start[-1] & ~UINT64_C(0xffffffff)) | (uint64_t)count << 2;
        shape = new_words;
    }
    *list->pointer = (*list->pointer & UINT64_C(0xffffffff)) | list_shape(list->element, shape);
    if (list->element == CAPNP_ELEMENT_BIT) {
        for (uint32_t index = count; index < list->count; index++)
            capnp_store_bit(list->elements, index, false);
    } else {
        uint32_t kept = count * list->step_bytes;
        memset(list->elements + kept, 0, (size_t)old_words * CAPNP_WORD_BYTES - kept);
    }
    struct capnp_builder *message = list->message;
    if (start + old_words == message->words + message->used)
        message->used -= old_words - new_words;
    list->count = count;
    return NX_OK;
}

// Where element `index` of a list of `element`s lies.
static enum nx_status list_element(const struct capnp_list_builder *list, uint32_t index,
                                   enum capnp_element element, uint8_t **out)
{
    if (list->element != element)
        return NX_ERR_INVALID_ARGUMENT;
    if (index >= list->count)
        return NX_ERR_OUT_OF_RANGE;
    *out = list->elements + (size_t)index * list->step_bytes;
    return NX_OK;
}

enum nx_status capnp_list_set_bool(const struct capnp_list_builder *list, uint32_t index,
                                   bool value)
{
    uint8_t *elements;
    enum nx_status status = list_element(list, index, CAPNP_ELEMENT_BIT, &elements);
    if (status == NX_OK)
        capnp_store_bit(elements, index, value);
    return status;
}

enum nx_status capnp_list_set_u8(const struct capnp_list_builder *list, uint32_t index,
                                 uint8_t value)
{
    uint8_t *element;
    enum nx_status status = list_element(list, index, CAPNP_ELEMENT_1_BYTE, &element);
    if (status == NX_OK)
        capnp_store_u8(element, 0, value);
    return status;
}

enum nx_status capnp_list_set_u16(const struct capnp_list_builder *list, uint32_t index,
                                  uint16_t value)
{
    uint8_t *element;
    enum nx_status status = list_element(list, index, CAPNP_ELEMENT_2_BYTES, &element);
    if (status == NX_OK)
        capnp_store_u16(element, 0, value);
    return status;
}

enum nx_status capnp_list_set_u32(const struct capnp_list_builder *list, uint32_t index,
                                  uint32_t value)
{
    uint8_t *element;
    enum nx_status status = list_element(list, index, CAPNP_ELEMENT_4_BYTES, &element);
    if (status == NX_OK)
        capnp_store_u32(element, 0, value);
    return status;
}

enum nx_status capnp_list_set_u64(const struct capnp_list_builder *list, uint32_t index,
                                  uint64_t value)
{
    uint8_t *element;
    enum nx_status status = list_element(list, index, CAPNP_ELEMENT_8_BYTES, &element);
    if (status == NX_OK)
        capnp_store_u64(element, 0, value);
    return status;
}

enum nx_status capnp_list_set_text(const struct capnp_list_builder *list, uint32_t index,
                                   struct capnp_text text)
{
    uint8_t *element;
    enum nx_status status = list_element(list, index, CAPNP_ELEMENT_POINTER, &element);
    if (status != NX_OK)
        return status;
    return capnp_build_text(list->message, (uint64_t *)(void *)element, text);
}

enum nx_status capnp_list_set_data(const struct capnp_list_builder *list, uint32_t index,
                                   struct capnp_data data)
{
    uint8_t *element;
    enum nx_status status = list_element(list, index, CAPNP_ELEMENT_POINTER, &element);
    if (status != NX_OK)
        return status;
    return capnp_build_data(list->message, (uint64_t *)(void *)element, data);
}

enum nx_status capnp_list_struct_words(const struct capnp_list_builder *list, uint32_t index,
                                       uint64_t **out)
{
    uint8_t *element;
    enum nx_status status = list_element(list, index, CAPNP_ELEMENT_COMPOSITE, &element);
    if (status == NX_OK)
        *out = (uint64_t *)(void *)element;
    return status;
}
