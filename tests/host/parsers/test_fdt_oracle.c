// SPDX-License-Identifier: Apache-2.0
// Compares the device tree reader with libfdt: on the trees named on the command line, everything
// must be the same; on mutations of them the reader must stay inside the blob (each mutation lies
// in an allocation of exactly its size), and what both accept must be the same in both.
//
// A mismatch writes the blob to fdt-mismatch.dtb in the working directory.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <libfdt.h>

#include "parsers/fdt_exercise.h"
#include "parsers/mutate.h"

#define MUTATIONS   20000u
#define HEADER_SIZE 40u
#define PATH_SIZE   4096

static char **tree_paths;
static int tree_count;

static char mismatch[512];

// One comparison of a blob. Nodes whose number is `phase` modulo `stride` get the costly look-ups.
struct comparison {
    struct dtb tree;
    const void *blob;
    uint32_t stride;
    uint32_t phase;
    uint32_t node_number;
    int oracle_node; // libfdt's cursor in its own walk of the tree
    int oracle_depth;
};

#define REQUIRE(condition, node)                                                                   \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            snprintf(mismatch, sizeof(mismatch), "%s:%d: node at %u: %s", __func__, __LINE__,      \
                     (unsigned)(node).offset, #condition);                                         \
            return false;                                                                          \
        }                                                                                          \
    } while (0)

// libfdt's answer as a node: all its errors are "none".
static struct dtb_node oracle_result(int offset)
{
    return offset < 0 ? DTB_NODE_NONE : (struct dtb_node){(uint32_t)offset};
}

static bool same_node(struct dtb_node a, struct dtb_node b)
{
    return a.offset == b.offset;
}

static bool compare_strings(struct comparison *c, struct dtb_node node,
                            const struct dtb_property *first_of_name)
{
    int offset = (int)node.offset;
    for (uint32_t i = 0; i < 3; i++) {
        const char *ours = NULL;
        const char *theirs = fdt_stringlist_get(c->blob, offset, first_of_name->name, (int)i, NULL);
        if (dtb_property_string(first_of_name, i, &ours) != NX_OK) {
            ours = NULL;
        }
        REQUIRE(ours == theirs, node);
        // libfdt looks one byte past a list whose last string has no NUL: compare sound lists only.
        if (theirs != NULL && first_of_name->data[first_of_name->length - 1] == 0) {
            REQUIRE(dtb_property_contains(first_of_name, theirs), node);
            char longer[64];
            snprintf(longer, sizeof(longer), "%.60sx", theirs);
            REQUIRE(dtb_property_contains(first_of_name, longer) ==
                        (fdt_stringlist_search(c->blob, offset, first_of_name->name, longer) >= 0),
                    node);
        }
    }
    return true;
}

static bool compare_properties(struct comparison *c, struct dtb_node node)
{
    struct dtb_property ours;
    bool more = dtb_first_property(&c->tree, node, &ours);
    int offset;
    fdt_for_each_property_offset(offset, c->blob, (int)node.offset)
    {
        const char *name;
        int length;
        const void *data = fdt_getprop_by_offset(c->blob, offset, &name, &length);
        REQUIRE(more && data != NULL, node);
        REQUIRE(ours.offset == (uint32_t)offset && ours.length == (uint32_t)length, node);
        REQUIRE(ours.name == name && ours.data == data, node);
        struct dtb_property found;
        REQUIRE(dtb_find_property(&c->tree, node, name, &found), node);
        REQUIRE(found.data == fdt_getprop(c->blob, (int)node.offset, name, &length), node);
        REQUIRE(found.length == (uint32_t)length, node);
        if (!compare_strings(c, node, &found)) {
            return false;
        }
        more = dtb_next_property(&c->tree, &ours);
    }
    REQUIRE(!more, node);
    return true;
}

static uint64_t oracle_number(const fdt32_t *cells, int count)
{
    uint64_t number = 0;
    for (int i = 0; i < count; i++) {
        number = number << 32 | fdt32_to_cpu(cells[i]);
    }
    return number;
}

