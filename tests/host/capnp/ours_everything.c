// SPDX-License-Identifier: Apache-2.0
// Every field of the test-only schema through our accessors. The order is the schema's.
#include <string.h>

#include "everything.capnp.h"
#include "ours.h"
#include "walk.h"

_Static_assert(EVERYTHING_ANSWER == 42, "the schema's constant");

// --- elements ---

#define DUMP_ELEMENT(name, getter)                                                                 \
    static void name(struct dump *dump, const struct capnp_list *list, uint32_t index)             \
    {                                                                                              \
        dump_value(dump, (uint64_t)getter(list, index));                                           \
    }
DUMP_ELEMENT(dump_bool, capnp_list_bool)
DUMP_ELEMENT(dump_int8, (int8_t)capnp_list_u8)
DUMP_ELEMENT(dump_uint16, capnp_list_u16)
DUMP_ELEMENT(dump_uint32, capnp_list_u32)
DUMP_ELEMENT(dump_uint64, capnp_list_u64)

#define DUMP_BYTES_ELEMENT(name, type, getter)                                                     \
    static void name(struct dump *dump, const struct capnp_list *list, uint32_t index)             \
    {                                                                                              \
        struct type bytes;                                                                         \
        enum nx_status status = getter(list, index, &bytes);                                       \
        if (status == NX_OK)                                                                       \
            dump_value(dump, dump_bytes(bytes.bytes, bytes.length));                               \
        else                                                                                       \
            dump_error(dump, (int)status);                                                         \
    }
DUMP_BYTES_ELEMENT(dump_text, capnp_text, capnp_list_text)
DUMP_BYTES_ELEMENT(dump_data, capnp_data, capnp_list_data)

// Dumps a list's struct of the given type by `walk`.
#define DUMP_STRUCT_ELEMENT(name, type, walk)                                                      \
    static void name(struct dump *dump, const struct capnp_list *list, uint32_t index)             \
    {                                                                                              \
        struct type##_reader element;                                                              \
        enum nx_status status = type##_at(list, index, &element);                                  \
        if (status == NX_OK)                                                                       \
            walk(dump, &element);                                                                  \
        else                                                                                       \
            dump_error(dump, (int)status);                                                         \
    }

#define FILL_ELEMENT(name, setter, type)                                                           \
    static enum nx_status name(const struct capnp_list_builder *list, uint32_t index,              \
                               const char *path)                                                   \
    {                                                                                              \
        return setter(list, index, (type)fill_value(path));                                        \
    }
FILL_ELEMENT(fill_int8, capnp_list_set_u8, uint8_t)
FILL_ELEMENT(fill_uint16, capnp_list_set_u16, uint16_t)
FILL_ELEMENT(fill_uint32, capnp_list_set_u32, uint32_t)
FILL_ELEMENT(fill_uint64, capnp_list_set_u64, uint64_t)

static enum nx_status fill_bool(const struct capnp_list_builder *list, uint32_t index,
                                const char *path)
{
    return capnp_list_set_bool(list, index, (fill_value(path) & 1) != 0);
}

static enum nx_status fill_color(const struct capnp_list_builder *list, uint32_t index,
                                 const char *path)
{
    return capnp_list_set_u16(list, index, (uint16_t)(fill_value(path) % 3));
}

static enum nx_status fill_text(const struct capnp_list_builder *list, uint32_t index,
                                const char *path)
{
    return capnp_list_set_text(list, index, capnp_text_of(path));
}

static enum nx_status fill_data(const struct capnp_list_builder *list, uint32_t index,
                                const char *path)
{
    struct capnp_data data = {(const uint8_t *)path, (uint32_t)strlen(path)};
    return capnp_list_set_data(list, index, data);
}

// --- Everything ---

static void dump_inner(struct dump *dump, const struct everything_inner_reader *reader)
{
    DUMP_NUMBER("number", everything_inner_number(reader));
    DUMP_BYTES("name", capnp_text, everything_inner_name);
}
DUMP_STRUCT_ELEMENT(dump_inner_element, everything_inner, dump_inner)

