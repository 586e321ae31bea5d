// SPDX-License-Identifier: Apache-2.0
// The words that ours_*.c describe a schema with: one line a field, to dump it and to fill it.
//
// Dumping: `dump` and `reader` are in scope. Filling: `status`, `builder` and `path` are, and the
// first error stays.
#ifndef TESTS_CAPNP_WALK_H
#define TESTS_CAPNP_WALK_H

#include "dump.h"

// A union's discriminant as a dump shows it; `count` members are in the schema.
static inline uint64_t known(unsigned which, unsigned count)
{
    return which < count ? which : DUMP_UNKNOWN;
}

#define DUMP_NUMBER(name, value)                                                                   \
    do {                                                                                           \
        size_t mark_ = dump_enter(dump, name, -1);                                                 \
        dump_value(dump, (uint64_t)(value));                                                       \
        dump_leave(dump, mark_);                                                                   \
    } while (0)

// A field of text or bytes, with the getter's type of result.
#define DUMP_BYTES(name, type, getter)                                                             \
    do {                                                                                           \
        struct type bytes_;                                                                        \
        size_t mark_ = dump_enter(dump, name, -1);                                                 \
        enum nx_status status_ = getter(reader, &bytes_);                                          \
        if (status_ == NX_OK)                                                                      \
            dump_value(dump, dump_bytes(bytes_.bytes, bytes_.length));                             \
        else                                                                                       \
            dump_error(dump, (int)status_);                                                        \
        dump_leave(dump, mark_);                                                                   \
    } while (0)

// A field that is a struct, dumped by `walk`.
#define DUMP_STRUCT(name, type, getter, walk)                                                      \
    do {                                                                                           \
        struct type struct_;                                                                       \
        size_t mark_ = dump_enter(dump, name, -1);                                                 \
        enum nx_status status_ = getter(reader, &struct_);                                         \
        if (status_ == NX_OK)                                                                      \
            walk(dump, &struct_);                                                                  \
        else                                                                                       \
            dump_error(dump, (int)status_);                                                        \
        dump_leave(dump, mark_);                                                                   \
    } while (0)

// A list field; `element` is a function that dumps element `index` of `list` as the current object.
#define DUMP_LIST(name, getter, element)                                                           \
    do {                                                                                           \
        struct capnp_list list_;                                                                   \
        size_t mark_ = dump_enter(dump, name, -1);                                                 \
        enum nx_status status_ = getter(reader, &list_);                                           \
        if (status_ == NX_OK) {                                                                    \
            dump_value(dump, list_.count);                                                         \
            for (uint32_t i_ = 0; i_ < list_.count && i_ < DUMP_ELEMENTS; i_++) {                  \
                size_t element_mark_ = dump_enter(dump, "", (int)i_);                              \
                element(dump, &list_, i_);                                                         \
                dump_leave(dump, element_mark_);                                                   \
            }                                                                                      \
        } else {                                                                                   \
            dump_error(dump, (int)status_);                                                        \
        }                                                                                          \
        dump_leave(dump, mark_);                                                                   \
    } while (0)

// The function `name`, which dumps a whole message of the struct `type` by `walk`.
#define DUMP_ROOT(name, type, walk)                                                                \
    static void name(const void *bytes, size_t length, struct dump *dump)                          \
    {                                                                                              \
        struct capnp_reader message;                                                               \
        struct type##_reader reader;                                                               \
        dump_reset(dump);                                                                          \
        enum nx_status status = type##_decode(bytes, length, &message, &reader);                   \
        if (status == NX_OK)                                                                       \
            walk(dump, &reader);                                                                   \
        else                                                                                       \
            dump_error(dump, (int)status);                                                         \
    }

#define FILL_NUMBER(setter, type, name) setter(&builder, (type)fill_value(FILL_PATH(name)))
#define FILL_ENUM(setter, type, count, name)                                                       \
    setter(&builder, (enum type)(fill_value(FILL_PATH(name)) % (count)))
#define FILL_BOOL(setter, name)  setter(&builder, (fill_value(FILL_PATH(name)) & 1) != 0)
#define FILL_FLOAT(setter, name) setter(&builder, (float)(fill_value(FILL_PATH(name)) & 0xffff) / 8)
#define FILL_PATH(name)          fill_path((char[DUMP_PATH]){0}, path, name, -1)

// A statement of a fill: does nothing after an error.
#define FILL(call)                                                                                 \
    do {                                                                                           \
        if (status == NX_OK)                                                                       \
            status = (call);                                                                       \
    } while (0)
#define FILL_TEXT(setter, name) FILL(setter(&builder, capnp_text_of(FILL_PATH(name))))
#define FILL_DATA(setter, name)                                                                    \
    do {                                                                                           \
        char path_[DUMP_PATH];                                                                     \
        fill_path(path_, path, name, -1);                                                          \
        FILL(setter(&builder,                                                                      \
                    (struct capnp_data){(const uint8_t *)path_, (uint32_t)strlen(path_)}));        \
    } while (0)

// A list of primitives, text or bytes; `set` sets element i_ at path element_.
#define FILL_LIST(init, name, set)                                                                 \
    do {                                                                                           \
        struct capnp_list_builder list_;                                                           \
        char list_path_[DUMP_PATH];                                                                \
        fill_path(list_path_, path, name, -1);                                                     \
        FILL(init(&builder, FILL_ELEMENTS, &list_));                                               \
        for (uint32_t i_ = 0; i_ < FILL_ELEMENTS; i_++) {                                          \
            char element_[DUMP_PATH];                                                              \
            fill_path(element_, list_path_, "", (int)i_);                                          \
            FILL(set(&list_, i_, element_));                                                       \
        }                                                                                          \
    } while (0)

#endif
