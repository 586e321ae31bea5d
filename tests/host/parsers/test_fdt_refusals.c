// SPDX-License-Identifier: Apache-2.0
// What the device tree reader refuses to open, and by which status: blobs made token by token.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "fdt/fdt.h"
#include "parsers/mutate.h"

// Header (40), one terminating reservation (16), the string "p" (2, padded to 4), structure: that
// comes last, so that a token which is read past its end is read past the allocation's end.
#define MADE_RESERVATIONS 40u
#define MADE_STRINGS      56u
#define MADE_STRUCTURE    60u

struct made_blob {
    uint8_t bytes[1024];
    size_t size;
};

static struct made_blob make_blob(const uint32_t *tokens, size_t count)
{
    uint32_t structure_size = (uint32_t)(count * 4);
    struct made_blob blob = {.size = MADE_STRUCTURE + structure_size};
    const uint32_t header[10] = {
        [0] = 0xd00dfeedu,         // magic
        [1] = (uint32_t)blob.size, // totalsize
        [2] = MADE_STRUCTURE,      // off_dt_struct
        [3] = MADE_STRINGS,        // off_dt_strings
        [4] = MADE_RESERVATIONS,   // off_mem_rsvmap
        [5] = 17,                  // version
        [6] = 16,                  // last_comp_version
        [8] = 2,                   // size_dt_strings
        [9] = structure_size,      // size_dt_struct
    };
    for (uint32_t i = 0; i < 10; i++) {
        store_be32(blob.bytes + 4 * i, header[i]);
    }
    blob.bytes[MADE_STRINGS] = 'p';
    for (uint32_t i = 0; i < count; i++) {
        store_be32(blob.bytes + MADE_STRUCTURE + 4 * i, tokens[i]);
    }
    return blob;
}

// Opens a copy in an allocation of exactly that size.
static enum nx_status open_bytes(const uint8_t *bytes, size_t size)
{
    uint8_t *copy = bytes_exact_copy(bytes, size);
    struct dtb tree;
    enum nx_status status = dtb_open(&tree, copy, size);
    assert_int_equal(dtb_node_exists(dtb_root(&tree)), status == NX_OK);
    free(copy);
    return status;
}

static enum nx_status open_tokens(const uint32_t *tokens, size_t count)
{
    struct made_blob blob = make_blob(tokens, count);
    return open_bytes(blob.bytes, blob.size);
}

// Opens the smallest sound blob with one word of its header changed.
static enum nx_status open_with_header_word(uint32_t index, uint32_t value)
{
    static const uint32_t tokens[] = {1, 0, 2, 9};
    struct made_blob blob = make_blob(tokens, 4);
    store_be32(blob.bytes + 4 * index, value);
    return open_bytes(blob.bytes, blob.size);
}

#define BEGIN 1
#define END   2
#define PROP  3
#define NOP   4
#define STOP  9
#define NAMED 0x61000000u // "a"

#define OPEN_TOKENS(...)                                                                           \
    open_tokens((const uint32_t[]){__VA_ARGS__},                                                   \
                sizeof((const uint32_t[]){__VA_ARGS__}) / sizeof(uint32_t))

static void test_a_root_with_a_property_and_a_child_is_accepted(void **state)
{
    (void)state;
    assert_int_equal(OPEN_TOKENS(BEGIN, 0, PROP, 4, 0, 7, BEGIN, NAMED, END, END, STOP), NX_OK);
    assert_int_equal(OPEN_TOKENS(NOP, BEGIN, 0, NOP, PROP, 0, 0, NOP, END, NOP, STOP), NX_OK);
}

static void test_a_tree_without_root_or_with_two_is_refused(void **state)
{
    (void)state;
    assert_int_equal(OPEN_TOKENS(STOP), NX_ERR_BAD_FORMAT);
    assert_int_equal(OPEN_TOKENS(BEGIN, 0, END, BEGIN, 0, END, STOP), NX_ERR_BAD_FORMAT);
}

static void test_only_the_root_has_an_empty_name(void **state)
{
    (void)state;
    assert_int_equal(OPEN_TOKENS(BEGIN, NAMED, END, STOP), NX_ERR_BAD_FORMAT);
    assert_int_equal(OPEN_TOKENS(BEGIN, 0, BEGIN, 0, END, END, STOP), NX_ERR_BAD_FORMAT);
}

static void test_nodes_that_do_not_pair_are_refused(void **state)
{
    (void)state;
    assert_int_equal(OPEN_TOKENS(END, BEGIN, 0, END, STOP), NX_ERR_BAD_FORMAT);
    assert_int_equal(OPEN_TOKENS(BEGIN, 0, END, END, STOP), NX_ERR_BAD_FORMAT);
    assert_int_equal(OPEN_TOKENS(BEGIN, 0, STOP), NX_ERR_BAD_FORMAT);
    assert_int_equal(OPEN_TOKENS(BEGIN, 0, END), NX_ERR_TRUNCATED);
}

static void test_a_property_after_a_child_or_outside_a_node_is_refused(void **state)
{
    (void)state;
    assert_int_equal(OPEN_TOKENS(BEGIN, 0, BEGIN, NAMED, END, PROP, 0, 0, END, STOP),
                     NX_ERR_BAD_FORMAT);
    assert_int_equal(OPEN_TOKENS(PROP, 0, 0, BEGIN, 0, END, STOP), NX_ERR_BAD_FORMAT);
    assert_int_equal(OPEN_TOKENS(BEGIN, 0, END, PROP, 0, 0, STOP), NX_ERR_BAD_FORMAT);
}

