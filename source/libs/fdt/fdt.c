// SPDX-License-Identifier: Apache-2.0
// Structure of a flattened device tree: opening, walking and finding nodes and properties.
//
// Everything that looks at the structure block goes through decode_token(), which checks each token
// against the bounds of its block. dtb_open() runs it over the whole block and refuses what is
// malformed; the walks run the same decoder over the same constant bytes, so for them an error is
// impossible and is treated as the end of the tree. Multi-byte values are read byte by byte: the
// blob may have any alignment.
#include "fdt/fdt.h"

#include <string.h>

// Devicetree Specification 5.2: offsets of the header's fields, in bytes.
enum fdt_header {
    FDT_HEADER_MAGIC = 0,
    FDT_HEADER_TOTALSIZE = 4,
    FDT_HEADER_OFF_DT_STRUCT = 8,
    FDT_HEADER_OFF_DT_STRINGS = 12,
    FDT_HEADER_OFF_MEM_RSVMAP = 16,
    FDT_HEADER_VERSION = 20,
    FDT_HEADER_LAST_COMP_VERSION = 24,
    FDT_HEADER_BOOT_CPUID_PHYS = 28,
    FDT_HEADER_SIZE_DT_STRINGS = 32,
    FDT_HEADER_SIZE_DT_STRUCT = 36, // from version 17 on
    FDT_HEADER_SIZE_V16 = 36,
    FDT_HEADER_SIZE_V17 = 40,
};

#define FDT_MAGIC               0xd00dfeedu
#define FDT_VERSION_OLDEST      16u
#define FDT_VERSION_KNOWN       17u
#define FDT_RESERVE_ENTRY_SIZE  16u // two big-endian 64-bit values (spec 5.3.2)
#define FDT_RESERVE_ENTRY_ALIGN 8u
#define FDT_TOKEN_SIZE          4u

// Devicetree Specification 5.4.1: tokens of the structure block.
#define FDT_BEGIN_NODE 1u
#define FDT_END_NODE   2u
#define FDT_PROP       3u
#define FDT_NOP        4u
#define FDT_END        9u

struct token {
    uint32_t kind;        // FDT_BEGIN_NODE ..., offsets are in the structure block
    uint32_t next;        // offset after this token and its padding
    uint32_t data;        // offset of the node's name or the property's value
    uint32_t length;      // bytes of that, without the name's NUL
    uint32_t name_offset; // FDT_PROP: of its name, in the strings block
};

