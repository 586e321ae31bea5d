// SPDX-License-Identifier: Apache-2.0
// The device tree reader's decoders on fixtures/devices.dts (compiled; the program's argument), and
// its refusals on blobs made here token by token.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "fdt/fdt.h"
#include "parsers/mutate.h"

static const char *devices_path;
static struct bytes devices_file;
static struct dtb devices;

static int open_devices(void **state)
{
    (void)state;
    devices_file = bytes_from_file(devices_path);
    return dtb_open(&devices, devices_file.data, devices_file.size) == NX_OK ? 0 : -1;
}

static int close_devices(void **state)
{
    (void)state;
    free(devices_file.data);
    return 0;
}

static struct dtb_node at(const char *path)
{
    struct dtb_node node = dtb_find_path(&devices, path);
    if (!dtb_node_exists(node)) {
        fail_msg("no node %s", path);
    }
    return node;
}

static void assert_same_node(struct dtb_node actual, struct dtb_node expected)
{
    assert_string_equal(dtb_node_name(&devices, actual), dtb_node_name(&devices, expected));
    assert_int_equal(actual.offset, expected.offset);
}

// ---- nodes ----

static void test_stdout_is_found_through_an_alias_and_without_its_baud_rate(void **state)
{
    (void)state;
    assert_same_node(dtb_find_stdout(&devices), at("/soc/serial@10000000"));
}

static void test_an_alias_of_an_alias_is_not_followed(void **state)
{
    (void)state;
    assert_true(dtb_node_exists(dtb_find_path(&devices, "serial0")));
    assert_false(dtb_node_exists(dtb_find_path(&devices, "chained")));
    assert_false(dtb_node_exists(dtb_find_path(&devices, "serial")));
    assert_false(dtb_node_exists(dtb_find_path(&devices, "")));
}

static void test_every_match_of_compatible_is_found_in_order(void **state)
{
    (void)state;
    struct dtb_node node = dtb_next_compatible(&devices, DTB_NODE_NONE, "virtio,mmio");
    assert_string_equal(dtb_node_name(&devices, node), "virtio_mmio@10002000");
    assert_false(dtb_is_available(&devices, node));
    node = dtb_next_compatible(&devices, node, "virtio,mmio");
    assert_string_equal(dtb_node_name(&devices, node), "virtio_mmio@10001000");
    assert_true(dtb_is_available(&devices, node));
    assert_false(dtb_node_exists(dtb_next_compatible(&devices, node, "virtio,mmio")));
}

static void test_compatible_matches_any_whole_string_of_the_list(void **state)
{
    (void)state;
    struct dtb_node plic = at("/soc/plic");
    assert_same_node(dtb_next_compatible(&devices, DTB_NODE_NONE, "riscv,plic0"), plic);
    assert_true(dtb_is_compatible(&devices, plic, "sifive,plic-1.0.0"));
    assert_false(dtb_is_compatible(&devices, plic, "riscv,plic"));
    assert_false(dtb_is_compatible(&devices, plic, "riscv,plic00"));
    assert_false(dtb_is_compatible(&devices, plic, ""));
}

static void test_what_a_cpu_can_do_stands_in_a_word_or_in_a_list(void **state)
{
    (void)state;
    struct dtb_node word = at("/cpus/cpu@3");
    struct dtb_node list = at("/cpus/cpu@0");
    assert_true(dtb_cpu_has_extension(&devices, word, "sstc"));
    assert_false(dtb_cpu_has_extension(&devices, word, "sst"));
    assert_false(dtb_cpu_has_extension(&devices, word, "zbb"));
    assert_true(dtb_cpu_has_extension(&devices, list, "zbb"));
    assert_true(dtb_cpu_has_extension(&devices, list, "zba"));
    assert_false(dtb_cpu_has_extension(&devices, list, "zb"));
    assert_false(dtb_cpu_has_extension(&devices, at("/cpus/cpu@1"), "zbb"));
    assert_false(dtb_cpu_has_extension(&devices, DTB_NODE_NONE, "zbb"));
}

