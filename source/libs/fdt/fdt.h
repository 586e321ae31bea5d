// SPDX-License-Identifier: Apache-2.0
// Reader of flattened device trees (Devicetree Specification 0.4, chapter 5; blobs of version 17
// and of version 16), made for hostile input.
//
// Life cycle: dtb_open() checks the header, the reservation block and the whole structure block
// once. After it has succeeded every walk ends, stays inside the blob and cannot fail; only the
// *content* of a property can still be malformed, which the readers of values report. Nothing is
// allocated or copied: names and data point into the blob, which the caller keeps unchanged as long
// as the `struct dtb` or anything obtained from it is in use. No locks: an opened tree is constant
// and may be read by any number of harts at once.
//
//     struct dtb tree;
//     status = dtb_open(&tree, blob, mapped_size);
//     for (n = dtb_next_compatible(&tree, DTB_NODE_NONE, "virtio,mmio"); dtb_node_exists(n);
//          n = dtb_next_compatible(&tree, n, "virtio,mmio"))
//         if (dtb_is_available(&tree, n))
//             status = dtb_mmio(&tree, n, 0, &window);
//
// Functions that look for a node return DTB_NODE_NONE when there is none, and take DTB_NODE_NONE
// for a node without children, siblings and properties, so look-ups can be chained and checked
// once. Cost: dtb_open() decodes the blob once and notes where its nodes are, so that walking from
// node to node and finding parents and phandles decodes nothing again; what looks at properties is
// linear in those of the nodes it visits. A tree of more than DTB_INDEXED_NODES nodes is walked in
// the blob itself: there each step is linear in the blob's size, which is at most DTB_MAX_SIZE.
#ifndef FDT_FDT_H
#define FDT_FDT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "nexus/status.h"

#define DTB_MAX_SIZE            (2u * 1024u * 1024u) // bytes; QEMU pads its own tree to 1 MiB
#define DTB_MAX_DEPTH           16u                  // nodes from the root to a leaf, both counted
#define DTB_INDEXED_NODES       64u
#define DTB_MAX_INTERRUPT_CELLS 4u     // cells of one interrupt specifier
#define DTB_MAX_INTERRUPTS_SIZE 16384u // bytes of interrupts(-extended) of one node

// Properties by which nodes are looked for.
enum dtb_indexed_property {
    DTB_INDEXED_COMPATIBLE,
    DTB_INDEXED_DEVICE_TYPE,
    DTB_INDEXED_PROPERTIES,
};

// One node, as dtb_open() met it.
struct dtb_index_entry {
    uint32_t offset;          // of its FDT_BEGIN_NODE in the structure block
    uint32_t after;           // offset after its FDT_END_NODE
    uint32_t phandle;         // 0: none
    uint8_t phandle_strength; // of the property that gave it: "phandle" before "linux,phandle"
    uint8_t parent;           // index of its entry; its own for the root
    uint32_t properties[DTB_INDEXED_PROPERTIES]; // offsets of their FDT_PROP, 0: none
};

// All fields are constant after dtb_open() and private to the reader.
struct dtb {
    const uint8_t *structure;    // structure block (spec 5.4)
    const uint8_t *strings;      // strings block (spec 5.5)
    const uint8_t *reservations; // memory reservation block (spec 5.3)
    uint32_t structure_size;     // bytes
    uint32_t strings_size;       // bytes, up to and with the block's last NUL
    uint32_t reservation_count;  // entries before the terminator
    uint32_t total_size;         // bytes of the whole blob, as its header says
    uint32_t root_offset;        // of the root's FDT_BEGIN_NODE in the structure block
    uint32_t node_count;         // entries of `nodes`; 0: there are more nodes than fit
    struct dtb_index_entry nodes[DTB_INDEXED_NODES]; // in the order of the blob
};

// A node: the offset of its FDT_BEGIN_NODE token in the structure block. Only meaningful together
// with the tree that it came from.
struct dtb_node {
    uint32_t offset;
};

#define DTB_NODE_NONE ((struct dtb_node){UINT32_MAX})

struct dtb_property {
    const char *name;    // NUL-terminated, in the blob
    const uint8_t *data; // in the blob, of any alignment
    uint32_t length;     // bytes of data
    uint32_t offset;     // private: of the FDT_PROP token, for dtb_next_property()
};

// A range of addresses: [base, base + size), where base + size does not overflow.
struct dtb_range {
    uint64_t base; // bytes
    uint64_t size; // bytes
};

// One interrupt of a node: a specifier, to be understood as `controller` defines it.
struct dtb_interrupt {
    struct dtb_node controller;
    uint32_t controller_phandle; // 0 when the controller was found as an ancestor and has none
    uint32_t cell_count;         // 1 .. DTB_MAX_INTERRUPT_CELLS
    uint32_t cells[DTB_MAX_INTERRUPT_CELLS];
};

