// SPDX-License-Identifier: Apache-2.0
// The official library as the tests' second opinion. Contract in oracle.h.
#include "oracle.h"

#include <capnp/dynamic.h>
#include <capnp/schema-loader.h>
#include <capnp/schema.capnp.h>
#include <capnp/serialize.h>
#include <kj/exception.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <functional>
#include <map>
#include <string>
#include <unistd.h>

namespace {

using capnp::DynamicList;
using capnp::DynamicStruct;
using capnp::DynamicValue;
using capnp::StructSchema;
using capnp::Type;

capnp::SchemaLoader loader;
std::map<std::string, StructSchema> roots;

// Mutated messages throw by the hundred thousand: a stack trace each would take minutes.
class QuietExceptions : public kj::ExceptionCallback {
  public:
    StackTraceMode stackTraceMode() override
    {
        return StackTraceMode::NONE;
    }
};

StructSchema find_root(const char *root)
{
    auto found = roots.find(root);
    if (found == roots.end()) {
        fprintf(stderr, "oracle: no root %s\n", root);
        exit(1);
    }
    return found->second;
}

// Tests write, and dumps show, one level of a struct inside of its own type.
bool too_deep(StructSchema parent, Type type, const std::string &path)
{
    return type.isStruct() && type.asStruct() == parent && path.find("next") != std::string::npos;
}

std::string join(const std::string &path, const char *name, int index)
{
    char buffer[DUMP_PATH];
    return fill_path(buffer, path.c_str(), name, index);
}

void fill_struct(DynamicStruct::Builder builder, const std::string &path, unsigned member);

kj::String fill_text(const std::string &path)
{
    return kj::heapString(path.c_str());
}

DynamicValue::Reader fill_scalar(Type type, const std::string &path)
{
    uint64_t value = fill_value(path.c_str());
    switch (type.which()) {
    case capnp::schema::Type::BOOL:
        return (value & 1) != 0;
    case capnp::schema::Type::INT8:
        return static_cast<int8_t>(value);
    case capnp::schema::Type::INT16:
        return static_cast<int16_t>(value);
    case capnp::schema::Type::INT32:
        return static_cast<int32_t>(value);
    case capnp::schema::Type::INT64:
        return static_cast<int64_t>(value);
    case capnp::schema::Type::UINT8:
        return static_cast<uint8_t>(value);
    case capnp::schema::Type::UINT16:
        return static_cast<uint16_t>(value);
    case capnp::schema::Type::UINT32:
        return static_cast<uint32_t>(value);
    case capnp::schema::Type::UINT64:
        return value;
    case capnp::schema::Type::FLOAT32:
    case capnp::schema::Type::FLOAT64:
        return static_cast<double>(value & 0xffff) / 8;
    case capnp::schema::Type::ENUM: {
        auto enumerants = type.asEnum().getEnumerants();
        return capnp::DynamicEnum(enumerants[value % enumerants.size()]);
    }
    default:
        return capnp::VOID;
    }
}

void fill_list(DynamicList::Builder list, const std::string &path, unsigned member)
{
    Type type = list.getSchema().getElementType();
    for (unsigned i = 0; i < list.size(); i++) {
        std::string element = join(path, "", static_cast<int>(i));
        if (type.isStruct())
            fill_struct(list[i].as<DynamicStruct>(), element, member);
        else if (type.isText())
            list.set(i, capnp::Text::Reader(fill_text(element)));
        else if (type.isData())
            list.set(i, capnp::Data::Reader(fill_text(element).asBytes()));
        else
            list.set(i, fill_scalar(type, element));
    }
}

void fill_field(DynamicStruct::Builder builder, StructSchema::Field field,
                const std::string &parent, unsigned member)
{
    std::string path = join(parent, field.getProto().getName().cStr(), -1);
    Type type = field.getType();
    if (type.isStruct()) {
        if (!too_deep(builder.getSchema(), type, parent))
            fill_struct(builder.init(field).as<DynamicStruct>(), path, member);
    } else if (type.isList()) {
        fill_list(builder.init(field, FILL_ELEMENTS).as<DynamicList>(), path, member);
    } else if (type.isText()) {
        builder.set(field, capnp::Text::Reader(fill_text(path)));
    } else if (type.isData()) {
        builder.set(field, capnp::Data::Reader(fill_text(path).asBytes()));
    } else {
        builder.set(field, fill_scalar(type, path));
    }
}

void fill_struct(DynamicStruct::Builder builder, const std::string &path, unsigned member)
{
    for (auto field : builder.getSchema().getNonUnionFields())
        fill_field(builder, field, path, member);
    auto members = builder.getSchema().getUnionFields();
    if (members.size() != 0)
        fill_field(builder, members[member % members.size()], path, member);
}

// Runs `read`, which dumps the current object; an exception becomes its error.
void guarded(struct dump *dump, const std::function<void()> &read)
{
    size_t mark = strlen(dump->path);
    try {
        read();
    } catch (const kj::Exception &) {
        dump_leave(dump, mark);
        dump_error(dump, -1);
    }
}

void dump_struct(DynamicStruct::Reader reader, struct dump *dump);

void dump_dynamic(DynamicValue::Reader value, struct dump *dump)
{
    switch (value.getType()) {
    case DynamicValue::BOOL:
        return dump_value(dump, value.as<bool>());
    case DynamicValue::INT:
        return dump_value(dump, static_cast<uint64_t>(value.as<int64_t>()));
    case DynamicValue::UINT:
        return dump_value(dump, value.as<uint64_t>());
    case DynamicValue::FLOAT:
        return dump_value(dump, dump_number(value.as<double>()));
    case DynamicValue::ENUM:
        return dump_value(dump, value.as<capnp::DynamicEnum>().getRaw());
    case DynamicValue::TEXT: {
        auto text = value.as<capnp::Text>();
        return dump_value(dump, dump_bytes(text.begin(), text.size()));
    }
    case DynamicValue::DATA: {
        auto data = value.as<capnp::Data>();
        return dump_value(dump, dump_bytes(data.begin(), data.size()));
    }
    case DynamicValue::STRUCT:
        return dump_struct(value.as<DynamicStruct>(), dump);
    case DynamicValue::LIST: {
        auto list = value.as<DynamicList>();
        dump_value(dump, list.size());
        for (unsigned i = 0; i < list.size() && i < DUMP_ELEMENTS; i++) {
            size_t mark = dump_enter(dump, "", static_cast<int>(i));
            guarded(dump, [&] { dump_dynamic(list[i], dump); });
            dump_leave(dump, mark);
        }
        return;
    }
    default:
        return dump_value(dump, 0);
    }
}

void dump_field(DynamicStruct::Reader reader, StructSchema::Field field, struct dump *dump)
{
    if (too_deep(reader.getSchema(), field.getType(), dump->path))
        return;
    size_t mark = dump_enter(dump, field.getProto().getName().cStr(), -1);
    guarded(dump, [&] { dump_dynamic(reader.get(field), dump); });
    dump_leave(dump, mark);
}

void dump_struct(DynamicStruct::Reader reader, struct dump *dump)
{
    for (auto field : reader.getSchema().getNonUnionFields())
        dump_field(reader, field, dump);
    if (reader.getSchema().getUnionFields().size() == 0)
        return;
    size_t mark = dump_enter(dump, "which", -1);
    KJ_IF_MAYBE (member, reader.which()) {
        dump_value(dump, member->getProto().getDiscriminantValue());
        dump_leave(dump, mark);
        dump_field(reader, *member, dump);
    } else {
        dump_value(dump, DUMP_UNKNOWN);
        dump_leave(dump, mark);
    }
}

} // namespace

