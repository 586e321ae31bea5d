// SPDX-License-Identifier: Apache-2.0
// Each kind of malformed message, written word by word, and the error that names it.
//
// Messages lie in heap buffers of exactly their size: a read past an end is a sanitizer report.
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "everything.capnp.h"
#include "virtio_blk.capnp.h"

// The pointers of the encoding specification, sections "Structs" and "Lists".
static uint64_t struct_pointer(int32_t offset, uint16_t data_words, uint16_t pointer_count)
{
    return (uint64_t)((uint32_t)offset << 2) | (uint64_t)data_words << 32 |
           (uint64_t)pointer_count << 48;
}

static uint64_t list_pointer(int32_t offset, unsigned element, uint32_t size)
{
    return 1 | (uint64_t)((uint32_t)offset << 2) | (uint64_t)element << 32 | (uint64_t)size << 35;
}

static uint64_t *exact_copy(const uint64_t *words, size_t count)
{
    uint64_t *copy = malloc(count * sizeof(*words));
    assert_non_null(copy);
    memcpy(copy, words, count * sizeof(*words));
    return copy;
}

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

// What decoding these words as a virtio_blk Response says.
#define DECODE(...)                                                                                \
    decode((const uint64_t[]){__VA_ARGS__}, COUNT(((const uint64_t[]){__VA_ARGS__})))
static enum nx_status decode(const uint64_t *words, size_t count)
{
    uint64_t *copy = exact_copy(words, count);
    struct capnp_reader message;
    struct virtio_blk_response_reader response;
    enum nx_status status =
        virtio_blk_response_decode(copy, count * sizeof(*words), &message, &response);
    if (status == NX_OK)
        (void)virtio_blk_response_status(&response);
    free(copy);
    return status;
}

// What following pointer 0 of a root of one pointer says, read as each kind of object. `words` are
// what follows the root pointer: the pointer and its target.
enum kind { TEXT, DATA, STRUCT, BOOLS, BYTES, WORDS, TEXTS, STRUCTS };

static enum nx_status follow(enum kind kind, const uint64_t *words, size_t count)
{
    static const enum capnp_element elements[] = {
        [BOOLS] = CAPNP_ELEMENT_BIT,         [BYTES] = CAPNP_ELEMENT_1_BYTE,
        [WORDS] = CAPNP_ELEMENT_8_BYTES,     [TEXTS] = CAPNP_ELEMENT_POINTER,
        [STRUCTS] = CAPNP_ELEMENT_COMPOSITE,
    };
    uint64_t *copy = malloc((count + 1) * sizeof(*words));
    assert_non_null(copy);
    copy[0] = struct_pointer(0, 0, 1);
    memcpy(copy + 1, words, count * sizeof(*words));

    struct capnp_reader message;
    struct capnp_struct root;
    struct capnp_text text;
    struct capnp_data data;
    struct capnp_struct fields;
    struct capnp_list list;
    assert_int_equal(capnp_reader_init(&message, copy, (count + 1) * sizeof(*words)), NX_OK);
    assert_int_equal(capnp_root(&message, &root), NX_OK);
    enum nx_status status;
    if (kind == TEXT)
        status = capnp_struct_text(&root, 0, &text);
    else if (kind == DATA)
        status = capnp_struct_data(&root, 0, &data);
    else if (kind == STRUCT)
        status = capnp_struct_struct(&root, 0, &fields);
    else
        status = capnp_struct_list(&root, 0, elements[kind], &list);
    free(copy);
    return status;
}
#define FOLLOW(kind, ...)                                                                          \
    follow(kind, (const uint64_t[]){__VA_ARGS__}, COUNT(((const uint64_t[]){__VA_ARGS__})))

static void test_an_empty_message_is_truncated(void **state)
{
    (void)state;
    uint64_t word = 0;
    struct capnp_reader message;
    assert_int_equal(capnp_reader_init(&message, &word, 0), NX_ERR_TRUNCATED);
}

static void test_a_message_of_part_of_a_word_is_truncated(void **state)
{
    (void)state;
    uint64_t words[2] = {0};
    struct capnp_reader message;
    for (size_t length = 1; length < sizeof(words); length++)
        assert_int_equal(capnp_reader_init(&message, words, length),
                         length == 8 ? NX_OK : NX_ERR_TRUNCATED);
}