// Position in the interrupts of one node. Private to the reader.
struct dtb_interrupt_cursor {
    struct dtb_property property; // `interrupts` or `interrupts-extended`
    uint32_t next_cell;           // index of the first cell not consumed
    bool extended;                // each specifier is preceded by its controller's phandle
    struct dtb_interrupt common;  // controller of every specifier when not extended
};

// ---- opening ----

// Reads the blob's total size from the first 8 of `size` bytes, so that a caller who has mapped
// only the start knows how much to map. Nothing but the magic number is checked. NX_ERR_TRUNCATED:
// size < 8. NX_ERR_BAD_FORMAT: no device tree. NX_ERR_TOO_LARGE: over DTB_MAX_SIZE.
NX_MUST_CHECK enum nx_status dtb_peek_size(const void *blob, size_t size, uint32_t *total_size);

// Checks the blob, of which `size` bytes may be read, and makes `tree` a view of it. On failure
// `tree` is an empty tree: it has no root. NX_ERR_TRUNCATED: the blob or one of its blocks ends too
// early. NX_ERR_BAD_FORMAT: wrong magic, misaligned block, malformed structure. NX_ERR_UNSUPPORTED:
// version older than 16, or one that says it is not compatible with 17. NX_ERR_TOO_LARGE: over
// DTB_MAX_SIZE or deeper than DTB_MAX_DEPTH.
NX_MUST_CHECK enum nx_status dtb_open(struct dtb *tree, const void *blob, size_t size);

// Reads entry `index` of the memory reservation block.
// NX_ERR_OUT_OF_RANGE: there are not that many. NX_ERR_OVERFLOW: the entry's end is past 2^64 - 1.
NX_MUST_CHECK enum nx_status dtb_reservation(const struct dtb *tree, uint32_t index,
                                             struct dtb_range *range);

// ---- walking ----

static inline bool dtb_node_exists(struct dtb_node node)
{
    return node.offset != UINT32_MAX;
}

struct dtb_node dtb_root(const struct dtb *tree);
struct dtb_node dtb_first_child(const struct dtb *tree, struct dtb_node node);
struct dtb_node dtb_next_sibling(const struct dtb *tree, struct dtb_node node);
struct dtb_node dtb_parent(const struct dtb *tree, struct dtb_node node);

// The node after `node` in the order of the blob (parents before children); the root after
// DTB_NODE_NONE.
struct dtb_node dtb_next_node(const struct dtb *tree, struct dtb_node node);

// The node's name with its unit address ("" for the root and for DTB_NODE_NONE), in the blob.
const char *dtb_node_name(const struct dtb *tree, struct dtb_node node);

// Finds a node by path: "/soc/uart@10000000", or "serial0/child" where the first part is a property
// of /aliases. A part without '@' also matches a node that has a unit address; the first match
// counts.
struct dtb_node dtb_find_path(const struct dtb *tree, const char *path);

// As dtb_find_path(), for a path of `length` characters that needs no NUL.
struct dtb_node dtb_find_path_bounded(const struct dtb *tree, const char *path, size_t length);

// The first node after `after` (in the order of the blob; DTB_NODE_NONE: from the root on) that
// lists `compatible`.
struct dtb_node dtb_next_compatible(const struct dtb *tree, struct dtb_node after,
                                    const char *compatible);

// The first node after `after` whose device_type is `device_type` ("cpu", "memory").
struct dtb_node dtb_next_device_type(const struct dtb *tree, struct dtb_node after,
                                     const char *device_type);

// The node whose `phandle` (or old `linux,phandle`) is `phandle`. 0 and 2^32 - 1 are nobody's.
struct dtb_node dtb_find_phandle(const struct dtb *tree, uint32_t phandle);

// The node's phandle; 0 when it has none.
uint32_t dtb_phandle(const struct dtb *tree, struct dtb_node node);

// The node that /chosen names as console in `stdout-path` (else `linux,stdout-path`): a path or an
// alias, where ":115200" and the like are left out.
struct dtb_node dtb_find_stdout(const struct dtb *tree);

// ---- properties ----

// Start with the first, go on with the next, until false. A failed call leaves `property`
// unchanged.
bool dtb_first_property(const struct dtb *tree, struct dtb_node node,
                        struct dtb_property *property);
bool dtb_next_property(const struct dtb *tree, struct dtb_property *property);

// Finds the node's first property of that name; false leaves `property` unchanged.
bool dtb_find_property(const struct dtb *tree, struct dtb_node node, const char *name,
                       struct dtb_property *property);

// Reads the big-endian 32-bit cell `index`. NX_ERR_OUT_OF_RANGE: the data has no such whole cell.
NX_MUST_CHECK enum nx_status dtb_property_cell(const struct dtb_property *property, uint32_t index,
                                               uint32_t *value);

