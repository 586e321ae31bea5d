// SPDX-License-Identifier: Apache-2.0
// Device resources of a flattened device tree: addresses (`reg`, `ranges`; Devicetree Specification
// 2.3.5 to 2.3.8) and interrupts (`interrupts`, `interrupts-extended`, `interrupt-parent`; 2.4).
#include "fdt/fdt.h"

#define MAX_ADDRESS_CELLS     2u // addresses and sizes are 64 bits
#define DEFAULT_ADDRESS_CELLS 2u // spec 2.3.5
#define DEFAULT_SIZE_CELLS    1u
#define CELL_SIZE             4u

// Cells of an address and of a size on a bus.
struct bus_cells {
    uint32_t address; // 0 .. MAX_ADDRESS_CELLS
    uint32_t size;    // 0 .. MAX_ADDRESS_CELLS
};

// ---- addresses ----

static enum nx_status read_cell_count(const struct dtb *tree, struct dtb_node bus, const char *name,
                                      uint32_t absent, uint32_t *count)
{
    enum nx_status status = dtb_read_u32(tree, bus, name, count);
    if (status == NX_ERR_NOT_FOUND) {
        *count = absent;
        return NX_OK;
    }
    if (status == NX_OK && *count > MAX_ADDRESS_CELLS) {
        return NX_ERR_UNSUPPORTED;
    }
    return status;
}

static enum nx_status read_bus_cells(const struct dtb *tree, struct dtb_node bus,
                                     struct bus_cells *cells)
{
    enum nx_status status =
        read_cell_count(tree, bus, "#address-cells", DEFAULT_ADDRESS_CELLS, &cells->address);
    if (status != NX_OK) {
        return status;
    }
    return read_cell_count(tree, bus, "#size-cells", DEFAULT_SIZE_CELLS, &cells->size);
}

// Reads a number of `count` cells at cell `*index` and moves past it; no cells are the number 0.
// The caller has checked that the property holds that many.
static uint64_t take_cells(const struct dtb_property *property, uint32_t *index, uint32_t count)
{
    uint64_t number = 0;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t cell = 0;
        if (dtb_property_cell(property, *index + i, &cell) != NX_OK) {
            break;
        }
        number = number << 32 | cell;
    }
    *index += count;
    return number;
}

// Splits a property into entries of `cells` cells.
static enum nx_status count_entries(const struct dtb_property *property, uint32_t cells,
                                    uint32_t *count)
{
    if (cells == 0 || property->length % (cells * CELL_SIZE) != 0) {
        return NX_ERR_BAD_FORMAT;
    }
    *count = property->length / (cells * CELL_SIZE);
    return NX_OK;
}

enum nx_status dtb_reg(const struct dtb *tree, struct dtb_node node, uint32_t index,
                       struct dtb_range *range)
{
    struct dtb_property property;
    if (!dtb_find_property(tree, node, "reg", &property)) {
        return NX_ERR_NOT_FOUND;
    }
    struct bus_cells cells;
    enum nx_status status = read_bus_cells(tree, dtb_parent(tree, node), &cells);
    if (status != NX_OK) {
        return status;
    }
    uint32_t count;
    status = count_entries(&property, cells.address + cells.size, &count);
    if (status != NX_OK) {
        return status;
    }
    if (index >= count) {
        return NX_ERR_OUT_OF_RANGE;
    }
    uint32_t cell = index * (cells.address + cells.size);
    struct dtb_range found;
    found.base = take_cells(&property, &cell, cells.address);
    found.size = take_cells(&property, &cell, cells.size);
    if (found.size > UINT64_MAX - found.base) {
        return NX_ERR_OVERFLOW;
    }
    *range = found;
    return NX_OK;
}

// Translates a range of addresses on `bus` into one on the bus above it.
static enum nx_status translate(const struct dtb *tree, struct dtb_node bus, struct dtb_node above,
                                struct dtb_range *range)
{
    struct dtb_property property;
    if (!dtb_find_property(tree, bus, "ranges", &property)) {
        return NX_ERR_UNSUPPORTED;
    }
    if (property.length == 0) {
        return NX_OK; // spec 2.3.8: empty ranges are the identity
    }
    struct bus_cells child;
    struct bus_cells parent;
    enum nx_status status = read_bus_cells(tree, bus, &child);
    if (status == NX_OK) {
        status = read_bus_cells(tree, above, &parent);
    }
    uint32_t count = 0;
    if (status == NX_OK) {
        status = count_entries(&property, child.address + parent.address + child.size, &count);
    }
    if (status != NX_OK) {
        return status;
    }
    uint32_t cell = 0;
    for (uint32_t i = 0; i < count; i++) {
        uint64_t child_base = take_cells(&property, &cell, child.address);
        uint64_t parent_base = take_cells(&property, &cell, parent.address);
        uint64_t size = take_cells(&property, &cell, child.size);
        if (range->base < child_base || range->base - child_base > size ||
            range->size > size - (range->base - child_base)) {
            continue;
        }
        uint64_t offset = range->base - child_base;
        if (offset > UINT64_MAX - parent_base ||
            range->size > UINT64_MAX - (parent_base + offset)) {
            return NX_ERR_OVERFLOW;
        }
        range->base = parent_base + offset;
        return NX_OK;
    }
    return NX_ERR_OUT_OF_RANGE;
}