static void test_a_misaligned_message_is_an_invalid_argument(void **state)
{
    (void)state;
    uint64_t words[2] = {0};
    struct capnp_reader message;
    assert_int_equal(capnp_reader_init(&message, (uint8_t *)words + 4, 8), NX_ERR_INVALID_ARGUMENT);
    assert_int_equal(capnp_reader_init(&message, NULL, 8), NX_ERR_INVALID_ARGUMENT);
}

static void test_a_null_root_reads_as_defaults(void **state)
{
    (void)state;
    uint64_t word = 0;
    struct capnp_reader message;
    struct everything_everything_reader reader;
    struct capnp_text text;
    assert_int_equal(everything_everything_decode(&word, 8, &message, &reader), NX_OK);
    assert_int_equal(everything_everything_int32(&reader), 0);
    assert_int_equal(everything_everything_int32_set(&reader), -50000);
    assert_true(everything_everything_flag_set(&reader));
    assert_int_equal(everything_everything_color_set(&reader), EVERYTHING_COLOR_DEEP_BLUE);
    assert_false(everything_everything_has_text(&reader));
    assert_int_equal(everything_everything_text(&reader, &text), NX_OK);
    assert_int_equal(text.length, 0);
    assert_string_equal(text.bytes, "");
}

static void test_a_segment_cut_anywhere_in_its_root_is_out_of_range(void **state)
{
    (void)state;
    const uint64_t words[] = {struct_pointer(0, 1, 1), 0, 0};
    assert_int_equal(decode(words, 3), NX_OK);
    assert_int_equal(decode(words, 2), NX_ERR_OUT_OF_RANGE);
    assert_int_equal(decode(words, 1), NX_ERR_OUT_OF_RANGE);
}

static void test_a_pointer_past_the_end_is_out_of_range(void **state)
{
    (void)state;
    assert_int_equal(DECODE(struct_pointer(0, 1, 0), 0), NX_OK);
    assert_int_equal(DECODE(struct_pointer(1, 1, 0), 0), NX_ERR_OUT_OF_RANGE);
    assert_int_equal(DECODE(struct_pointer(0x1fffffff, 1, 0), 0), NX_ERR_OUT_OF_RANGE);
    assert_int_equal(DECODE(struct_pointer(0, 0xffff, 0xffff), 0), NX_ERR_OUT_OF_RANGE);
    assert_int_equal(FOLLOW(TEXT, list_pointer(1, 2, 1), 0), NX_ERR_OUT_OF_RANGE);
    assert_int_equal(FOLLOW(TEXT, list_pointer(0, 2, 9), 0), NX_ERR_OUT_OF_RANGE);
    assert_int_equal(FOLLOW(BOOLS, list_pointer(0, 1, 65), 0), NX_ERR_OUT_OF_RANGE);
}

static void test_a_negative_offset_before_the_start_is_out_of_range(void **state)
{
    (void)state;
    assert_int_equal(DECODE(struct_pointer(-1, 1, 0)), NX_OK);
    assert_int_equal(DECODE(struct_pointer(-2, 1, 0), 0), NX_ERR_OUT_OF_RANGE);
    assert_int_equal(DECODE(struct_pointer(-0x20000000, 0xffff, 0xffff), 0), NX_ERR_OUT_OF_RANGE);
    assert_int_equal(DECODE(struct_pointer(-2, 0, 0), 0), NX_ERR_OUT_OF_RANGE);
    assert_int_equal(FOLLOW(WORDS, list_pointer(-3, 5, 2)), NX_ERR_OUT_OF_RANGE);
}

static void test_a_list_size_that_overflows_is_out_of_range(void **state)
{
    (void)state;
    const uint32_t most = CAPNP_LIST_COUNT_MAX;
    assert_int_equal(FOLLOW(WORDS, list_pointer(0, 5, most), 0), NX_ERR_OUT_OF_RANGE);
    assert_int_equal(FOLLOW(TEXTS, list_pointer(0, 6, most), 0), NX_ERR_OUT_OF_RANGE);
    assert_int_equal(FOLLOW(BYTES, list_pointer(0, 2, most), 0), NX_ERR_OUT_OF_RANGE);
    assert_int_equal(FOLLOW(BOOLS, list_pointer(0, 1, most), 0), NX_ERR_OUT_OF_RANGE);
    assert_int_equal(FOLLOW(STRUCTS, list_pointer(0, 7, most), 0), NX_ERR_OUT_OF_RANGE);
}

