// SPDX-License-Identifier: Apache-2.0
// capnpc-nexus: the back end of `capnp compile` that writes typed C accessors.
//
// Reads a CodeGeneratorRequest from standard input and writes X.capnp.h for every requested X.capnp
// into the working directory. What it writes is static inline functions over source/libs/capnp:
//
//   struct S, in file x.capnp:  struct x_s_reader, x_s_decode(), x_s_at() and one getter a field;
//                               struct x_s_builder, x_s_begin(), x_s_builder_at(), setters, inits
//   group g, field f:           accessors x_s_g_f(), x_s_set_g_f(); the group has no type of its
//   own union:                      enum x_s_which, x_s_which(); a setter or init selects its
//   member enum E, const c:            enum x_e with X_E_MEMBER; #define X_C
//
// A construct outside of this is an error that names it and its place, never a silent omission.
#include <capnp/schema.capnp.h>
#include <capnp/serialize.h>

#include <cctype>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iostream>
#include <map>
#include <set>
#include <sstream>
#include <stdexcept>
#include <string>
#include <unistd.h>
#include <vector>

namespace {

using capnp::schema::CodeGeneratorRequest;
using capnp::schema::Field;
using capnp::schema::Node;
using capnp::schema::Type;
using capnp::schema::Value;
using std::string;

// camelCase to snake_case: a word starts at a capital after a small letter, and at the last capital
// of a run of them.
string snake_case(const string &name)
{
    string out;
    for (size_t i = 0; i < name.size(); i++) {
        bool capital = isupper(static_cast<unsigned char>(name[i]));
        bool after_small = i > 0 && !isupper(static_cast<unsigned char>(name[i - 1]));
        bool before_small = i + 1 < name.size() && islower(static_cast<unsigned char>(name[i + 1]));
        if (capital && i > 0 && (after_small || before_small))
            out += '_';
        out += static_cast<char>(tolower(static_cast<unsigned char>(name[i])));
    }
    return out;
}

string upper_case(string name)
{
    for (char &c : name)
        c = static_cast<char>(toupper(static_cast<unsigned char>(c)));
    return name;
}

string hex(uint64_t value)
{
    std::ostringstream out;
    out << "0x" << std::hex << value;
    return out.str();
}

[[noreturn]] void refuse(const string &place, const string &construct)
{
    throw std::runtime_error(place + ": " + construct);
}

// How a primitive type looks on the wire and in C.
struct Primitive {
    unsigned bits; // on the wire
    string c_type;
    uint64_t default_bits; // XORed with the wire
    bool is_float;
};

class FileGenerator {
  public:
    FileGenerator(const std::map<uint64_t, Node::Reader> &all_nodes, Node::Reader file_node,
                  const string &file_path)
        : nodes(all_nodes), file(file_node), path(file_path)
    {
        string stem = path.substr(path.rfind('/') + 1);
        names[file.getId()] = snake_case(stem.substr(0, stem.find('.')));
    }

    string generate()
    {
        refuse_annotations(file, path);
        collect(file);
        for (auto node : enums)
            write_enum(node);
        for (auto node : structs)
            write_types(node);
        for (auto node : structs)
            write_accessors(node);
        return header() + body.str() + "\n#endif\n";
    }

  private:
    const std::map<uint64_t, Node::Reader> &nodes;
    Node::Reader file;
    string path;
    std::map<uint64_t, string> names; // C names of the types that this file declares
    std::set<string> identifiers;     // all that was declared, to refuse collisions
    std::vector<Node::Reader> enums;
    std::vector<Node::Reader> structs;
    std::ostringstream body;
    bool uses_float = false;

    string header() const
    {
        string guard = upper_case(names.at(file.getId())) + "_CAPNP_H";
        string name = path.substr(path.rfind('/') + 1);
        return "// SPDX-License-Identifier: Apache-2.0\n// Accessors for the messages of " + name +
               "; written by capnpc-nexus, not to be edited.\n#ifndef " + guard + "\n#define " +
               guard + "\n\n#include \"capnp/capnp.h\"\n" +
               (uses_float ? "#include \"capnp/float.h\"\n" : "");
    }

    string declare(const string &identifier, const string &place)
    {
        if (!identifiers.insert(identifier).second)
            refuse(place, "its C name " + identifier + " is taken by another declaration");
        return identifier;
    }