// Compares the first pair of `reg`, where libfdt can tell the parent's cells.
static bool compare_reg(struct comparison *c, struct dtb_node node)
{
    int length;
    const fdt32_t *cells = fdt_getprop(c->blob, (int)node.offset, "reg", &length);
    int parent = fdt_parent_offset(c->blob, (int)node.offset);
    if (cells == NULL || parent < 0) {
        return true;
    }
    int address_cells = fdt_address_cells(c->blob, parent);
    int size_cells = fdt_size_cells(c->blob, parent);
    if (address_cells < 1 || address_cells > 2 || size_cells < 0 || size_cells > 2) {
        return true;
    }
    struct dtb_range range;
    enum nx_status status = dtb_reg(&c->tree, node, 0, &range);
    if (length == 0) {
        REQUIRE(status == NX_ERR_OUT_OF_RANGE, node);
        return true;
    }
    if (length % (4 * (address_cells + size_cells)) != 0) {
        REQUIRE(status == NX_ERR_BAD_FORMAT, node);
        return true;
    }
    uint64_t base = oracle_number(cells, address_cells);
    uint64_t size = oracle_number(cells + address_cells, size_cells);
    if (base + size < base) {
        REQUIRE(status == NX_ERR_OVERFLOW, node);
        return true;
    }
    REQUIRE(status == NX_OK && range.base == base && range.size == size, node);
    return true;
}

static bool compare_look_ups(struct comparison *c, struct dtb_node node)
{
    static char path[PATH_SIZE];
    int offset = (int)node.offset;
    REQUIRE(
        same_node(dtb_parent(&c->tree, node), oracle_result(fdt_parent_offset(c->blob, offset))),
        node);
    uint32_t phandle = fdt_get_phandle(c->blob, offset);
    REQUIRE(dtb_phandle(&c->tree, node) == phandle, node);
    REQUIRE(same_node(dtb_find_phandle(&c->tree, phandle),
                      oracle_result(fdt_node_offset_by_phandle(c->blob, phandle))),
            node);
    if (fdt_get_path(c->blob, offset, path, sizeof(path)) == 0) {
        REQUIRE(
            same_node(dtb_find_path(&c->tree, path), oracle_result(fdt_path_offset(c->blob, path))),
            node);
        // The same without the last unit address, and with a piece cut off.
        path[strcspn(path, "@")] = 0;
        REQUIRE(
            same_node(dtb_find_path(&c->tree, path), oracle_result(fdt_path_offset(c->blob, path))),
            node);
        int length = (int)strlen(path) - 1;
        REQUIRE(length < 1 ||
                    same_node(dtb_find_path_bounded(&c->tree, path, (size_t)length),
                              oracle_result(fdt_path_offset_namelen(c->blob, path, length))),
                node);
    }
    const char *text = fdt_stringlist_get(c->blob, offset, "device_type", 0, NULL);
    if (text != NULL) {
        bool found = false;
        struct dtb_node each = dtb_next_device_type(&c->tree, DTB_NODE_NONE, text);
        while (dtb_node_exists(each)) {
            found = found || same_node(each, node);
            each = dtb_next_device_type(&c->tree, each, text);
        }
        REQUIRE(found, node);
    }
    return compare_reg(c, node);
}

// Moves libfdt's cursor to its next node; -1 after the last, where libfdt returns an offset past
// the root and a negative depth.
static void oracle_advance(struct comparison *c)
{
    c->oracle_node = fdt_next_node(c->blob, c->oracle_node, &c->oracle_depth);
    if (c->oracle_depth < 0) {
        c->oracle_node = -1;
    }
}

// Compares the subtree at `node` and leaves libfdt's cursor after it.
static bool compare_subtree(struct comparison *c, struct dtb_node node, int depth)
{
    REQUIRE(c->oracle_node == (int)node.offset && c->oracle_depth == depth, node);
    int length;
    REQUIRE(dtb_node_name(&c->tree, node) == fdt_get_name(c->blob, (int)node.offset, &length),
            node);
    if (!compare_properties(c, node)) {
        return false;
    }
    if (c->node_number++ % c->stride == c->phase && !compare_look_ups(c, node)) {
        return false;
    }
    oracle_advance(c);
    REQUIRE(same_node(dtb_next_node(&c->tree, node), oracle_result(c->oracle_node)), node);
    struct dtb_node child = dtb_first_child(&c->tree, node);
    while (dtb_node_exists(child)) {
        if (!compare_subtree(c, child, depth + 1)) {
            return false;
        }
        child = dtb_next_sibling(&c->tree, child);
    }
    return true;
}