// Returns string `index` of a list of strings, in the blob.
// NX_ERR_OUT_OF_RANGE: the list is shorter. NX_ERR_BAD_FORMAT: it ends without a NUL before or in
// that string.
NX_MUST_CHECK enum nx_status dtb_property_string(const struct dtb_property *property,
                                                 uint32_t index, const char **string);

// Whether `string` is one of a list of strings. An unterminated last string never matches.
bool dtb_property_contains(const struct dtb_property *property, const char *string);

// The following read a property of a node by name. NX_ERR_NOT_FOUND: the node has no such property.
// NX_ERR_BAD_FORMAT: it has another length than that type, or no NUL.
NX_MUST_CHECK enum nx_status dtb_read_u32(const struct dtb *tree, struct dtb_node node,
                                          const char *name, uint32_t *value);
NX_MUST_CHECK enum nx_status dtb_read_u64(const struct dtb *tree, struct dtb_node node,
                                          const char *name, uint64_t *value);
// One or two cells, whichever the property holds (linux,initrd-start, timebase-frequency).
NX_MUST_CHECK enum nx_status dtb_read_number(const struct dtb *tree, struct dtb_node node,
                                             const char *name, uint64_t *value);
// The first string of the property, in the blob.
NX_MUST_CHECK enum nx_status dtb_read_string(const struct dtb *tree, struct dtb_node node,
                                             const char *name, const char **string);

bool dtb_is_compatible(const struct dtb *tree, struct dtb_node node, const char *compatible);

// Whether the node may be used: it exists and has no `status`, or "okay" or "ok".
bool dtb_is_available(const struct dtb *tree, struct dtb_node node);

// Whether a cpu node names a hart's extension of several letters ("zbb"), in riscv,isa-extensions
// or in riscv,isa.
bool dtb_cpu_has_extension(const struct dtb *tree, struct dtb_node cpu, const char *extension);

// ---- addresses ----

// Reads pair `index` of `reg`, in addresses of the node's parent bus, by the parent's
// #address-cells and #size-cells (2 and 1 when absent; with #size-cells 0, as under /cpus, size is
// 0). NX_ERR_NOT_FOUND: no `reg`. NX_ERR_OUT_OF_RANGE: fewer pairs. NX_ERR_BAD_FORMAT: not a whole
// number of pairs. NX_ERR_UNSUPPORTED: more than two cells. NX_ERR_OVERFLOW: base + size is past
// 2^64 - 1.
NX_MUST_CHECK enum nx_status dtb_reg(const struct dtb *tree, struct dtb_node node, uint32_t index,
                                     struct dtb_range *range);

// As dtb_reg(), as the hart sees it: translated through the `ranges` of every bus up to the root.
// NX_ERR_UNSUPPORTED also: a bus without `ranges` is not memory mapped. NX_ERR_OUT_OF_RANGE also:
// no entry of `ranges` holds the whole range.
NX_MUST_CHECK enum nx_status dtb_mmio(const struct dtb *tree, struct dtb_node node, uint32_t index,
                                      struct dtb_range *range);

// ---- interrupts ----

// Puts `cursor` before the node's first interrupt: of `interrupts-extended` if it has one, else of
// `interrupts`, whose controller is found by `interrupt-parent` in the node or its nearest
// ancestor, or is the nearest ancestor with #interrupt-cells. interrupt-map is not followed.
// NX_ERR_NOT_FOUND: no interrupts. NX_ERR_BAD_FORMAT: not whole cells, or no controller.
// NX_ERR_UNSUPPORTED: specifiers of over DTB_MAX_INTERRUPT_CELLS. NX_ERR_TOO_LARGE: over
// DTB_MAX_INTERRUPTS_SIZE (each interrupt may cost a search for its controller).
NX_MUST_CHECK enum nx_status dtb_interrupts_start(const struct dtb *tree, struct dtb_node node,
                                                  struct dtb_interrupt_cursor *cursor);

// Returns the next interrupt. NX_ERR_OUT_OF_RANGE: that was the last. NX_ERR_BAD_FORMAT: half a
// specifier, or a phandle of no controller. NX_ERR_UNSUPPORTED: as above. On failure the cursor
// stays where it is.
NX_MUST_CHECK enum nx_status dtb_interrupts_next(const struct dtb *tree,
                                                 struct dtb_interrupt_cursor *cursor,
                                                 struct dtb_interrupt *interrupt);

// Returns the node's first interrupt; errors as of the two above.
NX_MUST_CHECK enum nx_status dtb_first_interrupt(const struct dtb *tree, struct dtb_node node,
                                                 struct dtb_interrupt *interrupt);

#endif