static void test_an_unknown_token_is_refused(void **state)
{
    (void)state;
    assert_int_equal(OPEN_TOKENS(BEGIN, 0, 5, END, STOP), NX_ERR_BAD_FORMAT);
    assert_int_equal(OPEN_TOKENS(BEGIN, 0, 0, END, STOP), NX_ERR_BAD_FORMAT);
}

static void test_a_value_or_name_that_leaves_its_block_is_refused(void **state)
{
    (void)state;
    assert_int_equal(OPEN_TOKENS(BEGIN, 0, PROP, 9, 0, END, STOP), NX_ERR_TRUNCATED);
    assert_int_equal(OPEN_TOKENS(BEGIN, 0, PROP, 0xffffffffu, 0, END, STOP), NX_ERR_TRUNCATED);
    assert_int_equal(OPEN_TOKENS(BEGIN, 0, PROP, 0xfffffffcu, 0, END, STOP), NX_ERR_TRUNCATED);
    assert_int_equal(OPEN_TOKENS(BEGIN, 0, PROP, 0, 2, END, STOP), NX_ERR_BAD_FORMAT);
    assert_int_equal(OPEN_TOKENS(BEGIN, 0, PROP, 0, 0xffffffffu, END, STOP), NX_ERR_BAD_FORMAT);
    assert_int_equal(OPEN_TOKENS(BEGIN, 0, BEGIN, 0x61616161u), NX_ERR_TRUNCATED);
}

static void test_sixteen_nested_nodes_are_accepted_and_seventeen_are_too_many(void **state)
{
    (void)state;
    for (uint32_t depth = 16; depth <= 17; depth++) {
        uint32_t tokens[64];
        uint32_t count = 0;
        for (uint32_t i = 0; i < depth; i++) {
            tokens[count++] = BEGIN;
            tokens[count++] = i == 0 ? 0 : NAMED;
        }
        for (uint32_t i = 0; i < depth; i++) {
            tokens[count++] = END;
        }
        tokens[count++] = STOP;
        assert_int_equal(open_tokens(tokens, count), depth == 16 ? NX_OK : NX_ERR_TOO_LARGE);
    }
}

static void test_a_header_that_lies_is_refused_by_name(void **state)
{
    (void)state;
    static const struct {
        uint32_t word; // of the header: 0 magic, 1 totalsize, 2 off_dt_struct, ...
        uint32_t value;
        enum nx_status status;
    } rows[] = {
        {0, 0xd00dfeee, NX_ERR_BAD_FORMAT},
        {1, 77, NX_ERR_TRUNCATED},
        {1, 35, NX_ERR_TRUNCATED},
        {1, 39, NX_ERR_TRUNCATED},
        {1, 0xffffffff, NX_ERR_TOO_LARGE},
        {2, 58, NX_ERR_BAD_FORMAT},
        {2, 36, NX_ERR_BAD_FORMAT},
        {2, 64, NX_ERR_TRUNCATED},
        {2, 0xfffffffc, NX_ERR_TRUNCATED},
        {3, 0xfffffffe, NX_ERR_TRUNCATED},
        {3, 0, NX_ERR_BAD_FORMAT},
        {4, 44, NX_ERR_BAD_FORMAT},
        {4, 64, NX_ERR_TRUNCATED},
        {4, 0xfffffff8, NX_ERR_TRUNCATED},
        {4, 0, NX_ERR_BAD_FORMAT},
        {5, 15, NX_ERR_UNSUPPORTED},
        {5, 16, NX_OK},
        {5, 18, NX_OK},
        {6, 18, NX_ERR_UNSUPPORTED},
        {5, 0, NX_ERR_UNSUPPORTED},
        {8, 21, NX_ERR_TRUNCATED},
        {8, 0xffffffff, NX_ERR_TRUNCATED},
        {9, 12, NX_ERR_TRUNCATED},
        {9, 20, NX_ERR_TRUNCATED},
        {9, 0, NX_ERR_TRUNCATED},
        {9, 0xffffffff, NX_ERR_TRUNCATED},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        print_message("  header word %u = 0x%x\n", rows[i].word, rows[i].value);
        assert_int_equal(open_with_header_word(rows[i].word, rows[i].value), rows[i].status);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_root_with_a_property_and_a_child_is_accepted),
        cmocka_unit_test(test_a_tree_without_root_or_with_two_is_refused),
        cmocka_unit_test(test_only_the_root_has_an_empty_name),
        cmocka_unit_test(test_nodes_that_do_not_pair_are_refused),
        cmocka_unit_test(test_a_property_after_a_child_or_outside_a_node_is_refused),
        cmocka_unit_test(test_an_unknown_token_is_refused),
        cmocka_unit_test(test_a_value_or_name_that_leaves_its_block_is_refused),
        cmocka_unit_test(test_sixteen_nested_nodes_are_accepted_and_seventeen_are_too_many),
        cmocka_unit_test(test_a_header_that_lies_is_refused_by_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