// libfdt ends the list at the first entry of size 0; we, as the specification says, at one whose
// address is 0 too. Up to libfdt's end the lists are the same.
static bool compare_reservations(struct comparison *c)
{
    int count = fdt_num_mem_rsv(c->blob);
    struct dtb_range last = {0};
    REQUIRE(count >= 0 && count <= (int)c->tree.reservation_count, DTB_NODE_NONE);
    REQUIRE(dtb_reservation(&c->tree, (uint32_t)count, &last) == NX_ERR_OUT_OF_RANGE ||
                (last.base != 0 && last.size == 0),
            DTB_NODE_NONE);
    for (int i = 0; i < count; i++) {
        uint64_t base;
        uint64_t size;
        struct dtb_range range;
        REQUIRE(fdt_get_mem_rsv(c->blob, i, &base, &size) == 0, DTB_NODE_NONE);
        enum nx_status status = dtb_reservation(&c->tree, (uint32_t)i, &range);
        if (base + size < base) {
            REQUIRE(status == NX_ERR_OVERFLOW, DTB_NODE_NONE);
        } else {
            REQUIRE(status == NX_OK && range.base == base && range.size == size, DTB_NODE_NONE);
        }
    }
    return true;
}

// For each string of each sound "compatible": the same nodes in the same order.
static bool compare_compatible(struct comparison *c)
{
    struct dtb_node node = dtb_root(&c->tree);
    while (dtb_node_exists(node)) {
        struct dtb_property list;
        if (dtb_find_property(&c->tree, node, "compatible", &list) &&
            (list.length == 0 || list.data[list.length - 1] != 0)) {
            return true; // see compare_strings()
        }
        node = dtb_next_node(&c->tree, node);
    }
    node = dtb_root(&c->tree);
    while (dtb_node_exists(node)) {
        const char *text;
        if (dtb_read_string(&c->tree, node, "compatible", &text) == NX_OK) {
            int theirs = -1;
            struct dtb_node ours = DTB_NODE_NONE;
            do {
                theirs = fdt_node_offset_by_compatible(c->blob, theirs, text);
                ours = dtb_next_compatible(&c->tree, ours, text);
                REQUIRE(same_node(ours, oracle_result(theirs)), node);
            } while (dtb_node_exists(ours));
        }
        node = dtb_next_node(&c->tree, node);
    }
    return true;
}

// Compares all that both readers can say about an accepted blob.
static bool compare_blob(const struct dtb *tree, const void *blob, uint32_t stride, uint32_t phase)
{
    struct comparison c = {.tree = *tree,
                           .blob = blob,
                           .stride = stride,
                           .phase = phase,
                           .oracle_node = -1,
                           .oracle_depth = -1};
    oracle_advance(&c);
    if (!compare_subtree(&c, dtb_root(tree), 0) || !compare_reservations(&c)) {
        return false;
    }
    REQUIRE(c.oracle_node < 0, DTB_NODE_NONE);
    return stride != 1 || compare_compatible(&c);
}

static void fail_with_blob(const char *path, unsigned number, const uint8_t *blob, size_t size)
{
    FILE *file = fopen("fdt-mismatch.dtb", "wb");
    if (file != NULL) {
        fwrite(blob, 1, size, file);
        fclose(file);
    }
    fail_msg("%s, mutation %u: %s", path, number, mismatch);
}

static void test_every_node_and_property_equals_libfdts(void **state)
{
    (void)state;
    for (int i = 0; i < tree_count; i++) {
        struct bytes file = bytes_from_file(tree_paths[i]);
        uint8_t *blob = bytes_exact_copy(file.data, file.size);
        struct dtb tree;
        assert_int_equal(fdt_check_full(blob, file.size), 0);
        assert_int_equal(dtb_open(&tree, blob, file.size), NX_OK);
        if (!compare_blob(&tree, blob, 1, 0)) {
            fail_with_blob(tree_paths[i], 0, blob, file.size);
        }
        fdt_exercise(&tree, 1, 0);
        // As if the tree had more nodes than the index takes.
        tree.node_count = 0;
        if (!compare_blob(&tree, blob, 1, 0)) {
            fail_with_blob(tree_paths[i], 0, blob, file.size);
        }
        free(blob);
        free(file.data);
    }
}

// The same tree with its structure block at the end of the blob, where the compilers put the
// strings: so that reading past either block reads past the allocation.
static struct bytes structure_last(const struct bytes *packed)
{
    const uint8_t *old = packed->data;
    struct bytes made = {malloc(packed->size + 8), 0};
    uint32_t strings_size = fdt_size_dt_strings(old);
    uint32_t strings = fdt_off_dt_struct(old); // header and reservations stay where they are
    uint32_t structure = (strings + strings_size + 3) & ~3u;
    assert_non_null(made.data);
    memset(made.data, 0, packed->size + 8);
    memcpy(made.data, old, strings);
    memcpy(made.data + strings, old + fdt_off_dt_strings(old), strings_size);
    memcpy(made.data + structure, old + fdt_off_dt_struct(old), fdt_size_dt_struct(old));
    made.size = structure + fdt_size_dt_struct(old);
    store_be32(made.data + 4, (uint32_t)made.size);
    store_be32(made.data + 8, structure);
    store_be32(made.data + 12, strings);
    return made;
}