static void dump_scalars(struct dump *dump, const struct everything_everything_reader *reader)
{
    DUMP_NUMBER("nothing", 0);
    DUMP_NUMBER("flag", everything_everything_flag(reader));
    DUMP_NUMBER("flagSet", everything_everything_flag_set(reader));
    DUMP_NUMBER("int8", everything_everything_int8(reader));
    DUMP_NUMBER("int8Set", everything_everything_int8_set(reader));
    DUMP_NUMBER("int16", everything_everything_int16(reader));
    DUMP_NUMBER("int16Set", everything_everything_int16_set(reader));
    DUMP_NUMBER("int32", everything_everything_int32(reader));
    DUMP_NUMBER("int32Set", everything_everything_int32_set(reader));
    DUMP_NUMBER("int64", everything_everything_int64(reader));
    DUMP_NUMBER("int64Set", everything_everything_int64_set(reader));
    DUMP_NUMBER("uint8", everything_everything_uint8(reader));
    DUMP_NUMBER("uint8Set", everything_everything_uint8_set(reader));
    DUMP_NUMBER("uint16", everything_everything_uint16(reader));
    DUMP_NUMBER("uint16Set", everything_everything_uint16_set(reader));
    DUMP_NUMBER("uint32", everything_everything_uint32(reader));
    DUMP_NUMBER("uint32Set", everything_everything_uint32_set(reader));
    DUMP_NUMBER("uint64", everything_everything_uint64(reader));
    DUMP_NUMBER("uint64Set", everything_everything_uint64_set(reader));
    DUMP_NUMBER("float32", dump_number((double)everything_everything_float32(reader)));
    DUMP_NUMBER("float32Set", dump_number((double)everything_everything_float32_set(reader)));
    DUMP_NUMBER("float64", dump_number(everything_everything_float64(reader)));
    DUMP_NUMBER("float64Set", dump_number(everything_everything_float64_set(reader)));
    DUMP_NUMBER("color", everything_everything_color(reader));
    DUMP_NUMBER("colorSet", everything_everything_color_set(reader));
}

// What one check reads at once is what the accessors read one by one.
#define EXPECT_SAME(one, other)                                                                    \
    if ((one) != (other))                                                                          \
    dump_error(dump, NX_ERR_BAD_STATE)

static void compare_scalars(struct dump *dump, const struct everything_everything_reader *reader)
{
    const struct everything_everything_scalars all = everything_everything_scalars(reader);
    EXPECT_SAME(all.flag, everything_everything_flag(reader));
    EXPECT_SAME(all.flag_set, everything_everything_flag_set(reader));
    EXPECT_SAME(all.int8, everything_everything_int8(reader));
    EXPECT_SAME(all.int8_set, everything_everything_int8_set(reader));
    EXPECT_SAME(all.int16, everything_everything_int16(reader));
    EXPECT_SAME(all.int16_set, everything_everything_int16_set(reader));
    EXPECT_SAME(all.int32, everything_everything_int32(reader));
    EXPECT_SAME(all.int32_set, everything_everything_int32_set(reader));
    EXPECT_SAME(all.int64, everything_everything_int64(reader));
    EXPECT_SAME(all.int64_set, everything_everything_int64_set(reader));
    EXPECT_SAME(all.uint8, everything_everything_uint8(reader));
    EXPECT_SAME(all.uint8_set, everything_everything_uint8_set(reader));
    EXPECT_SAME(all.uint16, everything_everything_uint16(reader));
    EXPECT_SAME(all.uint16_set, everything_everything_uint16_set(reader));
    EXPECT_SAME(all.uint32, everything_everything_uint32(reader));
    EXPECT_SAME(all.uint32_set, everything_everything_uint32_set(reader));
    EXPECT_SAME(all.uint64, everything_everything_uint64(reader));
    EXPECT_SAME(all.uint64_set, everything_everything_uint64_set(reader));
    EXPECT_SAME(all.color, everything_everything_color(reader));
    EXPECT_SAME(all.color_set, everything_everything_color_set(reader));
    EXPECT_SAME(dump_number((double)all.float32),
                dump_number((double)everything_everything_float32(reader)));
    EXPECT_SAME(dump_number((double)all.float32_set),
                dump_number((double)everything_everything_float32_set(reader)));
    EXPECT_SAME(dump_number((double)all.float64),
                dump_number((double)everything_everything_float64(reader)));
    EXPECT_SAME(dump_number((double)all.float64_set),
                dump_number((double)everything_everything_float64_set(reader)));
}