static void test_a_composite_tag_that_does_not_match_its_list_is_a_bad_format(void **state)
{
    (void)state;
    assert_int_equal(FOLLOW(STRUCTS, list_pointer(0, 7, 2), struct_pointer(2, 1, 0), 0, 0), NX_OK);
    assert_int_equal(FOLLOW(STRUCTS, list_pointer(0, 7, 2), struct_pointer(3, 1, 0), 0, 0),
                     NX_ERR_BAD_FORMAT);
    assert_int_equal(FOLLOW(STRUCTS, list_pointer(0, 7, 2), struct_pointer(1, 2, 1), 0, 0),
                     NX_ERR_BAD_FORMAT);
    assert_int_equal(
        FOLLOW(STRUCTS, list_pointer(0, 7, 2), struct_pointer(-1, 0xffff, 0xffff), 0, 0),
        NX_ERR_BAD_FORMAT);
    // 2^29 structs of 8 words: 2^32 words, which 32 bits hold as 0.
    assert_int_equal(FOLLOW(STRUCTS, list_pointer(0, 7, 1), struct_pointer(0x20000000, 8, 0), 0),
                     NX_ERR_BAD_FORMAT);
    assert_int_equal(FOLLOW(STRUCTS, list_pointer(0, 7, 1), list_pointer(0, 5, 1), 0),
                     NX_ERR_BAD_FORMAT);
}

static void test_a_far_pointer_is_unsupported(void **state)
{
    (void)state;
    const uint64_t far = 2;
    const uint64_t double_far = 2 | 4;
    assert_int_equal(DECODE(far, 0), NX_ERR_UNSUPPORTED);
    assert_int_equal(DECODE(double_far, 0), NX_ERR_UNSUPPORTED);
    for (enum kind kind = TEXT; kind <= STRUCTS; kind++) {
        assert_int_equal(FOLLOW(kind, far, 0), NX_ERR_UNSUPPORTED);
        assert_int_equal(FOLLOW(kind, double_far, 0), NX_ERR_UNSUPPORTED);
    }
}

static void test_a_capability_is_unsupported(void **state)
{
    (void)state;
    assert_int_equal(DECODE(3, 0), NX_ERR_UNSUPPORTED);
    for (enum kind kind = TEXT; kind <= STRUCTS; kind++)
        assert_int_equal(FOLLOW(kind, 3, 0), NX_ERR_UNSUPPORTED);
}

static void test_the_wrong_kind_of_pointer_is_a_bad_format(void **state)
{
    (void)state;
    assert_int_equal(DECODE(list_pointer(0, 5, 1), 0), NX_ERR_BAD_FORMAT);
    assert_int_equal(FOLLOW(STRUCT, list_pointer(0, 5, 1), 0), NX_ERR_BAD_FORMAT);
    assert_int_equal(FOLLOW(TEXT, struct_pointer(0, 1, 0), 0), NX_ERR_BAD_FORMAT);
    assert_int_equal(FOLLOW(DATA, struct_pointer(0, 1, 0), 0), NX_ERR_BAD_FORMAT);
    assert_int_equal(FOLLOW(WORDS, struct_pointer(0, 1, 0), 0), NX_ERR_BAD_FORMAT);
}