    string place_of(Node::Reader node) const
    {
        return node.getDisplayName().cStr();
    }

    static string place_of(Node::Reader node, Field::Reader field)
    {
        return string(node.getDisplayName().cStr()) + "." + field.getName().cStr();
    }

    template <typename Annotated>
    static void refuse_annotations(Annotated annotated, const string &place)
    {
        if (annotated.getAnnotations().size() != 0)
            refuse(place, "annotations are not supported");
    }

    // Names everything declared below `scope` and sorts it by kind; types may be used before that.
    void collect(Node::Reader scope)
    {
        for (auto nested : scope.getNestedNodes()) {
            Node::Reader node = nodes.at(nested.getId());
            names[node.getId()] = names.at(scope.getId()) + "_" + snake_case(nested.getName());
            refuse_annotations(node, place_of(node));
            if (node.getIsGeneric())
                refuse(place_of(node), "generic types are not supported");
            switch (node.which()) {
            case Node::STRUCT:
                structs.push_back(node);
                break;
            case Node::ENUM:
                enums.push_back(node);
                break;
            case Node::CONST:
                write_const(node);
                break;
            case Node::INTERFACE:
                refuse(place_of(node), "interfaces are not supported");
            default:
                refuse(place_of(node), "annotation declarations are not supported");
            }
            collect(node);
        }
    }

    // The C name of a struct or enum that a field refers to.
    template <typename TypeReference>
    const string &type_name(TypeReference reference, const string &place) const
    {
        if (reference.getBrand().getScopes().size() != 0)
            refuse(place, "generic types are not supported");
        auto found = names.find(reference.getTypeId());
        if (found == names.end())
            refuse(place, "types imported from another file are not supported");
        return found->second;
    }

    static bool is_pointer(Type::Reader type)
    {
        switch (type.which()) {
        case Type::TEXT:
        case Type::DATA:
        case Type::LIST:
        case Type::STRUCT:
        case Type::INTERFACE:
        case Type::ANY_POINTER:
            return true;
        default:
            return false;
        }
    }

    Primitive primitive(Type::Reader type, Value::Reader value, const string &place)
    {
        switch (type.which()) {
        case Type::BOOL:
            return {1, "bool", value.getBool(), false};
        case Type::INT8:
            return {8, "int8_t", static_cast<uint8_t>(value.getInt8()), false};
        case Type::INT16:
            return {16, "int16_t", static_cast<uint16_t>(value.getInt16()), false};
        case Type::INT32:
            return {32, "int32_t", static_cast<uint32_t>(value.getInt32()), false};
        case Type::INT64:
            return {64, "int64_t", static_cast<uint64_t>(value.getInt64()), false};
        case Type::UINT8:
            return {8, "uint8_t", value.getUint8(), false};
        case Type::UINT16:
            return {16, "uint16_t", value.getUint16(), false};
        case Type::UINT32:
            return {32, "uint32_t", value.getUint32(), false};
        case Type::UINT64:
            return {64, "uint64_t", value.getUint64(), false};
        case Type::FLOAT32: {
            uint32_t bits;
            float number = value.getFloat32();
            memcpy(&bits, &number, sizeof(bits));
            uses_float = true;
            return {32, "float", bits, true};
        }
        case Type::FLOAT64: {
            uint64_t bits;
            double number = value.getFloat64();
            memcpy(&bits, &number, sizeof(bits));
            uses_float = true;
            return {64, "double", bits, true};
        }
        case Type::ENUM:
            return {16, "enum " + type_name(type.getEnum(), place), value.getEnum(), false};
        default:
            refuse(place, "this type is not supported");
        }
    }

    // What the elements of a list look like to the runtime.
    string element_kind(Type::Reader element, const string &place) const
    {
        switch (element.which()) {
        case Type::BOOL:
            return "CAPNP_ELEMENT_BIT";
        case Type::INT8:
        case Type::UINT8:
            return "CAPNP_ELEMENT_1_BYTE";
        case Type::ENUM:
            type_name(element.getEnum(), place);
            return "CAPNP_ELEMENT_2_BYTES";
        case Type::INT16:
        case Type::UINT16:
            return "CAPNP_ELEMENT_2_BYTES";
        case Type::INT32:
        case Type::UINT32:
            return "CAPNP_ELEMENT_4_BYTES";
        case Type::INT64:
        case Type::UINT64:
            return "CAPNP_ELEMENT_8_BYTES";
        case Type::TEXT:
        case Type::DATA:
            return "CAPNP_ELEMENT_POINTER";
        case Type::STRUCT:
            return "CAPNP_ELEMENT_COMPOSITE";
        case Type::FLOAT32:
        case Type::FLOAT64:
            refuse(place, "lists of floating point numbers are not supported");
        case Type::VOID:
            refuse(place, "lists of Void are not supported");
        case Type::LIST:
            refuse(place, "lists of lists are not supported");
        default:
            refuse(place, "lists of AnyPointer or of an interface are not supported");
        }
    }