static void test_cpus_are_found_by_device_type_with_their_status(void **state)
{
    (void)state;
    const uint64_t ids[] = {3, 0, 1};
    const bool available[] = {true, true, false};
    struct dtb_node cpu = DTB_NODE_NONE;
    for (size_t i = 0; i < 3; i++) {
        struct dtb_range reg;
        cpu = dtb_next_device_type(&devices, cpu, "cpu");
        assert_int_equal(dtb_reg(&devices, cpu, 0, &reg), NX_OK);
        assert_int_equal(reg.base, ids[i]);
        assert_int_equal(reg.size, 0);
        assert_int_equal(dtb_is_available(&devices, cpu), available[i]);
    }
    assert_false(dtb_node_exists(dtb_next_device_type(&devices, cpu, "cpu")));
}

static void test_a_node_that_is_none_has_nothing_and_is_not_available(void **state)
{
    (void)state;
    struct dtb_property property;
    assert_false(dtb_node_exists(dtb_first_child(&devices, DTB_NODE_NONE)));
    assert_false(dtb_node_exists(dtb_next_sibling(&devices, DTB_NODE_NONE)));
    assert_false(dtb_node_exists(dtb_parent(&devices, DTB_NODE_NONE)));
    assert_false(dtb_node_exists(dtb_parent(&devices, dtb_root(&devices))));
    assert_false(dtb_first_property(&devices, DTB_NODE_NONE, &property));
    assert_false(dtb_is_available(&devices, DTB_NODE_NONE));
    assert_string_equal(dtb_node_name(&devices, DTB_NODE_NONE), "");
}

static void test_phandles_0_and_all_ones_are_nobodys(void **state)
{
    (void)state;
    assert_false(dtb_node_exists(dtb_find_phandle(&devices, 0)));
    assert_false(dtb_node_exists(dtb_find_phandle(&devices, UINT32_MAX)));
    assert_false(dtb_node_exists(dtb_find_phandle(&devices, 0x7777)));
}

// ---- values ----

static void test_numbers_of_one_and_two_cells_are_read(void **state)
{
    (void)state;
    struct dtb_node chosen = at("/chosen");
    uint64_t start;
    uint64_t end;
    uint64_t timebase;
    assert_int_equal(dtb_read_number(&devices, chosen, "linux,initrd-start", &start), NX_OK);
    assert_int_equal(dtb_read_number(&devices, chosen, "linux,initrd-end", &end), NX_OK);
    assert_int_equal(dtb_read_number(&devices, at("/cpus"), "timebase-frequency", &timebase),
                     NX_OK);
    assert_true(start == 0x84000000u);
    assert_true(end == 0x184200000u);
    assert_true(timebase == 10000000u);
}

static void test_a_number_of_another_length_is_bad_format(void **state)
{
    (void)state;
    struct dtb_node node = at("/malformed");
    uint32_t u32;
    uint64_t u64;
    assert_int_equal(dtb_read_number(&devices, node, "three-cells", &u64), NX_ERR_BAD_FORMAT);
    assert_int_equal(dtb_read_number(&devices, node, "five-bytes", &u64), NX_ERR_BAD_FORMAT);
    assert_int_equal(dtb_read_number(&devices, node, "nothing", &u64), NX_ERR_BAD_FORMAT);
    assert_int_equal(dtb_read_u32(&devices, node, "three-cells", &u32), NX_ERR_BAD_FORMAT);
    assert_int_equal(dtb_read_u64(&devices, node, "three-cells", &u64), NX_ERR_BAD_FORMAT);
    assert_int_equal(dtb_read_u32(&devices, node, "absent", &u32), NX_ERR_NOT_FOUND);
}