static void test_elements_too_small_for_the_schema_are_a_bad_format(void **state)
{
    (void)state;
    assert_int_equal(FOLLOW(WORDS, list_pointer(0, 4, 1), 0), NX_ERR_BAD_FORMAT);
    assert_int_equal(FOLLOW(BYTES, list_pointer(0, 0, 1), 0), NX_ERR_BAD_FORMAT);
    assert_int_equal(FOLLOW(BYTES, list_pointer(0, 1, 8), 0), NX_ERR_BAD_FORMAT);
    assert_int_equal(FOLLOW(BOOLS, list_pointer(0, 2, 1), 0), NX_ERR_BAD_FORMAT);
    assert_int_equal(FOLLOW(STRUCTS, list_pointer(0, 1, 8), 0), NX_ERR_BAD_FORMAT);
    assert_int_equal(FOLLOW(TEXTS, list_pointer(0, 5, 1), 0), NX_ERR_BAD_FORMAT);
    assert_int_equal(FOLLOW(WORDS, list_pointer(0, 6, 1), 0), NX_ERR_BAD_FORMAT);
    assert_int_equal(FOLLOW(TEXT, list_pointer(0, 3, 1), 0), NX_ERR_BAD_FORMAT);
    assert_int_equal(FOLLOW(DATA, list_pointer(0, 5, 1), 0), NX_ERR_BAD_FORMAT);
    assert_int_equal(FOLLOW(TEXTS, list_pointer(0, 7, 1), struct_pointer(1, 1, 0), 0),
                     NX_ERR_BAD_FORMAT);
    assert_int_equal(FOLLOW(WORDS, list_pointer(0, 7, 1), struct_pointer(1, 0, 1), 0),
                     NX_ERR_BAD_FORMAT);
}

static void test_text_without_its_nul_is_a_bad_format(void **state)
{
    (void)state;
    const uint64_t letters = UINT64_C(0x6867666564636261);
    assert_int_equal(FOLLOW(TEXT, list_pointer(0, 2, 8), letters), NX_ERR_BAD_FORMAT);
    assert_int_equal(FOLLOW(TEXT, list_pointer(0, 2, 0), 0), NX_ERR_BAD_FORMAT);
    assert_int_equal(FOLLOW(TEXT, list_pointer(0, 2, 8), letters & (UINT64_MAX >> 8)), NX_OK);
    assert_int_equal(FOLLOW(DATA, list_pointer(0, 2, 8), letters), NX_OK);
    assert_int_equal(FOLLOW(DATA, list_pointer(0, 2, 0), 0), NX_OK);
}

static void test_a_cyclic_struct_ends_at_the_depth_limit(void **state)
{
    (void)state;
    // The root's only pointer leads back to the root: a list of nodes without an end.
    const uint64_t words[] = {struct_pointer(0, 0, 1), struct_pointer(-1, 0, 1)};
    uint64_t *copy = exact_copy(words, COUNT(words));
    struct capnp_reader message;
    struct capnp_struct at;
    assert_int_equal(capnp_reader_init(&message, copy, sizeof(words)), NX_OK);
    assert_int_equal(capnp_root(&message, &at), NX_OK);
    unsigned depth = 1;
    enum nx_status status;
    while ((status = capnp_struct_struct(&at, 0, &at)) == NX_OK)
        depth++;
    assert_int_equal(status, NX_ERR_TOO_LARGE);
    assert_int_equal(depth, CAPNP_DEPTH_LIMIT);
    free(copy);
}

static void test_a_cyclic_list_of_structs_ends_at_the_depth_limit(void **state)
{
    (void)state;
    // The element's pointer is a list pointer to the element's own list.
    const uint64_t words[] = {struct_pointer(0, 0, 1), list_pointer(0, 7, 1),
                              struct_pointer(1, 0, 1), list_pointer(-2, 7, 1)};
    uint64_t *copy = exact_copy(words, COUNT(words));
    struct capnp_reader message;
    struct capnp_struct at;
    struct capnp_list list;
    assert_int_equal(capnp_reader_init(&message, copy, sizeof(words)), NX_OK);
    assert_int_equal(capnp_root(&message, &at), NX_OK);
    unsigned steps = 0;
    enum nx_status status = NX_OK;
    while (status == NX_OK && steps <= CAPNP_DEPTH_LIMIT) {
        status = capnp_struct_list(&at, 0, CAPNP_ELEMENT_COMPOSITE, &list);
        if (status == NX_OK)
            status = capnp_list_struct(&list, 0, &at);
        steps++;
    }
    assert_int_equal(status, NX_ERR_TOO_LARGE);
    assert_true(steps <= CAPNP_DEPTH_LIMIT);
    free(copy);
}