static void dump_lists(struct dump *dump, const struct everything_everything_reader *reader)
{
    DUMP_LIST("bools", everything_everything_bools, dump_bool);
    DUMP_LIST("int8s", everything_everything_int8s, dump_int8);
    DUMP_LIST("uint16s", everything_everything_uint16s, dump_uint16);
    DUMP_LIST("uint32s", everything_everything_uint32s, dump_uint32);
    DUMP_LIST("uint64s", everything_everything_uint64s, dump_uint64);
    DUMP_LIST("colors", everything_everything_colors, dump_uint16);
    DUMP_LIST("texts", everything_everything_texts, dump_text);
    DUMP_LIST("datas", everything_everything_datas, dump_data);
    DUMP_LIST("inners", everything_everything_inners, dump_inner_element);
}

static void dump_pair(struct dump *dump, const struct everything_everything_reader *reader)
{
    enum everything_everything_pair_which which = everything_everything_pair_which(reader);
    DUMP_NUMBER("pair.left", everything_everything_pair_left(reader));
    DUMP_BYTES("pair.right", capnp_text, everything_everything_pair_right);
    DUMP_NUMBER("pair.which", (unsigned)which < 2 ? which : DUMP_UNKNOWN);
    if (which == EVERYTHING_EVERYTHING_PAIR_PLAIN)
        DUMP_NUMBER("pair.plain", 0);
    if (which == EVERYTHING_EVERYTHING_PAIR_MARKED)
        DUMP_NUMBER("pair.marked", everything_everything_pair_marked(reader));
}

static void dump_unions(struct dump *dump, const struct everything_everything_reader *reader)
{
    enum everything_everything_which which = everything_everything_which(reader);
    DUMP_NUMBER("which", (unsigned)which < 6 ? which : DUMP_UNKNOWN);
    switch (which) {
    case EVERYTHING_EVERYTHING_UNSET:
        DUMP_NUMBER("unset", 0);
        break;
    case EVERYTHING_EVERYTHING_NUMBER:
        DUMP_NUMBER("number", everything_everything_number(reader));
        break;
    case EVERYTHING_EVERYTHING_TITLE:
        DUMP_BYTES("title", capnp_text, everything_everything_title);
        break;
    case EVERYTHING_EVERYTHING_PAIR:
        dump_pair(dump, reader);
        break;
    case EVERYTHING_EVERYTHING_BLOB:
        DUMP_STRUCT("blob", everything_inner_reader, everything_everything_blob, dump_inner);
        break;
    case EVERYTHING_EVERYTHING_ITEMS:
        DUMP_LIST("items", everything_everything_items, dump_uint16);
        break;
    }
}

static void dump_named(struct dump *dump, const struct everything_everything_reader *reader)
{
    enum everything_everything_named_which which = everything_everything_named_which(reader);
    DUMP_NUMBER("named.which", (unsigned)which < 2 ? which : DUMP_UNKNOWN);
    if (which == EVERYTHING_EVERYTHING_NAMED_ONE)
        DUMP_NUMBER("named.one", everything_everything_named_one(reader));
    if (which == EVERYTHING_EVERYTHING_NAMED_TWO)
        DUMP_BYTES("named.two", capnp_text, everything_everything_named_two);
}

static void dump_everything(struct dump *dump, const struct everything_everything_reader *reader)
{
    dump_scalars(dump, reader);
    compare_scalars(dump, reader);
    DUMP_BYTES("text", capnp_text, everything_everything_text);
    DUMP_BYTES("data", capnp_data, everything_everything_data);
    DUMP_STRUCT("inner", everything_inner_reader, everything_everything_inner, dump_inner);
    if (strstr(dump->path, "next") == NULL)
        DUMP_STRUCT("next", everything_everything_reader, everything_everything_next,
                    dump_everything);
    dump_lists(dump, reader);
    DUMP_NUMBER("box.width", everything_everything_box_width(reader));
    DUMP_BYTES("box.label", capnp_text, everything_everything_box_label);
    DUMP_NUMBER("box.deep.height", everything_everything_box_deep_height(reader));
    dump_named(dump, reader);
    dump_unions(dump, reader);
}

static enum nx_status fill_inner(const struct everything_inner_builder *inner, const char *path)
{
    enum nx_status status = NX_OK;
    struct everything_inner_builder builder = *inner;
    FILL_NUMBER(everything_inner_set_number, uint32_t, "number");
    FILL_TEXT(everything_inner_set_name, "name");
    return status;
}

static enum nx_status fill_inner_element(const struct capnp_list_builder *list, uint32_t index,
                                         const char *path)
{
    struct everything_inner_builder inner;
    enum nx_status status = everything_inner_builder_at(list, index, &inner);
    return status == NX_OK ? fill_inner(&inner, path) : status;
}