static void test_a_string_without_its_nul_is_bad_format(void **state)
{
    (void)state;
    struct dtb_node node = at("/malformed");
    const char *text;
    assert_int_equal(dtb_read_string(&devices, node, "text", &text), NX_ERR_BAD_FORMAT);
    assert_int_equal(dtb_read_string(&devices, node, "nothing", &text), NX_ERR_BAD_FORMAT);
    assert_int_equal(dtb_read_string(&devices, node, "absent", &text), NX_ERR_NOT_FOUND);
    assert_false(dtb_is_available(&devices, at("/malformed/status-unterminated")));

    struct dtb_property list;
    assert_true(dtb_find_property(&devices, node, "half-list", &list));
    assert_int_equal(dtb_property_string(&list, 0, &text), NX_OK);
    assert_string_equal(text, "ok");
    assert_int_equal(dtb_property_string(&list, 1, &text), NX_ERR_BAD_FORMAT);
    assert_true(dtb_property_contains(&list, "ok"));
    assert_false(dtb_property_contains(&list, "o"));
}

static void test_cells_after_the_last_whole_one_are_out_of_range(void **state)
{
    (void)state;
    struct dtb_property property;
    uint32_t value;
    assert_true(dtb_find_property(&devices, at("/malformed"), "five-bytes", &property));
    assert_int_equal(dtb_property_cell(&property, 0, &value), NX_OK);
    assert_int_equal(value, 1);
    assert_int_equal(dtb_property_cell(&property, 1, &value), NX_ERR_OUT_OF_RANGE);
    assert_int_equal(dtb_property_cell(&property, 0x40000000u, &value), NX_ERR_OUT_OF_RANGE);
}

static void test_memory_reservations_are_listed_and_their_overflow_named(void **state)
{
    (void)state;
    struct dtb_range range;
    assert_int_equal(dtb_reservation(&devices, 0, &range), NX_OK);
    assert_true(range.base == 0x80000000u && range.size == 0x40000u);
    assert_int_equal(dtb_reservation(&devices, 1, &range), NX_ERR_OVERFLOW);
    assert_int_equal(dtb_reservation(&devices, 2, &range), NX_ERR_OUT_OF_RANGE);
}

// ---- addresses ----

struct address_row {
    const char *path;
    uint32_t index;
    enum nx_status reg_status;
    struct dtb_range reg;
    enum nx_status mmio_status;
    uint64_t mmio_base;
};

static void test_reg_and_its_translation_to_what_a_hart_sees(void **state)
{
    (void)state;
    static const struct address_row rows[] = {
        {"/memory@80000000", 0, NX_OK, {0x80000000, 0x8000000}, NX_OK, 0x80000000},
        {"/memory@80000000", 1, NX_OK, {0x100000000, 0x40000000}, NX_OK, 0x100000000},
        {"/memory@80000000", 2, NX_ERR_OUT_OF_RANGE, {0, 0}, NX_ERR_OUT_OF_RANGE, 0},
        {"/memory@80000000", UINT32_MAX, NX_ERR_OUT_OF_RANGE, {0, 0}, NX_ERR_OUT_OF_RANGE, 0},
        {"/soc/serial", 0, NX_OK, {0x10000000, 0x100}, NX_OK, 0x10000000},
        {"/soc/moved", 0, NX_OK, {0x40000800, 0x100}, NX_OK, 0x400001800},
        {"/soc/crossing", 0, NX_OK, {0x40000f00, 0x200}, NX_ERR_OUT_OF_RANGE, 0},
        {"/soc/unmapped", 0, NX_OK, {0x50000000, 0x100}, NX_ERR_OUT_OF_RANGE, 0},
        {"/soc/wrapping", 0, NX_OK, {0x60000800, 0x100}, NX_ERR_OVERFLOW, 0},
        {"/soc/inner/nested", 0, NX_OK, {0x10, 0x20}, NX_OK, 0x400001010},
        {"/isolated/device", 0, NX_OK, {0x20, 0x10}, NX_ERR_UNSUPPORTED, 0},
        {"/pci/device", 0, NX_ERR_UNSUPPORTED, {0, 0}, NX_ERR_UNSUPPORTED, 0},
        {"/malformed/reg-of-five-cells", 0, NX_ERR_BAD_FORMAT, {0, 0}, NX_ERR_BAD_FORMAT, 0},
        {"/malformed/reg-overflow", 0, NX_ERR_OVERFLOW, {0, 0}, NX_ERR_OVERFLOW, 0},
        {"/malformed/reg-to-the-top", 0, NX_OK, {0xfffffffffffff000, 0xfff}, NX_ERR_UNSUPPORTED, 0},
        {"/soc", 0, NX_ERR_NOT_FOUND, {0, 0}, NX_ERR_NOT_FOUND, 0},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct address_row *row = &rows[i];
        struct dtb_range reg = {0};
        struct dtb_range mmio = {0};
        print_message("  %s %u\n", row->path, row->index);
        assert_int_equal(dtb_reg(&devices, at(row->path), row->index, &reg), row->reg_status);
        assert_int_equal(dtb_mmio(&devices, at(row->path), row->index, &mmio), row->mmio_status);
        assert_true(reg.base == row->reg.base && reg.size == row->reg.size);
        assert_true(mmio.base == row->mmio_base);
        assert_true(mmio.size == (row->mmio_status == NX_OK ? reg.size : 0));
    }
}