    void write_const(Node::Reader node)
    {
        auto constant = node.getConst();
        string place = place_of(node);
        string text;
        switch (constant.getType().which()) {
        case Type::UINT8:
        case Type::UINT16:
        case Type::UINT32:
        case Type::UINT64: {
            auto number = primitive(constant.getType(), constant.getValue(), place);
            text = "UINT" + std::to_string(number.bits) + "_C(" +
                   std::to_string(number.default_bits) + ")";
            break;
        }
        default:
            refuse(place, "constants other than unsigned integers are not supported");
        }
        string name = declare(upper_case(names.at(node.getId())), place);
        body << "\n#define " << name << " " << text << "\n";
    }

    void write_enum(Node::Reader node)
    {
        const string &name = names.at(node.getId());
        body << "\nenum " << declare(name, place_of(node)) << " {\n";
        uint16_t ordinal = 0;
        for (auto enumerant : node.getEnum().getEnumerants()) {
            refuse_annotations(enumerant, place_of(node));
            string member = upper_case(name + "_" + snake_case(enumerant.getName()));
            body << "    " << declare(member, place_of(node)) << " = " << ordinal++ << ",\n";
        }
        body << "};\n";
    }

    // The types of a struct, and how to get at one: as a message's root, or as a list's element.
    void write_types(Node::Reader node)
    {
        const string &n = names.at(node.getId());
        string place = place_of(node);
        auto shape = node.getStruct();
        string size = std::to_string(shape.getDataWordCount()) + ", " +
                      std::to_string(shape.getPointerCount());
        for (const char *part : {"reader", "builder", "decode", "begin", "at", "builder_at"})
            declare(n + "_" + part, place);
        body << "\n// Words of one, without what its pointers lead to.\n#define "
             << declare(upper_case(n) + "_WORDS", place) << " "
             << shape.getDataWordCount() + shape.getPointerCount() << "U\n";
        body << "\nstruct " << n << "_reader {\n    struct capnp_struct fields;\n};\n";
        body << "\nstruct " << n << "_builder {\n    struct capnp_builder *message;\n"
             << "    uint64_t *words;\n};\n";
        body << "\n// Reads the message whose root this is. `message` must outlive the reader.\n"
             << "static inline NX_MUST_CHECK enum nx_status " << n << "_decode(\n"
             << "    const void *bytes, size_t length, struct capnp_reader *message, struct " << n
             << "_reader *out)\n{\n"
             << "    enum nx_status status = capnp_reader_init(message, bytes, length);\n"
             << "    return status == NX_OK ? capnp_root(message, &out->fields) : status;\n}\n";
        body << "\nstatic inline NX_MUST_CHECK enum nx_status " << n << "_at(\n"
             << "    const struct capnp_list *list, uint32_t index, struct " << n
             << "_reader *out)\n{\n"
             << "    return capnp_list_struct(list, index, &out->fields);\n}\n";
        body << "\n// Starts a message in `buffer` whose root this is.\n"
             << "static inline NX_MUST_CHECK enum nx_status " << n << "_begin(\n"
             << "    struct capnp_builder *message, void *buffer, size_t size, struct " << n
             << "_builder *out)\n{\n"
             << "    enum nx_status status = capnp_builder_init(message, buffer, size);\n"
             << "    if (status != NX_OK)\n        return status;\n"
             << "    out->message = message;\n"
             << "    return capnp_build_struct(message, message->words, " << size
             << ", &out->words);\n}\n";
        body << "\nstatic inline NX_MUST_CHECK enum nx_status " << n << "_builder_at(\n"
             << "    const struct capnp_list_builder *list, uint32_t index, struct " << n
             << "_builder *out)\n{\n    out->message = list->message;\n"
             << "    return capnp_list_struct_words(list, index, &out->words);\n}\n";
    }