static void fill_scalars(struct everything_everything_builder builder, const char *path)
{
    FILL_BOOL(everything_everything_set_flag, "flag");
    FILL_BOOL(everything_everything_set_flag_set, "flagSet");
    FILL_NUMBER(everything_everything_set_int8, int8_t, "int8");
    FILL_NUMBER(everything_everything_set_int8_set, int8_t, "int8Set");
    FILL_NUMBER(everything_everything_set_int16, int16_t, "int16");
    FILL_NUMBER(everything_everything_set_int16_set, int16_t, "int16Set");
    FILL_NUMBER(everything_everything_set_int32, int32_t, "int32");
    FILL_NUMBER(everything_everything_set_int32_set, int32_t, "int32Set");
    FILL_NUMBER(everything_everything_set_int64, int64_t, "int64");
    FILL_NUMBER(everything_everything_set_int64_set, int64_t, "int64Set");
    FILL_NUMBER(everything_everything_set_uint8, uint8_t, "uint8");
    FILL_NUMBER(everything_everything_set_uint8_set, uint8_t, "uint8Set");
    FILL_NUMBER(everything_everything_set_uint16, uint16_t, "uint16");
    FILL_NUMBER(everything_everything_set_uint16_set, uint16_t, "uint16Set");
    FILL_NUMBER(everything_everything_set_uint32, uint32_t, "uint32");
    FILL_NUMBER(everything_everything_set_uint32_set, uint32_t, "uint32Set");
    FILL_NUMBER(everything_everything_set_uint64, uint64_t, "uint64");
    FILL_NUMBER(everything_everything_set_uint64_set, uint64_t, "uint64Set");
    FILL_FLOAT(everything_everything_set_float32, "float32");
    FILL_FLOAT(everything_everything_set_float32_set, "float32Set");
    FILL_FLOAT(everything_everything_set_float64, "float64");
    FILL_FLOAT(everything_everything_set_float64_set, "float64Set");
    FILL_ENUM(everything_everything_set_color, everything_color, 3, "color");
    FILL_ENUM(everything_everything_set_color_set, everything_color, 3, "colorSet");
    FILL_NUMBER(everything_everything_set_box_width, uint32_t, "box.width");
    FILL_NUMBER(everything_everything_set_box_deep_height, uint16_t, "box.deep.height");
}

static enum nx_status fill_lists(struct everything_everything_builder builder, const char *path)
{
    enum nx_status status = NX_OK;
    FILL_LIST(everything_everything_init_bools, "bools", fill_bool);
    FILL_LIST(everything_everything_init_int8s, "int8s", fill_int8);
    FILL_LIST(everything_everything_init_uint16s, "uint16s", fill_uint16);
    FILL_LIST(everything_everything_init_uint32s, "uint32s", fill_uint32);
    FILL_LIST(everything_everything_init_uint64s, "uint64s", fill_uint64);
    FILL_LIST(everything_everything_init_colors, "colors", fill_color);
    FILL_LIST(everything_everything_init_texts, "texts", fill_text);
    FILL_LIST(everything_everything_init_datas, "datas", fill_data);
    FILL_LIST(everything_everything_init_inners, "inners", fill_inner_element);
    return status;
}

static enum nx_status fill_pair(struct everything_everything_builder builder, unsigned member,
                                const char *path)
{
    enum nx_status status = NX_OK;
    everything_everything_init_pair(&builder);
    FILL_NUMBER(everything_everything_set_pair_left, uint64_t, "pair.left");
    FILL_TEXT(everything_everything_set_pair_right, "pair.right");
    if (member % 2 == EVERYTHING_EVERYTHING_PAIR_PLAIN)
        everything_everything_set_pair_plain(&builder);
    else
        FILL_NUMBER(everything_everything_set_pair_marked, uint8_t, "pair.marked");
    return status;
}