static void test_amplification_by_shared_targets_ends_at_the_traversal_limit(void **state)
{
    (void)state;
    // 200 pointers to one text of 100 words: 20,000 words to read in a message of 302.
    enum { POINTERS = 200, TEXT_WORDS = 100, ALL = 2 + POINTERS + TEXT_WORDS };
    uint64_t *words = calloc(ALL, sizeof(*words));
    assert_non_null(words);
    words[0] = struct_pointer(0, 0, 1);
    words[1] = list_pointer(0, 6, POINTERS);
    for (int i = 0; i < POINTERS; i++)
        words[2 + i] = list_pointer(POINTERS - 1 - i, 2, TEXT_WORDS * 8);
    struct capnp_reader message;
    struct capnp_struct root;
    struct capnp_list list;
    struct capnp_text text;
    assert_int_equal(capnp_reader_init(&message, words, ALL * 8), NX_OK);
    assert_int_equal(capnp_root(&message, &root), NX_OK);
    assert_int_equal(capnp_struct_list(&root, 0, CAPNP_ELEMENT_POINTER, &list), NX_OK);
    uint64_t words_read = 0;
    enum nx_status status = NX_OK;
    for (uint32_t i = 0; status == NX_OK && i < list.count; i++) {
        status = capnp_list_text(&list, i, &text);
        words_read += TEXT_WORDS;
    }
    assert_int_equal(status, NX_ERR_TOO_LARGE);
    assert_true(words_read <= (uint64_t)ALL * CAPNP_TRAVERSAL_FACTOR + TEXT_WORDS);
    free(words);
}

static void test_elements_without_size_are_paid_for_one_by_one(void **state)
{
    (void)state;
    const uint64_t empty_structs = struct_pointer(0x1fffffff, 0, 0);
    assert_int_equal(FOLLOW(STRUCTS, list_pointer(0, 7, 0), empty_structs), NX_ERR_TOO_LARGE);
    assert_int_equal(FOLLOW(STRUCTS, list_pointer(0, 0, CAPNP_LIST_COUNT_MAX), 0),
                     NX_ERR_TOO_LARGE);
    assert_int_equal(FOLLOW(STRUCTS, list_pointer(0, 7, 0), struct_pointer(3, 0, 0)), NX_OK);
}

static void test_an_element_past_the_end_is_out_of_range(void **state)
{
    (void)state;
    uint64_t words[16];
    struct capnp_builder message;
    struct everything_newer_builder builder;
    struct capnp_list_builder list;
    struct everything_newer_item_builder item;
    assert_int_equal(everything_newer_begin(&message, words, sizeof(words), &builder), NX_OK);
    assert_int_equal(everything_newer_init_items(&builder, 2, &list), NX_OK);
    assert_int_equal(everything_newer_item_builder_at(&list, 2, &item), NX_ERR_OUT_OF_RANGE);
    assert_int_equal(capnp_list_set_u16(&list, 0, 1), NX_ERR_INVALID_ARGUMENT);

    struct capnp_reader reader;
    struct everything_newer_reader root;
    struct everything_newer_item_reader element;
    struct capnp_list items;
    assert_int_equal(everything_newer_decode(words, capnp_builder_bytes(&message), &reader, &root),
                     NX_OK);
    assert_int_equal(everything_newer_items(&root, &items), NX_OK);
    assert_int_equal(items.count, 2);
    assert_int_equal(everything_newer_item_at(&items, 2, &element), NX_ERR_OUT_OF_RANGE);
    assert_int_equal(capnp_list_u64(&items, 2), 0);
    assert_int_equal(capnp_list_u64(&items, UINT32_MAX), 0);
}

