// SPDX-License-Identifier: Apache-2.0
// capnpc-nexus: the back end of `capnp compile` that writes typed C accessors.
//
// Reads a CodeGeneratorRequest from standard input and writes X.capnp.h for every requested X.capnp
// into the working directory. What it writes is static inline functions over source/libs/capnp:
//
// - A struct S in x.capnp: struct x_s_reader, x_s_decode(), x_s_at() and one getter a field;
//   struct x_s_builder, x_s_begin(), x_s_builder_at(), setters and inits.
// - A field f of a group g: x_s_g_f(), x_s_set_g_f(). The group has no type of its own.
// - A union: enum x_s_which, x_s_which(). A setter or init selects its member.
// - An enum E, a constant c: enum x_e with X_E_MEMBER; #define X_C.
//
// A construct outside of this is an error that names it and its place, never a silent omission.
#include "declarations.h"

#include <capnp/serialize.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <unistd.h>

namespace capnpc_nexus {

using capnp::schema::CodeGeneratorRequest;

class FileGenerator : private Declarations {
  public:
    using Declarations::Declarations;

    string generate()
    {
        refuse_annotations(file, path);
        collect(file);
        for (auto node : enums)
            write_enum(node);
        for (auto node : structs)
            write_types(node);
        for (auto node : structs)
            write_fields(node, node, "");
        return header() + body.str() + "\n#endif\n";
    }

  private:
    // The accessors of `scope`, which is the struct `owner` or a group inside of it at `prefix`.
    void write_fields(Node::Reader owner, Node::Reader scope, const string &prefix)
    {
        if (scope.getStruct().getDiscriminantCount() != 0)
            write_which(owner, scope, prefix);
        write_scalars(owner, scope, prefix);
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

    // Where a primitive lies in the data section, in bytes; of a bool, in bits.
    static uint32_t wire_offset(const Primitive &p, uint32_t slot)
    {
        return p.bits == 1 ? slot : slot * (p.bits / 8);
    }

    static string default_mask(const Primitive &p)
    {
        return " ^ UINT" + std::to_string(p.bits) + "_C(" + hex(p.default_bits) + ")";
    }

    // The C value of a primitive that `wire` loads.
    static string value_of(const Primitive &p, string wire)
    {
        string width = std::to_string(p.bits);
        string unsigned_type = "uint" + width + "_t";
        if (p.default_bits != 0 && p.bits == 1)
            wire = "!" + wire;
        else if (p.default_bits != 0)
            wire = "(" + unsigned_type + ")(" + wire + default_mask(p) + ")";
        if (p.is_float)
            return "capnp_f" + width + "_from_bits(" + wire + ")";
        return p.c_type != unsigned_type && p.bits != 1 ? "(" + p.c_type + ")" + wire : wire;
    }

    // All primitives of a struct or a group at once, those in its unions left out: one check of the
    // data section, then a load for each.
    void write_scalars(Node::Reader owner, Node::Reader scope, const string &prefix)
    {
        std::ostringstream members;
        std::ostringstream loads;
        uint32_t end_bits = 0;
        unsigned count = 0;
        for (auto field : scope.getStruct().getFields()) {
            if (field.isGroup() || field.getDiscriminantValue() != Field::NO_DISCRIMINANT ||
                field.getSlot().getType().isVoid() || is_pointer(field.getSlot().getType()))
                continue;
            auto slot = field.getSlot();
            Primitive p = primitive(slot.getType(), slot.getDefaultValue(), place_of(scope, field));
            string name = snake_case(field.getName());
            string load = p.bits == 1 ? "bit" : "u" + std::to_string(p.bits);
            string offset = std::to_string(wire_offset(p, slot.getOffset()));
            members << "    " << p.c_type << " " << name << ";\n";
            loads << "        ." << name << " = "
                  << value_of(p, "capnp_load_" + load + "(data, " + offset + ")") << ",\n";
            end_bits = std::max(end_bits, (slot.getOffset() + 1) * p.bits);
            count++;
        }
        if (count < 2) // its accessor does as well
            return;
        const string &n = names.at(owner.getId());
        string name = declare(n + "_" + prefix + "scalars", place_of(scope));
        uint32_t words = (end_bits + 63) / 64;
        body << "\nstruct " << name << " {\n"
             << members.str() << "};\n\n// All of these at once.\n"
             << "CAPNP_INLINE struct " << name << " " << name << "(const struct " << n
             << "_reader *reader)\n{\n    uint64_t room[" << words
             << "];\n    const uint8_t *data = capnp_struct_data_at_least(&reader->fields, "
             << words << " * CAPNP_WORD_BYTES, room);\n    return (struct " << name << "){\n"
             << loads.str() << "    };\n}\n";
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
        uint32_t offset = wire_offset(p, slot.getOffset());
        string read = value_of(p, "capnp_struct_" + suffix + "(&reader->fields, " +
                                      std::to_string(offset) + ")");
        string write = p.is_float ? "capnp_f" + width + "_to_bits(value)"
                       : p.c_type == unsigned_type || p.bits == 1 ? string("value")
                                                                  : "(" + unsigned_type + ")value";
        if (p.default_bits != 0 && p.bits == 1) {
            write = "!" + write;
        } else if (p.default_bits != 0) {
            write = "(" + unsigned_type + ")(" + write + default_mask(p) + ")";
        }
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
             << "    enum nx_status status = capnp_place_struct(builder->message, "
             << pointer_word(owner, slot.getOffset()) << ", " << shape.getDataWordCount() << ", "
             << shape.getPointerCount() << ", &out->words);\n"
             << "    if (status == NX_OK) {\n        " << target << "_clear(out->words);\n    "
             << select << "    }\n    return status;\n}\n";
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

} // namespace capnpc_nexus

int main()
{
    try {
        capnpc_nexus::run();
    } catch (const std::exception &error) {
        std::cerr << "capnpc-nexus: " << error.what() << "\n";
        return EXIT_FAILURE;
    } catch (const kj::Exception &error) {
        std::cerr << "capnpc-nexus: " << error.getDescription().cStr() << "\n";
        return EXIT_FAILURE;
    }
    return EXIT_SUCCESS;
}