static enum nx_status fill_unions(struct everything_everything_builder builder, unsigned member,
                                  const char *path)
{
    enum nx_status status = NX_OK;
    struct everything_inner_builder blob;
    if (member % 2 == EVERYTHING_EVERYTHING_NAMED_ONE)
        FILL_NUMBER(everything_everything_set_named_one, uint64_t, "named.one");
    else
        FILL_TEXT(everything_everything_set_named_two, "named.two");
    switch ((enum everything_everything_which)(member % 6)) {
    case EVERYTHING_EVERYTHING_UNSET:
        everything_everything_set_unset(&builder);
        break;
    case EVERYTHING_EVERYTHING_NUMBER:
        FILL_NUMBER(everything_everything_set_number, uint32_t, "number");
        break;
    case EVERYTHING_EVERYTHING_TITLE:
        FILL_TEXT(everything_everything_set_title, "title");
        break;
    case EVERYTHING_EVERYTHING_PAIR:
        FILL(fill_pair(builder, member, path));
        break;
    case EVERYTHING_EVERYTHING_BLOB:
        FILL(everything_everything_init_blob(&builder, &blob));
        FILL(fill_inner(&blob, FILL_PATH("blob")));
        break;
    case EVERYTHING_EVERYTHING_ITEMS:
        FILL_LIST(everything_everything_init_items, "items", fill_uint16);
        break;
    }
    return status;
}

static enum nx_status fill_fields(struct everything_everything_builder builder, unsigned member,
                                  const char *path)
{
    enum nx_status status = NX_OK;
    struct everything_inner_builder inner;
    struct everything_everything_builder next;
    fill_scalars(builder, path);
    FILL_TEXT(everything_everything_set_text, "text");
    FILL_DATA(everything_everything_set_data, "data");
    FILL(everything_everything_init_inner(&builder, &inner));
    FILL(fill_inner(&inner, FILL_PATH("inner")));
    FILL_TEXT(everything_everything_set_box_label, "box.label");
    FILL(fill_lists(builder, path));
    FILL(fill_unions(builder, member, path));
    if (strstr(path, "next") == NULL) {
        FILL(everything_everything_init_next(&builder, &next));
        FILL(fill_fields(next, member, FILL_PATH("next")));
    }
    return status;
}

static enum nx_status fill_everything(unsigned member, void *buffer, size_t size, size_t *length)
{
    struct capnp_builder message;
    struct everything_everything_builder builder;
    enum nx_status status = everything_everything_begin(&message, buffer, size, &builder);
    if (status != NX_OK)
        return status;
    status = fill_fields(builder, member, "");
    *length = capnp_builder_bytes(&message);
    return status;
}

// --- Older and Newer ---

static void dump_older_item(struct dump *dump, const struct everything_older_item_reader *reader)
{
    DUMP_NUMBER("number", everything_older_item_number(reader));
}
DUMP_STRUCT_ELEMENT(dump_older_item_element, everything_older_item, dump_older_item)

static void dump_older(struct dump *dump, const struct everything_older_reader *reader)
{
    DUMP_NUMBER("number", everything_older_number(reader));
    DUMP_BYTES("text", capnp_text, everything_older_text);
    DUMP_LIST("items", everything_older_items, dump_older_item_element);
    DUMP_LIST("values", everything_older_values, dump_uint32);
    DUMP_LIST("names", everything_older_names, dump_text);
}

static void dump_newer_item(struct dump *dump, const struct everything_newer_item_reader *reader)
{
    DUMP_NUMBER("number", everything_newer_item_number(reader));
    DUMP_NUMBER("more", everything_newer_item_more(reader));
    DUMP_BYTES("name", capnp_text, everything_newer_item_name);
}
DUMP_STRUCT_ELEMENT(dump_newer_item_element, everything_newer_item, dump_newer_item)

static void dump_newer_value(struct dump *dump, const struct everything_newer_value_reader *reader)
{
    DUMP_NUMBER("number", everything_newer_value_number(reader));
    DUMP_BYTES("name", capnp_text, everything_newer_value_name);
}
DUMP_STRUCT_ELEMENT(dump_newer_value_element, everything_newer_value, dump_newer_value)

static void dump_newer_name(struct dump *dump, const struct everything_newer_name_reader *reader)
{
    DUMP_BYTES("name", capnp_text, everything_newer_name_name);
    DUMP_NUMBER("number", everything_newer_name_number(reader));
}
DUMP_STRUCT_ELEMENT(dump_newer_name_element, everything_newer_name, dump_newer_name)

static void dump_newer(struct dump *dump, const struct everything_newer_reader *reader)
{
    DUMP_NUMBER("number", everything_newer_number(reader));
    DUMP_BYTES("text", capnp_text, everything_newer_text);
    DUMP_LIST("items", everything_newer_items, dump_newer_item_element);
    DUMP_LIST("values", everything_newer_values, dump_newer_value_element);
    DUMP_LIST("names", everything_newer_names, dump_newer_name_element);
    DUMP_NUMBER("more", everything_newer_more(reader));
    DUMP_BYTES("extra", capnp_text, everything_newer_extra);
    const struct everything_newer_scalars all = everything_newer_scalars(reader);
    EXPECT_SAME(all.number, everything_newer_number(reader));
    EXPECT_SAME(all.more, everything_newer_more(reader));
}