static void test_a_list_can_be_cut_to_what_was_written(void **state)
{
    (void)state;
    uint64_t words[32];
    struct capnp_builder message;
    struct everything_newer_builder builder;
    struct capnp_list_builder list;
    struct everything_newer_item_builder item;
    assert_int_equal(everything_newer_begin(&message, words, sizeof(words), &builder), NX_OK);
    size_t before = capnp_builder_bytes(&message);
    assert_int_equal(everything_newer_init_items(&builder, 4, &list), NX_OK);
    assert_int_equal(everything_newer_item_builder_at(&list, 1, &item), NX_OK);
    everything_newer_item_set_number(&item, 77);
    assert_int_equal(capnp_list_truncate(&list, 5), NX_ERR_OUT_OF_RANGE);
    assert_int_equal(capnp_list_truncate(&list, 2), NX_OK);
    assert_int_equal(capnp_builder_bytes(&message),
                     before + 8 + 2 * EVERYTHING_NEWER_ITEM_WORDS * 8);

    struct capnp_reader reader;
    struct everything_newer_reader root;
    struct everything_newer_item_reader element;
    struct capnp_list items;
    assert_int_equal(everything_newer_decode(words, capnp_builder_bytes(&message), &reader, &root),
                     NX_OK);
    assert_int_equal(everything_newer_items(&root, &items), NX_OK);
    assert_int_equal(items.count, 2);
    assert_int_equal(everything_newer_item_at(&items, 1, &element), NX_OK);
    assert_int_equal(everything_newer_item_number(&element), 77);
}

static void test_a_failed_set_leaves_the_union_as_it_was(void **state)
{
    (void)state;
    uint64_t words[64];
    char long_text[600];
    memset(long_text, 'x', sizeof(long_text) - 1);
    long_text[sizeof(long_text) - 1] = 0;
    struct capnp_builder message;
    struct everything_everything_builder builder;
    struct capnp_reader reader;
    struct everything_everything_reader root;
    assert_int_equal(everything_everything_begin(&message, words, sizeof(words), &builder), NX_OK);
    everything_everything_set_number(&builder, 3);
    assert_int_equal(everything_everything_set_title(&builder, capnp_text_of(long_text)),
                     NX_ERR_NO_MEMORY);
    assert_int_equal(
        everything_everything_decode(words, capnp_builder_bytes(&message), &reader, &root), NX_OK);
    assert_int_equal(everything_everything_which(&root), EVERYTHING_EVERYTHING_NUMBER);
    assert_int_equal(everything_everything_number(&root), 3);
}

static void test_a_union_member_of_a_newer_schema_is_none_of_ours(void **state)
{
    (void)state;
    uint64_t words[2] = {struct_pointer(0, 1, 0), 0xbeef};
    struct capnp_reader message;
    struct virtio_blk_request_reader request;
    assert_int_equal(virtio_blk_request_decode(words, sizeof(words), &message, &request), NX_OK);
    assert_int_equal(virtio_blk_request_which(&request), 0xbeef);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_empty_message_is_truncated),
        cmocka_unit_test(test_a_message_of_part_of_a_word_is_truncated),
        cmocka_unit_test(test_a_misaligned_message_is_an_invalid_argument),
        cmocka_unit_test(test_a_null_root_reads_as_defaults),
        cmocka_unit_test(test_a_segment_cut_anywhere_in_its_root_is_out_of_range),
        cmocka_unit_test(test_a_pointer_past_the_end_is_out_of_range),
        cmocka_unit_test(test_a_negative_offset_before_the_start_is_out_of_range),
        cmocka_unit_test(test_a_list_size_that_overflows_is_out_of_range),
        cmocka_unit_test(test_a_composite_tag_that_does_not_match_its_list_is_a_bad_format),
        cmocka_unit_test(test_a_far_pointer_is_unsupported),
        cmocka_unit_test(test_a_capability_is_unsupported),
        cmocka_unit_test(test_the_wrong_kind_of_pointer_is_a_bad_format),
        cmocka_unit_test(test_elements_too_small_for_the_schema_are_a_bad_format),
        cmocka_unit_test(test_text_without_its_nul_is_a_bad_format),
        cmocka_unit_test(test_a_cyclic_struct_ends_at_the_depth_limit),
        cmocka_unit_test(test_a_cyclic_list_of_structs_ends_at_the_depth_limit),
        cmocka_unit_test(test_amplification_by_shared_targets_ends_at_the_traversal_limit),
        cmocka_unit_test(test_elements_without_size_are_paid_for_one_by_one),
        cmocka_unit_test(test_an_element_past_the_end_is_out_of_range),
        cmocka_unit_test(test_a_list_can_be_cut_to_what_was_written),
        cmocka_unit_test(test_a_failed_set_leaves_the_union_as_it_was),
        cmocka_unit_test(test_a_union_member_of_a_newer_schema_is_none_of_ours),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
