// SPDX-License-Identifier: Apache-2.0
// Values of a flattened device tree: cells and strings, and the look-ups of nodes by them (path,
// alias, compatible, device_type, phandle; Devicetree Specification 2.2 and 2.3).
//
// Built on the walks of fdt.c and on nothing else of the blob: bytes are only reached through a
// `struct dtb_property`, whose data lies inside the blob.
#include "fdt/fdt.h"

#include <string.h>

#define CELL_SIZE 4u

static uint32_t cell_count(const struct dtb_property *property)
{
    return property->length / CELL_SIZE;
}

// ---- values ----

enum nx_status dtb_property_cell(const struct dtb_property *property, uint32_t index,
                                 uint32_t *value)
{
    if (index >= cell_count(property)) {
        return NX_ERR_OUT_OF_RANGE;
    }
    const uint8_t *bytes = property->data + (size_t)index * CELL_SIZE;
    *value =
        (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
    return NX_OK;
}

// Reads a number of `count` (0 to 2) cells from cell `index` on; 0 when there are none.
static enum nx_status read_cells(const struct dtb_property *property, uint32_t index,
                                 uint32_t count, uint64_t *value)
{
    uint64_t number = 0;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t cell;
        enum nx_status status = dtb_property_cell(property, index + i, &cell);
        if (status != NX_OK) {
            return status;
        }
        number = number << 32 | cell;
    }
    *value = number;
    return NX_OK;
}

// Length of the string at `offset` of the data, or NX_ERR_BAD_FORMAT when the data ends before its
// NUL.
static enum nx_status string_length(const struct dtb_property *property, uint32_t offset,
                                    uint32_t *length)
{
    for (uint32_t end = offset; end < property->length; end++) {
        if (property->data[end] == 0) {
            *length = end - offset;
            return NX_OK;
        }
    }
    return NX_ERR_BAD_FORMAT;
}

enum nx_status dtb_property_string(const struct dtb_property *property, uint32_t index,
                                   const char **string)
{
    uint32_t offset = 0;
    while (offset < property->length) {
        uint32_t length;
        enum nx_status status = string_length(property, offset, &length);
        if (status != NX_OK) {
            return status;
        }
        if (index == 0) {
            *string = (const char *)property->data + offset;
            return NX_OK;
        }
        index--;
        offset += length + 1;
    }
    return NX_ERR_OUT_OF_RANGE;
}

bool dtb_property_contains(const struct dtb_property *property, const char *string)
{
    size_t wanted = strlen(string);
    uint32_t offset = 0;
    uint32_t length;
    while (string_length(property, offset, &length) == NX_OK) {
        if (length == wanted && memcmp(property->data + offset, string, wanted) == 0) {
            return true;
        }
        offset += length + 1;
    }
    return false;
}

static enum nx_status read_exactly(const struct dtb *tree, struct dtb_node node, const char *name,
                                   uint32_t cells, uint64_t *value)
{
    struct dtb_property property;
    if (!dtb_find_property(tree, node, name, &property)) {
        return NX_ERR_NOT_FOUND;
    }
    if (property.length != cells * CELL_SIZE) {
        return NX_ERR_BAD_FORMAT;
    }
    return read_cells(&property, 0, cells, value);
}

enum nx_status dtb_read_u32(const struct dtb *tree, struct dtb_node node, const char *name,
                            uint32_t *value)
{
    uint64_t number;
    enum nx_status status = read_exactly(tree, node, name, 1, &number);
    if (status == NX_OK) {
        *value = (uint32_t)number;
    }
    return status;
}

enum nx_status dtb_read_u64(const struct dtb *tree, struct dtb_node node, const char *name,
                            uint64_t *value)
{
    return read_exactly(tree, node, name, 2, value);
}

enum nx_status dtb_read_number(const struct dtb *tree, struct dtb_node node, const char *name,
                               uint64_t *value)
{
    enum nx_status status = read_exactly(tree, node, name, 1, value);
    return status == NX_ERR_BAD_FORMAT ? read_exactly(tree, node, name, 2, value) : status;
}

enum nx_status dtb_read_string(const struct dtb *tree, struct dtb_node node, const char *name,
                               const char **string)
{
    struct dtb_property property;
    if (!dtb_find_property(tree, node, name, &property)) {
        return NX_ERR_NOT_FOUND;
    }
    // An empty property holds no string, not even an empty one.
    return dtb_property_string(&property, 0, string) == NX_OK ? NX_OK : NX_ERR_BAD_FORMAT;
}

bool dtb_is_compatible(const struct dtb *tree, struct dtb_node node, const char *compatible)
{
    struct dtb_property property;
    return dtb_find_property(tree, node, "compatible", &property) &&
           dtb_property_contains(&property, compatible);
}

bool dtb_is_available(const struct dtb *tree, struct dtb_node node)
{
    const char *text;
    if (!dtb_node_exists(node)) {
        return false;
    }
    enum nx_status status = dtb_read_string(tree, node, "status", &text);
    if (status != NX_OK) {
        return status == NX_ERR_NOT_FOUND;
    }
    return strcmp(text, "okay") == 0 || strcmp(text, "ok") == 0;
}

// ---- finding nodes ----

// Length of the path's part at `path`, which ends at a '/' or after `length` characters.
static size_t part_length(const char *path, size_t length)
{
    size_t part = 0;
    while (part < length && path[part] != '/') {
        part++;
    }
    return part;
}