static enum nx_status fill_older_item(const struct capnp_list_builder *list, uint32_t index,
                                      const char *path)
{
    struct everything_older_item_builder builder;
    enum nx_status status = everything_older_item_builder_at(list, index, &builder);
    if (status == NX_OK)
        FILL_NUMBER(everything_older_item_set_number, uint16_t, "number");
    return status;
}

static enum nx_status fill_older(unsigned member, void *buffer, size_t size, size_t *length)
{
    (void)member;
    const char *path = "";
    struct capnp_builder message;
    struct everything_older_builder builder;
    enum nx_status status = everything_older_begin(&message, buffer, size, &builder);
    if (status != NX_OK)
        return status;
    FILL_NUMBER(everything_older_set_number, uint32_t, "number");
    FILL_TEXT(everything_older_set_text, "text");
    FILL_LIST(everything_older_init_items, "items", fill_older_item);
    FILL_LIST(everything_older_init_values, "values", fill_uint32);
    FILL_LIST(everything_older_init_names, "names", fill_text);
    *length = capnp_builder_bytes(&message);
    return status;
}

static enum nx_status fill_newer_item(const struct capnp_list_builder *list, uint32_t index,
                                      const char *path)
{
    struct everything_newer_item_builder builder;
    enum nx_status status = everything_newer_item_builder_at(list, index, &builder);
    if (status != NX_OK)
        return status;
    FILL_NUMBER(everything_newer_item_set_number, uint16_t, "number");
    FILL_NUMBER(everything_newer_item_set_more, uint64_t, "more");
    FILL_TEXT(everything_newer_item_set_name, "name");
    return status;
}

static enum nx_status fill_newer_value(const struct capnp_list_builder *list, uint32_t index,
                                       const char *path)
{
    struct everything_newer_value_builder builder;
    enum nx_status status = everything_newer_value_builder_at(list, index, &builder);
    if (status != NX_OK)
        return status;
    FILL_NUMBER(everything_newer_value_set_number, uint32_t, "number");
    FILL_TEXT(everything_newer_value_set_name, "name");
    return status;
}

static enum nx_status fill_newer_name(const struct capnp_list_builder *list, uint32_t index,
                                      const char *path)
{
    struct everything_newer_name_builder builder;
    enum nx_status status = everything_newer_name_builder_at(list, index, &builder);
    if (status != NX_OK)
        return status;
    FILL_TEXT(everything_newer_name_set_name, "name");
    FILL_NUMBER(everything_newer_name_set_number, uint32_t, "number");
    return status;
}

static enum nx_status fill_newer(unsigned member, void *buffer, size_t size, size_t *length)
{
    (void)member;
    const char *path = "";
    struct capnp_builder message;
    struct everything_newer_builder builder;
    enum nx_status status = everything_newer_begin(&message, buffer, size, &builder);
    if (status != NX_OK)
        return status;
    FILL_NUMBER(everything_newer_set_number, uint32_t, "number");
    FILL_TEXT(everything_newer_set_text, "text");
    FILL_LIST(everything_newer_init_items, "items", fill_newer_item);
    FILL_LIST(everything_newer_init_values, "values", fill_newer_value);
    FILL_LIST(everything_newer_init_names, "names", fill_newer_name);
    FILL_NUMBER(everything_newer_set_more, uint64_t, "more");
    FILL_TEXT(everything_newer_set_extra, "extra");
    *length = capnp_builder_bytes(&message);
    return status;
}

// --- the roots ---

DUMP_ROOT(dump_everything_root, everything_everything, dump_everything)
DUMP_ROOT(dump_older_root, everything_older, dump_older)
DUMP_ROOT(dump_newer_root, everything_newer, dump_newer)

const struct ours ours_everything[] = {
    [EVERYTHING_ROOT] = {"everything.capnp:Everything", fill_everything, dump_everything_root},
    [OLDER_ROOT] = {"everything.capnp:Older", fill_older, dump_older_root},
    [NEWER_ROOT] = {"everything.capnp:Newer", fill_newer, dump_newer_root},
};
const size_t ours_everything_count = sizeof(ours_everything) / sizeof(ours_everything[0]);