    void write_accessors(Node::Reader node)
    {
        write_fields(node, node, "");
    }

    // The accessors of `scope`, which is the struct `owner` or a group inside of it at `prefix`.
    void write_fields(Node::Reader owner, Node::Reader scope, const string &prefix)
    {
        if (scope.getStruct().getDiscriminantCount() != 0)
            write_which(owner, scope, prefix);
        for (auto field : scope.getStruct().getFields()) {
            refuse_annotations(field, place_of(scope, field));
            string select = select_member(scope, field);
            string member = prefix + snake_case(field.getName());
            if (field.isGroup())
                write_group(owner, scope, field, member, select);
            else if (field.getSlot().getType().isVoid())
                write_void(owner, place_of(scope, field), member, select);
            else if (is_pointer(field.getSlot().getType()))
                write_pointer(owner, place_of(scope, field), field, member, select);
            else
                write_primitive(owner, place_of(scope, field), field, member, select);
        }
    }

    // The statement that makes `field` the current member of its union; empty outside of unions.
    static string select_member(Node::Reader scope, Field::Reader field)
    {
        if (field.getDiscriminantValue() == Field::NO_DISCRIMINANT)
            return "";
        return store(16, scope.getStruct().getDiscriminantOffset(),
                     std::to_string(field.getDiscriminantValue()));
    }

    // Statements that return what `call` returns, having selected the member if it succeeded.
    static string returning(const string &select, const string &call)
    {
        if (select.empty())
            return "    return " + call + ";\n";
        return "    enum nx_status status = " + call + ";\n    if (status == NX_OK)\n    " +
               select + "    return status;\n";
    }

    static string store(unsigned bits, uint32_t slot, const string &value)
    {
        string suffix = bits == 1 ? "bit" : "u" + std::to_string(bits);
        uint32_t offset = bits == 1 ? slot : slot * (bits / 8);
        return "    capnp_store_" + suffix + "((uint8_t *)builder->words, " +
               std::to_string(offset) + ", " + value + ");\n";
    }

    void write_which(Node::Reader owner, Node::Reader scope, const string &prefix)
    {
        const string &n = names.at(owner.getId());
        string name = declare(n + "_" + prefix + "which", place_of(scope));
        body << "\n// Values beyond these come from senders with a newer schema.\nenum " << name
             << " {\n";
        for (auto field : scope.getStruct().getFields()) {
            if (field.getDiscriminantValue() == Field::NO_DISCRIMINANT)
                continue;
            string member = upper_case(n + "_" + prefix + snake_case(field.getName()));
            body << "    " << declare(member, place_of(scope, field)) << " = "
                 << field.getDiscriminantValue() << ",\n";
        }
        body << "};\n\nstatic inline enum " << name << " " << name << "(const struct " << n
             << "_reader *reader)\n{\n    return (enum " << name
             << ")capnp_struct_u16(&reader->fields, "
             << scope.getStruct().getDiscriminantOffset() * 2 << ");\n}\n";
    }

    void write_group(Node::Reader owner, Node::Reader scope, Field::Reader field,
                     const string &member, const string &select)
    {
        Node::Reader group = nodes.at(field.getGroup().getTypeId());
        const string &n = names.at(owner.getId());
        if (!select.empty()) {
            string name = declare(n + "_init_" + member, place_of(scope, field));
            body << "\n// Selects the member and clears its fields.\nstatic inline void " << name
                 << "(const struct " << n << "_builder *builder)\n{\n"
                 << select << clear_fields(owner, group) << "}\n";
        }
        write_fields(owner, group, member + "_");
    }

    // Statements that clear all that a group holds: another member may have used its place.
    string clear_fields(Node::Reader owner, Node::Reader group)
    {
        string out;
        auto shape = group.getStruct();
        if (shape.getDiscriminantCount() != 0)
            out += store(16, shape.getDiscriminantOffset(), "0");
        for (auto field : shape.getFields()) {
            if (field.isGroup()) {
                out += clear_fields(owner, nodes.at(field.getGroup().getTypeId()));
                continue;
            }
            auto slot = field.getSlot();
            if (slot.getType().isVoid())
                continue;
            if (is_pointer(slot.getType()))
                out += "    *" + pointer_word(owner, slot.getOffset()) + " = 0;\n";
            else
                out += store(
                    primitive(slot.getType(), slot.getDefaultValue(), place_of(group, field)).bits,
                    slot.getOffset(), "0");
        }
        return out;
    }

