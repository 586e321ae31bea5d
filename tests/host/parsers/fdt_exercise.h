// SPDX-License-Identifier: Apache-2.0
// Calls every function of the device tree reader on everything in a tree and reads every byte that
// it hands out, so that a sanitizer sees any access outside the blob. Used by the mutation test and
// by the fuzzer; header only, so that each needs just the reader's sources.
#ifndef PARSERS_FDT_EXERCISE_H
#define PARSERS_FDT_EXERCISE_H

#include <string.h>

#include "fdt/fdt.h"

// Keeps the compiler from leaving out reads whose result nobody uses.
static volatile uint64_t fdt_exercise_sink;

static inline void fdt_exercise_property(const struct dtb_property *property)
{
    uint64_t sum = strlen(property->name);
    for (uint32_t i = 0; i < property->length; i++) {
        sum += property->data[i];
    }
    uint32_t cell;
    for (uint32_t i = 0; dtb_property_cell(property, i, &cell) == NX_OK; i++) {
        sum += cell;
    }
    const char *string;
    for (uint32_t i = 0; i < 4 && dtb_property_string(property, i, &string) == NX_OK; i++) {
        sum += strlen(string);
    }
    sum += dtb_property_contains(property, "okay");
    fdt_exercise_sink += sum;
}

// The decoders that look at other nodes too, each of which costs a walk of the tree or several.
static inline void fdt_exercise_resources(const struct dtb *tree, struct dtb_node node)
{
    struct dtb_range range;
    for (uint32_t i = 0; i < 4 && dtb_reg(tree, node, i, &range) != NX_ERR_OUT_OF_RANGE; i++) {
        fdt_exercise_sink += dtb_mmio(tree, node, i, &range) == NX_OK ? range.base : 0;
    }
    struct dtb_interrupt_cursor cursor;
    if (dtb_interrupts_start(tree, node, &cursor) == NX_OK) {
        struct dtb_interrupt interrupt;
        while (dtb_interrupts_next(tree, &cursor, &interrupt) == NX_OK) {
            fdt_exercise_sink += interrupt.cells[interrupt.cell_count - 1];
        }
    }
    struct dtb_interrupt first;
    fdt_exercise_sink += dtb_first_interrupt(tree, node, &first) == NX_OK ? first.cell_count : 0;
    fdt_exercise_sink += dtb_node_exists(dtb_find_phandle(tree, dtb_phandle(tree, node)));
    fdt_exercise_sink += dtb_parent(tree, node).offset;
    fdt_exercise_sink += dtb_next_sibling(tree, node).offset;
    fdt_exercise_sink += dtb_first_child(tree, node).offset;
}

static inline void fdt_exercise_node(const struct dtb *tree, struct dtb_node node)
{
    fdt_exercise_sink += strlen(dtb_node_name(tree, node));
    struct dtb_property property;
    bool more = dtb_first_property(tree, node, &property);
    while (more) {
        fdt_exercise_property(&property);
        more = dtb_next_property(tree, &property);
    }
    uint32_t u32 = 0;
    uint64_t u64 = 0;
    const char *string = "";
    fdt_exercise_sink += (uint64_t)dtb_read_u32(tree, node, "reg", &u32) + u32;
    fdt_exercise_sink += (uint64_t)dtb_read_u64(tree, node, "reg", &u64) + u64;
    fdt_exercise_sink += (uint64_t)dtb_read_number(tree, node, "reg", &u64) + u64;
    fdt_exercise_sink += (uint64_t)dtb_read_string(tree, node, "status", &string) + strlen(string);
    fdt_exercise_sink += dtb_is_available(tree, node);
    fdt_exercise_sink += dtb_cpu_has_extension(tree, node, "zbb");
    fdt_exercise_sink += dtb_is_compatible(tree, node, "virtio,mmio");
}

// Exercises an opened tree. Of the nodes, every `stride`th from number `phase` on gets the decoders
// whose cost is that of a walk.
static inline void fdt_exercise(const struct dtb *tree, uint32_t stride, uint32_t phase)
{
    uint32_t number = 0;
    struct dtb_node node = dtb_root(tree);
    while (dtb_node_exists(node)) {
        fdt_exercise_node(tree, node);
        if (number++ % stride == phase % stride) {
            fdt_exercise_resources(tree, node);
        }
        node = dtb_next_node(tree, node);
    }
    struct dtb_range range;
    uint32_t index = 0;
    while (dtb_reservation(tree, index, &range) != NX_ERR_OUT_OF_RANGE) {
        index++;
    }
    fdt_exercise_sink += index;
    fdt_exercise_sink += dtb_find_stdout(tree).offset;
    fdt_exercise_sink += dtb_find_path(tree, "/soc/serial/x").offset;
    fdt_exercise_sink += dtb_find_path(tree, "serial0").offset;
    fdt_exercise_sink += dtb_next_compatible(tree, DTB_NODE_NONE, "riscv,plic0").offset;
    fdt_exercise_sink += dtb_next_device_type(tree, DTB_NODE_NONE, "cpu").offset;
}

#endif