// Makes one mutation of `base`: a new size for the allocation, a total size that may match it,
// bytes.
static uint8_t *make_mutation(const struct bytes *base, uint64_t *random, size_t *size)
{
    size_t kind = prng_below(random, 8);
    *size = base->size;
    if (kind == 0) {
        *size = prng_below(random, base->size + 1);
    }
    uint8_t *blob = bytes_exact_copy(base->data, *size);
    if (kind == 0 && *size >= 8 && prng_below(random, 2) == 0) {
        store_be32(blob + 4, (uint32_t)*size); // totalsize
    }
    if (kind != 0 || prng_below(random, 2) == 0) {
        mutate_bytes(blob, *size, HEADER_SIZE, random);
    }
    return blob;
}

struct tally {
    unsigned both;
    unsigned only_ours;
    unsigned only_libfdt;
    unsigned neither;
};

// Asks libfdt. Not about blobs that say they are older than version 16: libfdt 1.6.1 then follows a
// null pointer in fdt_check_full(), and our reader refuses them anyway.
static bool oracle_accepts(const uint8_t *blob, size_t size)
{
    return size >= HEADER_SIZE && fdt_version(blob) >= 16 && fdt_check_full(blob, size) == 0;
}

static void check_mutation(const char *path, unsigned number, const uint8_t *blob, size_t size,
                           struct tally *tally)
{
    struct dtb tree;
    uint32_t total;
    bool ours = dtb_open(&tree, blob, size) == NX_OK;
    bool theirs = oracle_accepts(blob, size);
    assert_true(!ours || dtb_peek_size(blob, size, &total) == NX_OK);
    *(ours ? (theirs ? &tally->both : &tally->only_ours)
           : (theirs ? &tally->only_libfdt : &tally->neither)) += 1;
    if (number % 16 == 0) {
        tree.node_count = 0; // as if it had more nodes than the index takes
    }
    fdt_exercise(&tree, 16, number);
    // libfdt takes the root to be at offset 0, where a NOP may come first.
    if (ours && theirs && dtb_root(&tree).offset == 0 &&
        !compare_blob(&tree, blob, 16, number % 16)) {
        fail_with_blob(path, number, blob, size);
    }
}

static void test_mutated_trees_stay_in_bounds_and_agree_with_libfdt(void **state)
{
    (void)state;
    for (int i = 0; i < tree_count; i++) {
        struct bytes base = bytes_from_file(tree_paths[i]);
        assert_int_equal(fdt_pack(base.data), 0);
        base.size = fdt_totalsize(base.data);
        struct bytes reordered = structure_last(&base);
        struct tally tally = {0};
        uint64_t random = 247;
        for (unsigned number = 0; number < MUTATIONS; number++) {
            size_t size;
            uint8_t *blob = make_mutation(number % 2 == 0 ? &base : &reordered, &random, &size);
            check_mutation(tree_paths[i], number, blob, size, &tally);
            free(blob);
        }
        print_message("%s: accepted by both %u, only ours %u, only libfdt %u, neither %u\n",
                      tree_paths[i], tally.both, tally.only_ours, tally.only_libfdt, tally.neither);
        // A test of mutations that are all refused, or none, would say little.
        assert_true(tally.both > MUTATIONS / 20);
        assert_true(tally.neither > MUTATIONS / 20);
        assert_int_equal(tally.only_ours, 0);
        free(reordered.data);
        free(base.data);
    }
}

static void test_every_truncation_is_refused(void **state)
{
    (void)state;
    for (int i = 0; i < tree_count; i++) {
        struct bytes base = bytes_from_file(tree_paths[i]);
        assert_int_equal(fdt_pack(base.data), 0);
        size_t full = fdt_totalsize(base.data);
        for (size_t size = 0; size < full; size++) {
            uint8_t *blob = bytes_exact_copy(base.data, size);
            struct dtb tree;
            assert_int_equal(dtb_open(&tree, blob, size), NX_ERR_TRUNCATED);
            assert_false(dtb_node_exists(dtb_root(&tree)));
            free(blob);
        }
        free(base.data);
    }
}

int main(int argc, char **argv)
{
    tree_paths = argv + 1;
    tree_count = argc - 1;
    if (tree_count < 1) {
        fprintf(stderr, "usage: %s TREE.dtb...\n", argv[0]);
        return 1;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_node_and_property_equals_libfdts),
        cmocka_unit_test(test_every_truncation_is_refused),
        cmocka_unit_test(test_mutated_trees_stay_in_bounds_and_agree_with_libfdt),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