void oracle_load(const char *path)
{
    int file = open(path, O_RDONLY);
    if (file < 0) {
        perror(path);
        exit(1);
    }
    capnp::StreamFdMessageReader message(file);
    for (auto node : message.getRoot<capnp::schema::CodeGeneratorRequest>().getNodes()) {
        capnp::Schema schema = loader.load(node);
        if (node.isStruct())
            roots.emplace(node.getDisplayName().cStr(), schema.asStruct());
    }
    close(file);
}

unsigned oracle_members(const char *root)
{
    unsigned members = find_root(root).getUnionFields().size();
    return members != 0 ? members : 1;
}

size_t oracle_fill(const char *root, unsigned member, void *buffer, size_t size)
{
    capnp::MallocMessageBuilder message(MESSAGE_BYTES / 8);
    fill_struct(message.initRoot<DynamicStruct>(find_root(root)), "", member);
    auto segments = message.getSegmentsForOutput();
    if (segments.size() != 1 || segments[0].asBytes().size() > size)
        abort();
    memcpy(buffer, segments[0].begin(), segments[0].asBytes().size());
    return segments[0].asBytes().size();
}

void oracle_dump(const char *root, const void *bytes, size_t length, struct dump *dump)
{
    QuietExceptions quiet;
    dump_reset(dump);
    auto words = kj::heapArray<capnp::word>(length / sizeof(capnp::word));
    memcpy(words.begin(), bytes, words.asBytes().size());
    guarded(dump, [&] {
        kj::ArrayPtr<const capnp::word> segments[] = {words};
        capnp::SegmentArrayMessageReader message(segments);
        dump_struct(message.getRoot<DynamicStruct>(find_root(root)), dump);
    });
}
