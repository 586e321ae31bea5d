// SPDX-License-Identifier: Apache-2.0
// What a schema file declares: the C name, the C type and the wire shape of each, and the parts of
// the header that do not depend on a struct's fields. Refuses what has no place in C.
#ifndef CAPNPC_NEXUS_DECLARATIONS_H
#define CAPNPC_NEXUS_DECLARATIONS_H

#include <capnp/schema.capnp.h>

#include <cctype>
#include <cstdint>
#include <cstring>
#include <map>
#include <set>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

namespace capnpc_nexus {

using capnp::schema::Field;
using capnp::schema::Node;
using capnp::schema::Type;
using capnp::schema::Value;
using std::string;

// camelCase to snake_case: a word starts at a capital after a small letter, and at the last capital
// of a run of them.
inline string snake_case(const string &name)
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

inline string upper_case(string name)
{
    for (char &c : name)
        c = static_cast<char>(toupper(static_cast<unsigned char>(c)));
    return name;
}

inline string hex(uint64_t value)
{
    std::ostringstream out;
    out << "0x" << std::hex << value;
    return out.str();
}

[[noreturn]] inline void refuse(const string &place, const string &construct)
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

// The base of the generator: walks the declarations and writes all but the fields' accessors.
class Declarations {
  public:
    Declarations(const std::map<uint64_t, Node::Reader> &all_nodes, Node::Reader file_node,
                 const string &file_path)
        : nodes(all_nodes), file(file_node), path(file_path)
    {
        string stem = path.substr(path.rfind('/') + 1);
        names[file.getId()] = snake_case(stem.substr(0, stem.find('.')));
    }

  protected:
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

    // How the words of a fresh struct become zero: one by one, so that the compiler can drop those
    // that a field's own store follows, unless they are many.
    void write_clear(const string &name, const string &place, unsigned words)
    {
        constexpr unsigned most_stores = 32;
        body << "\nCAPNP_INLINE void " << declare(name + "_clear", place)
             << "(uint64_t *words)\n{\n";
        if (words == 0)
            body << "    (void)words;\n";
        else if (words > most_stores)
            body << "    memset(words, 0, " << words << " * CAPNP_WORD_BYTES);\n";
        else
            for (unsigned word = 0; word < words; word++)
                body << "    words[" << word << "] = 0;\n";
        body << "}\n";
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
        write_clear(n, place, shape.getDataWordCount() + shape.getPointerCount());
        body << "\n// Reads the message whose root this is. `message` must outlive the reader.\n"
             << "CAPNP_INLINE NX_MUST_CHECK enum nx_status " << n << "_decode(\n"
             << "    const void *bytes, size_t length, struct capnp_reader *message, struct " << n
             << "_reader *out)\n{\n"
             << "    enum nx_status status = capnp_reader_init(message, bytes, length);\n"
             << "    return status == NX_OK ? capnp_root(message, &out->fields) : status;\n}\n";
        body << "\nstatic inline NX_MUST_CHECK enum nx_status " << n << "_at(\n"
             << "    const struct capnp_list *list, uint32_t index, struct " << n
             << "_reader *out)\n{\n"
             << "    return capnp_list_struct(list, index, &out->fields);\n}\n";
        body << "\n// Starts a message in `buffer` whose root this is.\n"
             << "CAPNP_INLINE NX_MUST_CHECK enum nx_status " << n << "_begin(\n"
             << "    struct capnp_builder *message, void *buffer, size_t size, struct " << n
             << "_builder *out)\n{\n"
             << "    enum nx_status status = capnp_builder_init(message, buffer, size);\n"
             << "    if (status != NX_OK)\n        return status;\n"
             << "    out->message = message;\n"
             << "    status = capnp_place_struct(message, message->words, " << size
             << ", &out->words);\n"
             << "    if (status == NX_OK)\n        " << n << "_clear(out->words);\n"
             << "    return status;\n}\n";
        body << "\nstatic inline NX_MUST_CHECK enum nx_status " << n << "_builder_at(\n"
             << "    const struct capnp_list_builder *list, uint32_t index, struct " << n
             << "_builder *out)\n{\n    out->message = list->message;\n"
             << "    return capnp_list_struct_words(list, index, &out->words);\n}\n";
    }
};

} // namespace capnpc_nexus

#endif