enum nx_status dtb_mmio(const struct dtb *tree, struct dtb_node node, uint32_t index,
                        struct dtb_range *range)
{
    struct dtb_range found;
    enum nx_status status = dtb_reg(tree, node, index, &found);
    if (status != NX_OK) {
        return status;
    }
    struct dtb_node bus = dtb_parent(tree, node);
    struct dtb_node above = dtb_parent(tree, bus);
    while (dtb_node_exists(above)) {
        status = translate(tree, bus, above, &found);
        if (status != NX_OK) {
            return status;
        }
        bus = above;
        above = dtb_parent(tree, bus);
    }
    *range = found;
    return NX_OK;
}

// ---- interrupts ----

// Makes `node` the controller of `interrupt`, with its #interrupt-cells.
static enum nx_status set_controller(const struct dtb *tree, struct dtb_node node,
                                     struct dtb_interrupt *interrupt)
{
    uint32_t cells;
    if (dtb_read_u32(tree, node, "#interrupt-cells", &cells) != NX_OK || cells == 0) {
        return NX_ERR_BAD_FORMAT;
    }
    if (cells > DTB_MAX_INTERRUPT_CELLS) {
        return NX_ERR_UNSUPPORTED;
    }
    interrupt->controller = node;
    interrupt->controller_phandle = dtb_phandle(tree, node);
    interrupt->cell_count = cells;
    return NX_OK;
}

// Finds the controller of a node with plain `interrupts`: the nearest of the node and its ancestors
// either names one by interrupt-parent or, as an ancestor, is one itself.
static enum nx_status find_controller(const struct dtb *tree, struct dtb_node node,
                                      struct dtb_interrupt *interrupt)
{
    while (dtb_node_exists(node)) {
        uint32_t phandle;
        enum nx_status status = dtb_read_u32(tree, node, "interrupt-parent", &phandle);
        if (status == NX_OK) {
            return set_controller(tree, dtb_find_phandle(tree, phandle), interrupt);
        }
        if (status != NX_ERR_NOT_FOUND) {
            return status;
        }
        struct dtb_property property;
        node = dtb_parent(tree, node);
        if (dtb_find_property(tree, node, "#interrupt-cells", &property)) {
            return set_controller(tree, node, interrupt);
        }
    }
    return NX_ERR_BAD_FORMAT;
}

enum nx_status dtb_interrupts_start(const struct dtb *tree, struct dtb_node node,
                                    struct dtb_interrupt_cursor *cursor)
{
    *cursor = (struct dtb_interrupt_cursor){0};
    cursor->extended = dtb_find_property(tree, node, "interrupts-extended", &cursor->property);
    if (!cursor->extended && !dtb_find_property(tree, node, "interrupts", &cursor->property)) {
        return NX_ERR_NOT_FOUND;
    }
    if (cursor->property.length % CELL_SIZE != 0) {
        return NX_ERR_BAD_FORMAT;
    }
    if (cursor->property.length > DTB_MAX_INTERRUPTS_SIZE) {
        return NX_ERR_TOO_LARGE;
    }
    return cursor->extended ? NX_OK : find_controller(tree, node, &cursor->common);
}

enum nx_status dtb_interrupts_next(const struct dtb *tree, struct dtb_interrupt_cursor *cursor,
                                   struct dtb_interrupt *interrupt)
{
    uint32_t cell_count = cursor->property.length / CELL_SIZE;
    uint32_t cell = cursor->next_cell;
    if (cell >= cell_count) {
        return NX_ERR_OUT_OF_RANGE;
    }
    struct dtb_interrupt found = cursor->common;
    if (cursor->extended) {
        uint32_t phandle = (uint32_t)take_cells(&cursor->property, &cell, 1);
        enum nx_status status = set_controller(tree, dtb_find_phandle(tree, phandle), &found);
        if (status != NX_OK) {
            return status;
        }
    }
    if (found.cell_count > cell_count - cell) {
        return NX_ERR_BAD_FORMAT;
    }
    for (uint32_t i = 0; i < found.cell_count; i++) {
        found.cells[i] = (uint32_t)take_cells(&cursor->property, &cell, 1);
    }
    cursor->next_cell = cell;
    *interrupt = found;
    return NX_OK;
}

enum nx_status dtb_first_interrupt(const struct dtb *tree, struct dtb_node node,
                                   struct dtb_interrupt *interrupt)
{
    struct dtb_interrupt_cursor cursor;
    enum nx_status status = dtb_interrupts_start(tree, node, &cursor);
    return status == NX_OK ? dtb_interrupts_next(tree, &cursor, interrupt) : status;
}