    static string pointer_word(Node::Reader owner, uint32_t slot)
    {
        uint32_t word = owner.getStruct().getDataWordCount() + slot;
        return "(builder->words + " + std::to_string(word) + ")";
    }

    void write_void(Node::Reader owner, const string &place, const string &member,
                    const string &select)
    {
        if (select.empty())
            return;
        const string &n = names.at(owner.getId());
        body << "\nstatic inline void " << declare(n + "_set_" + member, place) << "(const struct "
             << n << "_builder *builder)\n{\n"
             << select << "}\n";
    }

    void write_primitive(Node::Reader owner, const string &place, Field::Reader field,
                         const string &member, const string &select)
    {
        const string &n = names.at(owner.getId());
        auto slot = field.getSlot();
        Primitive p = primitive(slot.getType(), slot.getDefaultValue(), place);
        string width = std::to_string(p.bits);
        string unsigned_type = "uint" + width + "_t";
        string suffix = p.bits == 1 ? "bool" : "u" + width;
        uint32_t offset = p.bits == 1 ? slot.getOffset() : slot.getOffset() * (p.bits / 8);
        string read =
            "capnp_struct_" + suffix + "(&reader->fields, " + std::to_string(offset) + ")";
        string write = p.is_float ? "capnp_f" + width + "_to_bits(value)"
                       : p.c_type == unsigned_type || p.bits == 1 ? string("value")
                                                                  : "(" + unsigned_type + ")value";
        if (p.default_bits != 0 && p.bits == 1) {
            read = "!" + read;
            write = "!" + write;
        } else if (p.default_bits != 0) {
            string mask = " ^ UINT" + width + "_C(" + hex(p.default_bits) + ")";
            read = "(" + unsigned_type + ")(" + read + mask + ")";
            write = "(" + unsigned_type + ")(" + write + mask + ")";
        }
        if (p.is_float)
            read = "capnp_f" + width + "_from_bits(" + read + ")";
        else if (p.c_type != unsigned_type && p.bits != 1)
            read = "(" + p.c_type + ")" + read;
        body << "\nstatic inline " << p.c_type << " " << declare(n + "_" + member, place)
             << "(const struct " << n << "_reader *reader)\n{\n    return " << read << ";\n}\n";
        body << "\nstatic inline void " << declare(n + "_set_" + member, place) << "(const struct "
             << n << "_builder *builder, " << p.c_type << " value)\n{\n"
             << select << store(p.bits, slot.getOffset(), write) << "}\n";
    }

    void write_pointer(Node::Reader owner, const string &place, Field::Reader field,
                       const string &member, const string &select)
    {
        auto slot = field.getSlot();
        if (slot.getHadExplicitDefault())
            refuse(place, "default values of text, data, lists and structs are not supported");
        const string &n = names.at(owner.getId());
        string index = std::to_string(slot.getOffset());
        body << "\nstatic inline bool " << declare(n + "_has_" + member, place) << "(const struct "
             << n << "_reader *reader)\n{\n"
             << "    return *capnp_struct_pointer(&reader->fields, " << index << ") != 0;\n}\n";
        switch (slot.getType().which()) {
        case Type::TEXT:
            write_getter(owner, place, member, "capnp_text", "text", index, "", "out");
            write_setter(owner, place, slot.getOffset(), member, select, "text");
            break;
        case Type::DATA:
            write_getter(owner, place, member, "capnp_data", "data", index, "", "out");
            write_setter(owner, place, slot.getOffset(), member, select, "data");
            break;
        case Type::STRUCT: {
            const string &target = type_name(slot.getType().getStruct(), place);
            write_getter(owner, place, member, target + "_reader", "struct", index, "",
                         "&out->fields");
            write_struct_init(owner, place, slot, member, select, target);
            break;
        }
        case Type::LIST: {
            Type::Reader element = slot.getType().getList().getElementType();
            string kind = element_kind(element, place);
            write_getter(owner, place, member, "capnp_list", "list", index, kind + ", ", "out");
            write_list_init(owner, place, slot, member, select, element, kind);
            break;
        }
        default:
            refuse(place, "AnyPointer and interface fields are not supported");
        }
    }