static uint32_t read_be32(const uint8_t *bytes)
{
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

static uint64_t read_be64(const uint8_t *bytes)
{
    return (uint64_t)read_be32(bytes) << 32 | read_be32(bytes + 4);
}

// Sizes and offsets here are at most DTB_MAX_SIZE, so this does not overflow.
static uint32_t align_to_token(uint32_t offset)
{
    return (offset + FDT_TOKEN_SIZE - 1) & ~(FDT_TOKEN_SIZE - 1);
}

// Decodes what follows FDT_PROP at `body`, of which `room` bytes are inside the structure block.
static enum nx_status decode_property(const struct dtb *tree, uint32_t body, uint32_t room,
                                      struct token *token)
{
    if (room < 8) {
        return NX_ERR_TRUNCATED;
    }
    token->length = read_be32(tree->structure + body);
    token->name_offset = read_be32(tree->structure + body + 4);
    token->data = body + 8;
    if (token->length > room - 8) {
        return NX_ERR_TRUNCATED;
    }
    // The strings block ends with a NUL, so a name that starts inside also ends inside.
    if (token->name_offset >= tree->strings_size) {
        return NX_ERR_BAD_FORMAT;
    }
    token->next = align_to_token(token->data + token->length);
    return NX_OK;
}

static enum nx_status decode_name(const struct dtb *tree, uint32_t body, uint32_t room,
                                  struct token *token)
{
    token->data = body;
    for (uint32_t length = 0; length < room; length++) {
        if (tree->structure[body + length] == 0) {
            token->length = length;
            token->next = align_to_token(body + length + 1);
            return NX_OK;
        }
    }
    return NX_ERR_TRUNCATED;
}

static enum nx_status decode_token(const struct dtb *tree, uint32_t offset, struct token *token)
{
    if (offset > tree->structure_size || tree->structure_size - offset < FDT_TOKEN_SIZE) {
        return NX_ERR_TRUNCATED;
    }
    uint32_t body = offset + FDT_TOKEN_SIZE;
    uint32_t room = tree->structure_size - body;
    *token = (struct token){.kind = read_be32(tree->structure + offset), .next = body};
    switch (token->kind) {
    case FDT_BEGIN_NODE:
        return decode_name(tree, body, room, token);
    case FDT_PROP:
        return decode_property(tree, body, room, token);
    case FDT_END_NODE:
    case FDT_NOP:
    case FDT_END:
        return NX_OK;
    default:
        return NX_ERR_BAD_FORMAT;
    }
}

// As decode_token() for a walk of a checked tree; false at its end.
static bool walk_token(const struct dtb *tree, uint32_t offset, struct token *token)
{
    return decode_token(tree, offset, token) == NX_OK && token->kind != FDT_END;
}

// ---- opening ----

enum nx_status dtb_peek_size(const void *blob, size_t size, uint32_t *total_size)
{
    const uint8_t *bytes = blob;
    if (size < FDT_HEADER_TOTALSIZE + sizeof(uint32_t)) {
        return NX_ERR_TRUNCATED;
    }
    if (read_be32(bytes + FDT_HEADER_MAGIC) != FDT_MAGIC) {
        return NX_ERR_BAD_FORMAT;
    }
    uint32_t claimed = read_be32(bytes + FDT_HEADER_TOTALSIZE);
    if (claimed > DTB_MAX_SIZE) {
        return NX_ERR_TOO_LARGE;
    }
    *total_size = claimed;
    return NX_OK;
}

// Counts the memory reservations up to the terminator, which must be there.
static enum nx_status locate_reservations(struct dtb *tree, const uint8_t *bytes)
{
    uint32_t start = read_be32(bytes + FDT_HEADER_OFF_MEM_RSVMAP);
    if (start > tree->total_size) {
        return NX_ERR_TRUNCATED;
    }
    if (start % FDT_RESERVE_ENTRY_ALIGN != 0) {
        return NX_ERR_BAD_FORMAT;
    }
    tree->reservations = bytes + start;
    uint32_t fitting = (tree->total_size - start) / FDT_RESERVE_ENTRY_SIZE;
    for (uint32_t index = 0; index < fitting; index++) {
        const uint8_t *entry = tree->reservations + index * FDT_RESERVE_ENTRY_SIZE;
        if (read_be64(entry) == 0 && read_be64(entry + 8) == 0) {
            tree->reservation_count = index;
            return NX_OK;
        }
    }
    return NX_ERR_TRUNCATED;
}

// Finds the structure and strings blocks. Their order is not checked: reading needs none.
static enum nx_status locate_blocks(struct dtb *tree, const uint8_t *bytes, uint32_t version)
{
    uint32_t total = tree->total_size;
    uint32_t structure = read_be32(bytes + FDT_HEADER_OFF_DT_STRUCT);
    uint32_t strings = read_be32(bytes + FDT_HEADER_OFF_DT_STRINGS);
    if (structure > total || strings > total) {
        return NX_ERR_TRUNCATED;
    }
    if (structure % FDT_TOKEN_SIZE != 0) {
        return NX_ERR_BAD_FORMAT;
    }
    uint32_t structure_size = total - structure; // version 16 ends it by FDT_END alone
    if (version >= FDT_VERSION_KNOWN) {
        structure_size = read_be32(bytes + FDT_HEADER_SIZE_DT_STRUCT);
    }
    uint32_t strings_size = read_be32(bytes + FDT_HEADER_SIZE_DT_STRINGS);
    if (structure_size > total - structure || strings_size > total - strings) {
        return NX_ERR_TRUNCATED;
    }
    tree->structure = bytes + structure;
    tree->structure_size = structure_size;
    tree->strings = bytes + strings;
    // What follows the last NUL is no string. Leaving it out once bounds every name that is read.
    while (strings_size > 0 && tree->strings[strings_size - 1] != 0) {
        strings_size--;
    }
    tree->strings_size = strings_size;
    return NX_OK;
}

static enum nx_status open_header(struct dtb *tree, const uint8_t *bytes, size_t size)
{
    enum nx_status status = dtb_peek_size(bytes, size, &tree->total_size);
    if (status != NX_OK) {
        return status;
    }
    if (tree->total_size > size || tree->total_size < FDT_HEADER_SIZE_V16) {
        return NX_ERR_TRUNCATED;
    }
    uint32_t version = read_be32(bytes + FDT_HEADER_VERSION);
    uint32_t oldest_compatible = read_be32(bytes + FDT_HEADER_LAST_COMP_VERSION);
    if (version < FDT_VERSION_OLDEST || oldest_compatible > FDT_VERSION_KNOWN) {
        return NX_ERR_UNSUPPORTED;
    }
    if (oldest_compatible > version) {
        return NX_ERR_BAD_FORMAT;
    }
    uint32_t header = version < FDT_VERSION_KNOWN ? FDT_HEADER_SIZE_V16 : FDT_HEADER_SIZE_V17;
    if (tree->total_size < header) {
        return NX_ERR_TRUNCATED;
    }
    if (read_be32(bytes + FDT_HEADER_OFF_MEM_RSVMAP) < header ||
        read_be32(bytes + FDT_HEADER_OFF_DT_STRUCT) < header ||
        read_be32(bytes + FDT_HEADER_OFF_DT_STRINGS) < header) {
        return NX_ERR_BAD_FORMAT;
    }
    return locate_blocks(tree, bytes, version);
}

// State of the one pass over the structure block that checks the grammar of spec 5.4.2 and fills
// the index.
struct structure_check {
    uint32_t depth;                    // open nodes
    bool properties_allowed;           // in a node, before its first child
    bool root_seen;                    // and, with depth 0, closed
    uint32_t nodes;                    // begun
    uint8_t open_nodes[DTB_MAX_DEPTH]; // entries of the index, while nodes <= DTB_INDEXED_NODES
};

static enum nx_status check_token(struct structure_check *check, const struct token *token)
{
    switch (token->kind) {
    case FDT_BEGIN_NODE:
        // Only the root has, and must have, an empty name; there is one root.
        if ((check->depth == 0) != (token->length == 0) ||
            (check->depth == 0 && check->root_seen)) {
            return NX_ERR_BAD_FORMAT;
        }
        if (check->depth == DTB_MAX_DEPTH) {
            return NX_ERR_TOO_LARGE;
        }
        check->depth++;
        check->root_seen = true;
        check->properties_allowed = true;
        return NX_OK;
    case FDT_END_NODE:
        if (check->depth == 0) {
            return NX_ERR_BAD_FORMAT;
        }
        check->depth--;
        check->properties_allowed = false;
        return NX_OK;
    case FDT_PROP:
        return check->properties_allowed ? NX_OK : NX_ERR_BAD_FORMAT;
    case FDT_END:
        return check->root_seen && check->depth == 0 ? NX_OK : NX_ERR_BAD_FORMAT;
    default:
        return NX_OK;
    }
}

static const char *const indexed_properties[DTB_INDEXED_PROPERTIES] = {
    [DTB_INDEXED_COMPATIBLE] = "compatible",
    [DTB_INDEXED_DEVICE_TYPE] = "device_type",
};

// Which of them has this name; DTB_INDEXED_PROPERTIES: none.
static unsigned indexed_property(const char *name)
{
    unsigned which = 0;
    while (which < DTB_INDEXED_PROPERTIES && strcmp(name, indexed_properties[which]) != 0) {
        which++;
    }
    return which;
}

static void note_property(const struct dtb *tree, const struct token *token, uint32_t offset,
                          struct dtb_index_entry *entry)
{
    const char *name = (const char *)tree->strings + token->name_offset;
    uint8_t strength = 0;
    // None of the others begins with these letters.
    if (name[0] == 'c' || name[0] == 'd') {
        unsigned which = indexed_property(name);
        // The first of a name counts.
        if (which < DTB_INDEXED_PROPERTIES && entry->properties[which] == 0) {
            entry->properties[which] = offset;
        }
        return;
    }
    if (token->length != sizeof(uint32_t)) {
        return;
    }
    if (strcmp(name, "phandle") == 0) {
        strength = 2;
    } else if (strcmp(name, "linux,phandle") == 0) {
        strength = 1;
    }
    if (strength > entry->phandle_strength) {
        entry->phandle_strength = strength;
        entry->phandle = read_be32(tree->structure + token->data);
    }
}

// Notes a token that has passed its check.
static void index_token(struct dtb *tree, struct structure_check *check, const struct token *token,
                        uint32_t offset)
{
    if (token->kind == FDT_BEGIN_NODE && check->nodes++ < DTB_INDEXED_NODES) {
        uint8_t index = (uint8_t)(check->nodes - 1);
        uint8_t parent = check->depth == 1 ? index : check->open_nodes[check->depth - 2];
        check->open_nodes[check->depth - 1] = index;
        tree->nodes[index] = (struct dtb_index_entry){.offset = offset, .parent = parent};
    }
    if (check->nodes > DTB_INDEXED_NODES) {
        return;
    }
    if (token->kind == FDT_END_NODE) {
        tree->nodes[check->open_nodes[check->depth]].after = token->next;
    } else if (token->kind == FDT_PROP) {
        note_property(tree, token, offset, &tree->nodes[check->open_nodes[check->depth - 1]]);
    } else if (token->kind == FDT_END) {
        tree->node_count = check->nodes;
    }
}

static enum nx_status check_structure(struct dtb *tree)
{
    struct structure_check check = {0};
    uint32_t offset = 0;
    for (;;) {
        struct token token;
        enum nx_status status = decode_token(tree, offset, &token);
        if (status != NX_OK) {
            return status;
        }
        if (token.kind == FDT_BEGIN_NODE && !check.root_seen) {
            tree->root_offset = offset;
        }
        status = check_token(&check, &token);
        if (status == NX_OK) {
            index_token(tree, &check, &token, offset);
        }
        if (status != NX_OK || token.kind == FDT_END) {
            return status;
        }
        offset = token.next;
    }
}

enum nx_status dtb_open(struct dtb *tree, const void *blob, size_t size)
{
    const uint8_t *bytes = blob;
    *tree = (struct dtb){0};
    enum nx_status status = open_header(tree, bytes, size);
    if (status == NX_OK) {
        status = locate_reservations(tree, bytes);
    }
    if (status == NX_OK) {
        status = check_structure(tree);
    }
    if (status != NX_OK) {
        *tree = (struct dtb){0};
    }
    return status;
}

enum nx_status dtb_reservation(const struct dtb *tree, uint32_t index, struct dtb_range *range)
{
    if (index >= tree->reservation_count) {
        return NX_ERR_OUT_OF_RANGE;
    }
    const uint8_t *entry = tree->reservations + index * FDT_RESERVE_ENTRY_SIZE;
    struct dtb_range found = {.base = read_be64(entry), .size = read_be64(entry + 8)};
    if (found.size > UINT64_MAX - found.base) {
        return NX_ERR_OVERFLOW;
    }
    *range = found;
    return NX_OK;
}

// ---- walking ----

struct dtb_node dtb_root(const struct dtb *tree)
{
    return tree->structure_size == 0 ? DTB_NODE_NONE : (struct dtb_node){tree->root_offset};
}

// The node's entry in the index; NULL: there is no index, or no such node.
static const struct dtb_index_entry *find_entry(const struct dtb *tree, struct dtb_node node)
{
    uint32_t first = 0;
    uint32_t count = tree->node_count;
    while (count > 0) {
        const struct dtb_index_entry *middle = &tree->nodes[first + count / 2];
        if (middle->offset == node.offset) {
            return middle;
        }
        if (middle->offset < node.offset) {
            first += count / 2 + 1;
            count -= count / 2 + 1;
        } else {
            count /= 2;
        }
    }
    return NULL;
}

// Returns the node that begins at `offset` or after only properties and NOPs from there.
static struct dtb_node node_from(const struct dtb *tree, uint32_t offset)
{
    struct token token;
    while (walk_token(tree, offset, &token) && token.kind != FDT_END_NODE) {
        if (token.kind == FDT_BEGIN_NODE) {
            return (struct dtb_node){offset};
        }
        offset = token.next;
    }
    return DTB_NODE_NONE;
}

struct dtb_node dtb_first_child(const struct dtb *tree, struct dtb_node node)
{
    struct token token;
    if (!walk_token(tree, node.offset, &token)) {
        return DTB_NODE_NONE;
    }
    return node_from(tree, token.next);
}

struct dtb_node dtb_next_sibling(const struct dtb *tree, struct dtb_node node)
{
    const struct dtb_index_entry *entry = find_entry(tree, node);
    if (entry != NULL) {
        return node_from(tree, entry->after);
    }
    uint32_t offset = node.offset;
    uint32_t depth = 0;
    struct token token;
    while (walk_token(tree, offset, &token)) {
        offset = token.next;
        if (token.kind == FDT_BEGIN_NODE) {
            depth++;
        } else if (token.kind == FDT_END_NODE && --depth == 0) {
            return node_from(tree, offset);
        }
    }
    return DTB_NODE_NONE;
}

struct dtb_node dtb_next_node(const struct dtb *tree, struct dtb_node node)
{
    if (!dtb_node_exists(node)) {
        return dtb_root(tree);
    }
    const struct dtb_index_entry *entry = find_entry(tree, node);
    if (entry != NULL) {
        bool last = entry == &tree->nodes[tree->node_count - 1];
        return last ? DTB_NODE_NONE : (struct dtb_node){entry[1].offset};
    }
    uint32_t offset = node.offset;
    struct token token;
    while (walk_token(tree, offset, &token)) {
        if (token.kind == FDT_BEGIN_NODE && offset != node.offset) {
            return (struct dtb_node){offset};
        }
        offset = token.next;
    }
    return DTB_NODE_NONE;
}

struct dtb_node dtb_parent(const struct dtb *tree, struct dtb_node node)
{
    const struct dtb_index_entry *entry = find_entry(tree, node);
    if (entry != NULL) {
        const struct dtb_index_entry *parent = &tree->nodes[entry->parent];
        return parent == entry ? DTB_NODE_NONE : (struct dtb_node){parent->offset};
    }
    uint32_t open_nodes[DTB_MAX_DEPTH];
    uint32_t depth = 0;
    uint32_t offset = tree->root_offset;
    struct token token;
    while (offset <= node.offset && walk_token(tree, offset, &token)) {
        if (token.kind == FDT_BEGIN_NODE) {
            if (offset == node.offset) {
                return depth == 0 ? DTB_NODE_NONE : (struct dtb_node){open_nodes[depth - 1]};
            }
            open_nodes[depth++] = offset;
        } else if (token.kind == FDT_END_NODE) {
            depth--;
        }
        offset = token.next;
    }
    return DTB_NODE_NONE;
}

const char *dtb_node_name(const struct dtb *tree, struct dtb_node node)
{
    struct token token;
    if (!walk_token(tree, node.offset, &token)) {
        return "";
    }
    return (const char *)tree->structure + token.data;
}

// ---- properties ----

// Returns the property at `offset` or after only NOPs from there.
static bool property_from(const struct dtb *tree, uint32_t offset, struct dtb_property *property)
{
    struct token token;
    while (walk_token(tree, offset, &token)) {
        if (token.kind == FDT_PROP) {
            *property = (struct dtb_property){
                .name = (const char *)tree->strings + token.name_offset,
                .data = tree->structure + token.data,
                .length = token.length,
                .offset = offset,
            };
            return true;
        }
        if (token.kind != FDT_NOP) {
            return false;
        }
        offset = token.next;
    }
    return false;
}

bool dtb_first_property(const struct dtb *tree, struct dtb_node node, struct dtb_property *property)
{
    struct token token;
    return walk_token(tree, node.offset, &token) && property_from(tree, token.next, property);
}

bool dtb_next_property(const struct dtb *tree, struct dtb_property *property)
{
    struct token token;
    return walk_token(tree, property->offset, &token) && property_from(tree, token.next, property);
}

bool dtb_find_property(const struct dtb *tree, struct dtb_node node, const char *name,
                       struct dtb_property *property)
{
    const unsigned which = indexed_property(name);
    const struct dtb_index_entry *entry =
        which < DTB_INDEXED_PROPERTIES ? find_entry(tree, node) : NULL;
    if (entry != NULL) {
        uint32_t offset = entry->properties[which];
        return offset != 0 && property_from(tree, offset, property);
    }
    struct dtb_property candidate;
    bool more = dtb_first_property(tree, node, &candidate);
    while (more) {
        if (strcmp(candidate.name, name) == 0) {
            *property = candidate;
            return true;
        }
        more = dtb_next_property(tree, &candidate);
    }
    return false;
}