// ---- interrupts ----

static void test_plic_contexts_are_read_from_interrupts_extended(void **state)
{
    (void)state;
    static const struct {
        const char *controller;
        uint32_t cell;
    } expected[] = {
        {"/cpus/cpu@0/interrupt-controller", 11},
        {"/cpus/cpu@0/interrupt-controller", 9},
        {"/cpus/cpu@3/interrupt-controller", 0xffffffff},
        {"/cpus/cpu@3/interrupt-controller", 9},
    };
    struct dtb_interrupt_cursor cursor;
    struct dtb_interrupt interrupt;
    assert_int_equal(dtb_interrupts_start(&devices, at("/soc/plic"), &cursor), NX_OK);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(dtb_interrupts_next(&devices, &cursor, &interrupt), NX_OK);
        assert_same_node(interrupt.controller, at(expected[i].controller));
        assert_int_equal(interrupt.controller_phandle, dtb_phandle(&devices, interrupt.controller));
        assert_int_equal(interrupt.cell_count, 1);
        assert_int_equal(interrupt.cells[0], expected[i].cell);
    }
    assert_int_equal(dtb_interrupts_next(&devices, &cursor, &interrupt), NX_ERR_OUT_OF_RANGE);
}

static void test_a_device_inherits_the_interrupt_parent_of_the_root(void **state)
{
    (void)state;
    struct dtb_interrupt interrupt;
    assert_int_equal(dtb_first_interrupt(&devices, at("/soc/serial"), &interrupt), NX_OK);
    assert_same_node(interrupt.controller, at("/soc/plic"));
    assert_int_equal(interrupt.cell_count, 1);
    assert_int_equal(interrupt.cells[0], 10);
}

static void test_a_child_of_a_controller_interrupts_that_controller(void **state)
{
    (void)state;
    struct dtb_interrupt_cursor cursor;
    struct dtb_interrupt interrupt;
    assert_int_equal(dtb_interrupts_start(&devices, at("/soc/gpio/key"), &cursor), NX_OK);
    assert_int_equal(dtb_interrupts_next(&devices, &cursor, &interrupt), NX_OK);
    assert_same_node(interrupt.controller, at("/soc/gpio"));
    assert_int_equal(interrupt.cell_count, 2);
    assert_int_equal(dtb_interrupts_next(&devices, &cursor, &interrupt), NX_OK);
    assert_int_equal(interrupt.cells[0], 5);
    assert_int_equal(interrupt.cells[1], 2);
    assert_int_equal(dtb_interrupts_next(&devices, &cursor, &interrupt), NX_ERR_OUT_OF_RANGE);
}