    void write_getter(Node::Reader owner, const string &place, const string &member,
                      const string &out_type, const string &kind, const string &index,
                      const string &argument, const string &target)
    {
        const string &n = names.at(owner.getId());
        body << "\nstatic inline NX_MUST_CHECK enum nx_status " << declare(n + "_" + member, place)
             << "(\n    const struct " << n << "_reader *reader, struct " << out_type
             << " *out)\n{\n    return capnp_struct_" << kind << "(&reader->fields, " << index
             << ", " << argument << target << ");\n}\n";
    }

    void write_setter(Node::Reader owner, const string &place, uint32_t slot, const string &member,
                      const string &select, const string &kind)
    {
        const string &n = names.at(owner.getId());
        body << "\nstatic inline NX_MUST_CHECK enum nx_status "
             << declare(n + "_set_" + member, place) << "(\n    const struct " << n
             << "_builder *builder, struct capnp_" << kind << " value)\n{\n"
             << returning(select, "capnp_build_" + kind + "(builder->message, " +
                                      pointer_word(owner, slot) + ", value)")
             << "}\n";
    }

    void write_struct_init(Node::Reader owner, const string &place, Field::Slot::Reader slot,
                           const string &member, const string &select, const string &target)
    {
        const string &n = names.at(owner.getId());
        auto shape = nodes.at(slot.getType().getStruct().getTypeId()).getStruct();
        body << "\nstatic inline NX_MUST_CHECK enum nx_status "
             << declare(n + "_init_" + member, place) << "(\n    const struct " << n
             << "_builder *builder, struct " << target << "_builder *out)\n{\n"
             << "    out->message = builder->message;\n"
             << returning(select, "capnp_build_struct(builder->message, " +
                                      pointer_word(owner, slot.getOffset()) + ", " +
                                      std::to_string(shape.getDataWordCount()) + ", " +
                                      std::to_string(shape.getPointerCount()) + ", &out->words)")
             << "}\n";
    }

    void write_list_init(Node::Reader owner, const string &place, Field::Slot::Reader slot,
                         const string &member, const string &select, Type::Reader element,
                         const string &kind)
    {
        const string &n = names.at(owner.getId());
        string function = "capnp_build_list";
        string arguments = kind;
        if (element.isStruct()) {
            type_name(element.getStruct(), place);
            auto shape = nodes.at(element.getStruct().getTypeId()).getStruct();
            function = "capnp_build_struct_list";
            arguments = std::to_string(shape.getDataWordCount()) + ", " +
                        std::to_string(shape.getPointerCount());
        }
        body << "\nstatic inline NX_MUST_CHECK enum nx_status "
             << declare(n + "_init_" + member, place) << "(\n    const struct " << n
             << "_builder *builder, uint32_t count, struct capnp_list_builder *out)\n{\n"
             << returning(select, function + "(builder->message, " +
                                      pointer_word(owner, slot.getOffset()) + ", " + arguments +
                                      ", count, out)")
             << "}\n";
    }
};

void run()
{
    capnp::ReaderOptions options;
    options.traversalLimitInWords = UINT64_C(1) << 30; // the compiler that sends this is trusted
    capnp::StreamFdMessageReader message(STDIN_FILENO, options);
    auto request = message.getRoot<CodeGeneratorRequest>();
    std::map<uint64_t, Node::Reader> nodes;
    for (auto node : request.getNodes())
        nodes.emplace(node.getId(), node);
    for (auto requested : request.getRequestedFiles()) {
        string path = requested.getFilename().cStr();
        string text = FileGenerator(nodes, nodes.at(requested.getId()), path).generate();
        std::ofstream out(path + ".h", std::ios::binary);
        out << text;
        out.close();
        if (!out)
            throw std::runtime_error(path + ".h: cannot be written");
    }
}

} // namespace

int main()
{
    try {
        run();
    } catch (const std::exception &error) {
        std::cerr << "capnpc-nexus: " << error.what() << "\n";
        return EXIT_FAILURE;
    } catch (const kj::Exception &error) {
        std::cerr << "capnpc-nexus: " << error.getDescription().cStr() << "\n";
        return EXIT_FAILURE;
    }
    return EXIT_SUCCESS;
}