static bool part_holds_unit_address(const char *part, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if (part[i] == '@') {
            return true;
        }
    }
    return false;
}

// Whether the NUL-terminated `text` starts with the `length` characters of `prefix`.
static bool starts_with(const char *text, const char *prefix, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if (text[i] == 0 || text[i] != prefix[i]) {
            return false;
        }
    }
    return true;
}

static struct dtb_node find_child(const struct dtb *tree, struct dtb_node parent, const char *part,
                                  size_t length)
{
    bool with_address = part_holds_unit_address(part, length);
    struct dtb_node child = dtb_first_child(tree, parent);
    while (dtb_node_exists(child)) {
        const char *name = dtb_node_name(tree, child);
        if (starts_with(name, part, length) &&
            (name[length] == 0 || (name[length] == '@' && !with_address))) {
            return child;
        }
        child = dtb_next_sibling(tree, child);
    }
    return DTB_NODE_NONE;
}

// Follows `path`, of which leading and repeated '/' mean nothing, from `node` on.
static struct dtb_node walk_path(const struct dtb *tree, struct dtb_node node, const char *path,
                                 size_t length)
{
    while (length > 0 && dtb_node_exists(node)) {
        size_t part = part_length(path, length);
        if (part == 0) {
            path++;
            length--;
            continue;
        }
        node = find_child(tree, node, path, part);
        path += part;
        length -= part;
    }
    return node;
}

// The node that the alias of `length` characters stands for. An alias of an alias is not followed:
// the specification (3.3) wants full paths, and so a circle cannot be.
static struct dtb_node find_alias(const struct dtb *tree, const char *alias, size_t length)
{
    struct dtb_node aliases = walk_path(tree, dtb_root(tree), "aliases", strlen("aliases"));
    struct dtb_property property;
    bool more = dtb_first_property(tree, aliases, &property);
    while (more) {
        if (starts_with(property.name, alias, length) && property.name[length] == 0) {
            const char *path;
            if (dtb_property_string(&property, 0, &path) != NX_OK || path[0] != '/') {
                return DTB_NODE_NONE;
            }
            return walk_path(tree, dtb_root(tree), path, strlen(path));
        }
        more = dtb_next_property(tree, &property);
    }
    return DTB_NODE_NONE;
}

struct dtb_node dtb_find_path_bounded(const struct dtb *tree, const char *path, size_t length)
{
    if (length == 0) {
        return DTB_NODE_NONE;
    }
    if (path[0] == '/') {
        return walk_path(tree, dtb_root(tree), path, length);
    }
    size_t alias = part_length(path, length);
    return walk_path(tree, find_alias(tree, path, alias), path + alias, length - alias);
}

struct dtb_node dtb_find_path(const struct dtb *tree, const char *path)
{
    return dtb_find_path_bounded(tree, path, strlen(path));
}

struct dtb_node dtb_next_compatible(const struct dtb *tree, struct dtb_node after,
                                    const char *compatible)
{
    struct dtb_node node = dtb_next_node(tree, after);
    while (dtb_node_exists(node) && !dtb_is_compatible(tree, node, compatible)) {
        node = dtb_next_node(tree, node);
    }
    return node;
}

struct dtb_node dtb_next_device_type(const struct dtb *tree, struct dtb_node after,
                                     const char *device_type)
{
    struct dtb_node node = dtb_next_node(tree, after);
    while (dtb_node_exists(node)) {
        const char *type;
        if (dtb_read_string(tree, node, "device_type", &type) == NX_OK &&
            strcmp(type, device_type) == 0) {
            return node;
        }
        node = dtb_next_node(tree, node);
    }
    return DTB_NODE_NONE;
}

uint32_t dtb_phandle(const struct dtb *tree, struct dtb_node node)
{
    uint32_t phandle;
    if (dtb_read_u32(tree, node, "phandle", &phandle) == NX_OK ||
        dtb_read_u32(tree, node, "linux,phandle", &phandle) == NX_OK) {
        return phandle;
    }
    return 0;
}

struct dtb_node dtb_find_phandle(const struct dtb *tree, uint32_t phandle)
{
    if (phandle == 0 || phandle == UINT32_MAX) {
        return DTB_NODE_NONE;
    }
    for (uint32_t i = 0; i < tree->node_count; i++) {
        if (tree->nodes[i].phandle == phandle) {
            return (struct dtb_node){tree->nodes[i].offset};
        }
    }
    struct dtb_node node = tree->node_count > 0 ? DTB_NODE_NONE : dtb_root(tree);
    while (dtb_node_exists(node) && dtb_phandle(tree, node) != phandle) {
        node = dtb_next_node(tree, node);
    }
    return node;
}

struct dtb_node dtb_find_stdout(const struct dtb *tree)
{
    struct dtb_node chosen = dtb_find_path(tree, "/chosen");
    const char *path;
    if (dtb_read_string(tree, chosen, "stdout-path", &path) != NX_OK &&
        dtb_read_string(tree, chosen, "linux,stdout-path", &path) != NX_OK) {
        return DTB_NODE_NONE;
    }
    size_t length = 0;
    while (path[length] != 0 && path[length] != ':') {
        length++;
    }
    return dtb_find_path_bounded(tree, path, length);
}