static void test_malformed_interrupts_are_named(void **state)
{
    (void)state;
    struct dtb_interrupt interrupt;
    struct dtb_interrupt_cursor cursor;
    assert_int_equal(
        dtb_first_interrupt(&devices, at("/malformed/interrupts-of-no-controller"), &interrupt),
        NX_ERR_BAD_FORMAT);
    assert_int_equal(
        dtb_first_interrupt(&devices, at("/malformed/interrupts-of-bytes"), &interrupt),
        NX_ERR_BAD_FORMAT);
    assert_int_equal(
        dtb_first_interrupt(&devices, at("/malformed/interrupts-of-many-cells"), &interrupt),
        NX_ERR_UNSUPPORTED);
    assert_int_equal(dtb_first_interrupt(&devices, at("/cpus"), &interrupt), NX_ERR_NOT_FOUND);
    assert_int_equal(dtb_interrupts_start(&devices, at("/malformed/interrupts-cut-short"), &cursor),
                     NX_OK);
    assert_int_equal(dtb_interrupts_next(&devices, &cursor, &interrupt), NX_OK);
    assert_int_equal(dtb_interrupts_next(&devices, &cursor, &interrupt), NX_ERR_BAD_FORMAT);
    assert_int_equal(dtb_interrupts_next(&devices, &cursor, &interrupt), NX_ERR_BAD_FORMAT);
}

// ---- the blob itself ----

static void test_a_blob_at_an_odd_address_is_read(void **state)
{
    (void)state;
    uint8_t *shifted = malloc(devices_file.size + 1);
    struct dtb tree;
    assert_non_null(shifted);
    memcpy(shifted + 1, devices_file.data, devices_file.size);
    assert_int_equal(dtb_open(&tree, shifted + 1, devices_file.size), NX_OK);
    assert_true(dtb_node_exists(dtb_find_stdout(&tree)));
    free(shifted);
}

static void test_the_size_of_a_blob_is_known_from_its_first_eight_bytes(void **state)
{
    (void)state;
    uint32_t total = 0;
    uint8_t *start = bytes_exact_copy(devices_file.data, 8);
    assert_int_equal(dtb_peek_size(start, 7, &total), NX_ERR_TRUNCATED);
    assert_int_equal(dtb_peek_size(start, 8, &total), NX_OK);
    assert_int_equal(total, devices_file.size);
    store_be32(start + 4, DTB_MAX_SIZE + 1);
    assert_int_equal(dtb_peek_size(start, 8, &total), NX_ERR_TOO_LARGE);
    start[0] = 0;
    assert_int_equal(dtb_peek_size(start, 8, &total), NX_ERR_BAD_FORMAT);
    free(start);
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: %s devices.dtb\n", argv[0]);
        return 1;
    }
    devices_path = argv[1];
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stdout_is_found_through_an_alias_and_without_its_baud_rate),
        cmocka_unit_test(test_an_alias_of_an_alias_is_not_followed),
        cmocka_unit_test(test_every_match_of_compatible_is_found_in_order),
        cmocka_unit_test(test_compatible_matches_any_whole_string_of_the_list),
        cmocka_unit_test(test_what_a_cpu_can_do_stands_in_a_word_or_in_a_list),
        cmocka_unit_test(test_cpus_are_found_by_device_type_with_their_status),
        cmocka_unit_test(test_a_node_that_is_none_has_nothing_and_is_not_available),
        cmocka_unit_test(test_phandles_0_and_all_ones_are_nobodys),
        cmocka_unit_test(test_numbers_of_one_and_two_cells_are_read),
        cmocka_unit_test(test_a_number_of_another_length_is_bad_format),
        cmocka_unit_test(test_a_string_without_its_nul_is_bad_format),
        cmocka_unit_test(test_cells_after_the_last_whole_one_are_out_of_range),
        cmocka_unit_test(test_memory_reservations_are_listed_and_their_overflow_named),
        cmocka_unit_test(test_reg_and_its_translation_to_what_a_hart_sees),
        cmocka_unit_test(test_plic_contexts_are_read_from_interrupts_extended),
        cmocka_unit_test(test_a_device_inherits_the_interrupt_parent_of_the_root),
        cmocka_unit_test(test_a_child_of_a_controller_interrupts_that_controller),
        cmocka_unit_test(test_malformed_interrupts_are_named),
        cmocka_unit_test(test_a_blob_at_an_odd_address_is_read),
        cmocka_unit_test(test_the_size_of_a_blob_is_known_from_its_first_eight_bytes),
    };
    return cmocka_run_group_tests(tests, open_devices, close_devices);
}
