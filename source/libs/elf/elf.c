// SPDX-License-Identifier: Apache-2.0
// Checks of static RISC-V executables (System V gABI, chapters 4 and 5).
//
// Order: the ELF header, then each program header by itself, then the segments against each other,
// then what refers to segments (entry, thread-local storage). Ranges are compared by subtraction
// from what is left, so that no sum can overflow before it has been checked.
#include "elf/elf.h"

#include <string.h>

#include "elf/elf_format.h"

_Static_assert(ELF_EXECUTE == PF_X && ELF_WRITE == PF_W && ELF_READ == PF_R,
               "permissions are the file format's flags");

#define PERMISSION_MASK (PF_X | PF_W | PF_R)
#define PAGE_MASK       ((uint64_t)ELF_PAGE_SIZE - 1)

struct elf_input {
    const uint8_t *file;
    size_t size;
    uint64_t window_low;
    uint64_t window_high;
};

struct refusal_row {
    const char *text;
    enum nx_status status;
};

static const struct refusal_row refusals[ELF_REFUSAL_COUNT] = {
    [ELF_ACCEPTED] = {"accepted", NX_OK},
    [ELF_TRUNCATED_HEADER] = {"file is shorter than an elf header", NX_ERR_TRUNCATED},
    [ELF_BAD_MAGIC] = {"not an elf file", NX_ERR_BAD_FORMAT},
    [ELF_WRONG_CLASS] = {"not a 64-bit elf file", NX_ERR_UNSUPPORTED},
    [ELF_WRONG_BYTE_ORDER] = {"not a little-endian elf file", NX_ERR_UNSUPPORTED},
    [ELF_WRONG_VERSION] = {"unknown elf version", NX_ERR_UNSUPPORTED},
    [ELF_NOT_STATIC_EXECUTABLE] = {"not a static executable", NX_ERR_UNSUPPORTED},
    [ELF_WRONG_MACHINE] = {"not for risc-v", NX_ERR_UNSUPPORTED},
    [ELF_BAD_HEADER_SIZE] = {"program headers of wrong size", NX_ERR_BAD_FORMAT},
    [ELF_HEADERS_OUT_OF_FILE] = {"program headers are outside the file", NX_ERR_TRUNCATED},
    [ELF_NO_SEGMENTS] = {"no segments to load", NX_ERR_BAD_FORMAT},
    [ELF_TOO_MANY_SEGMENTS] = {"too many segments", NX_ERR_UNSUPPORTED},
    [ELF_SEGMENT_OUT_OF_FILE] = {"segment is outside the file", NX_ERR_TRUNCATED},
    [ELF_FILE_SIZE_OVER_MEMORY] = {"segment has more file bytes than memory", NX_ERR_BAD_FORMAT},
    [ELF_ADDRESS_OVERFLOW] = {"segment address overflows", NX_ERR_BAD_FORMAT},
    [ELF_OUT_OF_WINDOW] = {"segment is outside the allowed addresses", NX_ERR_BAD_FORMAT},
    [ELF_MISALIGNED] = {"segment address and file offset differ within a page", NX_ERR_BAD_FORMAT},
    [ELF_WRITE_AND_EXECUTE] = {"segment is writable and executable", NX_ERR_BAD_FORMAT},
    [ELF_UNMAPPABLE] = {"segment permissions cannot be mapped", NX_ERR_BAD_FORMAT},
    [ELF_OVERLAP] = {"segments overlap", NX_ERR_BAD_FORMAT},
    [ELF_SHARED_PAGE] = {"segments of different permissions share a page", NX_ERR_BAD_FORMAT},
    [ELF_BAD_ENTRY] = {"entry is not in an executable segment", NX_ERR_BAD_FORMAT},
    [ELF_BAD_TLS] = {"bad thread-local storage segment", NX_ERR_BAD_FORMAT},
};

const char *elf_refusal_text(enum elf_refusal refusal)
{
    return (uint32_t)refusal < ELF_REFUSAL_COUNT ? refusals[refusal].text : "unknown reason";
}

enum nx_status elf_refusal_status(enum elf_refusal refusal)
{
    return (uint32_t)refusal < ELF_REFUSAL_COUNT ? refusals[refusal].status : NX_ERR_BAD_FORMAT;
}

// Whether [start, start + length) lies in [low, high); start + length must not overflow.
static bool lies_in(uint64_t start, uint64_t length, uint64_t low, uint64_t high)
{
    return start >= low && start <= high && length <= high - start;
}

// ---- the header ----

static enum elf_refusal check_header(const struct elf_input *input, Elf64_Ehdr *header)
{
    if (input->size < sizeof(*header)) {
        return ELF_TRUNCATED_HEADER;
    }
    memcpy(header, input->file, sizeof(*header));
    if (memcmp(header->e_ident + EI_MAG0, ELFMAG, SELFMAG) != 0) {
        return ELF_BAD_MAGIC;
    }
    if (header->e_ident[EI_CLASS] != ELFCLASS64) {
        return ELF_WRONG_CLASS;
    }
    if (header->e_ident[EI_DATA] != ELFDATA2LSB) {
        return ELF_WRONG_BYTE_ORDER;
    }
    if (header->e_ident[EI_VERSION] != EV_CURRENT || header->e_version != EV_CURRENT) {
        return ELF_WRONG_VERSION;
    }
    if (header->e_type != ET_EXEC) {
        return ELF_NOT_STATIC_EXECUTABLE;
    }
    if (header->e_machine != EM_RISCV) {
        return ELF_WRONG_MACHINE;
    }
    if (header->e_phnum == 0) {
        return ELF_NO_SEGMENTS; // and e_phentsize may be anything
    }
    if (header->e_phentsize != sizeof(Elf64_Phdr)) {
        return ELF_BAD_HEADER_SIZE;
    }
    uint64_t table_size = (uint64_t)header->e_phnum * sizeof(Elf64_Phdr);
    if (!lies_in(header->e_phoff, table_size, 0, input->size)) {
        return ELF_HEADERS_OUT_OF_FILE;
    }
    return ELF_ACCEPTED;
}

// ---- each program header ----

static enum elf_refusal check_permissions(uint32_t flags)
{
    if ((flags & PF_W) != 0 && (flags & PF_X) != 0) {
        return ELF_WRITE_AND_EXECUTE;
    }
    if ((flags & (PF_R | PF_X)) == 0) {
        return ELF_UNMAPPABLE;
    }
    return ELF_ACCEPTED;
}

static enum elf_refusal check_load(const struct elf_input *input, const Elf64_Phdr *header)
{
    if (!lies_in(header->p_offset, header->p_filesz, 0, input->size)) {
        return ELF_SEGMENT_OUT_OF_FILE;
    }
    if (header->p_filesz > header->p_memsz) {
        return ELF_FILE_SIZE_OVER_MEMORY;
    }
    if (header->p_memsz == 0) {
        return ELF_ACCEPTED; // nothing of it is loaded, so its other fields mean nothing
    }
    if (header->p_memsz > UINT64_MAX - header->p_vaddr) {
        return ELF_ADDRESS_OVERFLOW;
    }
    if (!lies_in(header->p_vaddr, header->p_memsz, input->window_low, input->window_high)) {
        return ELF_OUT_OF_WINDOW;
    }
    if ((header->p_vaddr & PAGE_MASK) != (header->p_offset & PAGE_MASK)) {
        return ELF_MISALIGNED;
    }
    return check_permissions(header->p_flags);
}

static enum elf_refusal add_segment(const struct elf_input *input, const Elf64_Phdr *header,
                                    struct elf_image *image)
{
    enum elf_refusal refusal = check_load(input, header);
    if (refusal != ELF_ACCEPTED || header->p_memsz == 0) {
        return refusal;
    }
    if (image->segment_count == ELF_MAX_SEGMENTS) {
        return ELF_TOO_MANY_SEGMENTS;
    }
    image->segments[image->segment_count++] = (struct elf_segment){
        .file_offset = header->p_offset,
        .file_size = header->p_filesz,
        .address = header->p_vaddr,
        .memory_size = header->p_memsz,
        .permissions = header->p_flags & PERMISSION_MASK,
    };
    return ELF_ACCEPTED;
}

// Takes the one PT_TLS; where it lies is checked when all segments are known. A thread's copy must
// fit in the window, like everything else that is to be in memory.
static enum elf_refusal set_tls(const struct elf_input *input, const Elf64_Phdr *header, bool *seen,
                                struct elf_image *image)
{
    uint64_t alignment = header->p_align == 0 ? 1 : header->p_align;
    if (*seen || header->p_filesz > header->p_memsz || alignment > ELF_PAGE_SIZE ||
        (alignment & (alignment - 1)) != 0) {
        return ELF_BAD_TLS;
    }
    if (!lies_in(input->window_low, header->p_memsz, input->window_low, input->window_high)) {
        return ELF_BAD_TLS;
    }
    *seen = true;
    image->tls = (struct elf_tls){
        .address = header->p_vaddr,
        .file_size = header->p_filesz,
        .memory_size = header->p_memsz,
        .alignment = alignment,
    };
    return ELF_ACCEPTED;
}

static enum elf_refusal read_program_headers(const struct elf_input *input,
                                             const Elf64_Ehdr *elf_header, struct elf_image *image)
{
    bool tls_seen = false;
    const uint8_t *table = input->file + elf_header->e_phoff;
    for (uint32_t i = 0; i < elf_header->e_phnum; i++) {
        Elf64_Phdr header;
        memcpy(&header, table + i * sizeof(header), sizeof(header));
        enum elf_refusal refusal = ELF_ACCEPTED;
        switch (header.p_type) {
        case PT_LOAD:
            refusal = add_segment(input, &header, image);
            break;
        case PT_TLS:
            refusal = set_tls(input, &header, &tls_seen, image);
            break;
        case PT_DYNAMIC:
        case PT_INTERP:
            refusal = ELF_NOT_STATIC_EXECUTABLE;
            break;
        default:
            break; // notes, attributes and the like are not loaded
        }
        if (refusal != ELF_ACCEPTED) {
            return refusal;
        }
    }
    return image->segment_count == 0 ? ELF_NO_SEGMENTS : ELF_ACCEPTED;
}

// ---- segments against each other, and what refers to them ----

// Whether two ranges, inclusive of both ends, have an element in common.
static bool ranges_meet(uint64_t first, uint64_t last, uint64_t other_first, uint64_t other_last)
{
    return first <= other_last && other_first <= last;
}

static enum elf_refusal check_pair(const struct elf_segment *a, const struct elf_segment *b)
{
    // memory_size is at least 1 and address + memory_size does not overflow.
    uint64_t a_last = a->address + a->memory_size - 1;
    uint64_t b_last = b->address + b->memory_size - 1;
    if (ranges_meet(a->address, a_last, b->address, b_last)) {
        return ELF_OVERLAP;
    }
    if (a->permissions != b->permissions &&
        ranges_meet(a->address / ELF_PAGE_SIZE, a_last / ELF_PAGE_SIZE, b->address / ELF_PAGE_SIZE,
                    b_last / ELF_PAGE_SIZE)) {
        return ELF_SHARED_PAGE;
    }
    return ELF_ACCEPTED;
}

static enum elf_refusal check_pairs(const struct elf_image *image)
{
    for (uint32_t i = 0; i < image->segment_count; i++) {
        for (uint32_t j = i + 1; j < image->segment_count; j++) {
            enum elf_refusal refusal = check_pair(&image->segments[i], &image->segments[j]);
            if (refusal != ELF_ACCEPTED) {
                return refusal;
            }
        }
    }
    return ELF_ACCEPTED;
}

// Whether `length` bytes at `address` come from the file, in a segment with all of `permissions`.
static bool comes_from_file(const struct elf_image *image, uint64_t address, uint64_t length,
                            uint32_t permissions)
{
    for (uint32_t i = 0; i < image->segment_count; i++) {
        const struct elf_segment *segment = &image->segments[i];
        if ((segment->permissions & permissions) == permissions &&
            lies_in(address, length, segment->address, segment->address + segment->file_size)) {
            return true;
        }
    }
    return false;
}

static enum elf_refusal check_references(const struct elf_image *image)
{
    // Two bytes: the shortest instruction.
    if (image->entry % 2 != 0 || !comes_from_file(image, image->entry, 2, ELF_EXECUTE)) {
        return ELF_BAD_ENTRY;
    }
    const struct elf_tls *tls = &image->tls;
    if (tls->file_size != 0 && !comes_from_file(image, tls->address, tls->file_size, ELF_READ)) {
        return ELF_BAD_TLS;
    }
    return ELF_ACCEPTED;
}

enum elf_refusal elf_check(struct elf_image *image, const void *file, size_t size,
                           uint64_t window_low, uint64_t window_high)
{
    struct elf_input input = {file, size, window_low, window_high};
    Elf64_Ehdr header;
    enum elf_refusal refusal = check_header(&input, &header);
    if (refusal != ELF_ACCEPTED) {
        return refusal;
    }
    struct elf_image found = {.entry = header.e_entry, .tls = {.alignment = 1}};
    refusal = read_program_headers(&input, &header, &found);
    if (refusal == ELF_ACCEPTED) {
        refusal = check_pairs(&found);
    }
    if (refusal == ELF_ACCEPTED) {
        refusal = check_references(&found);
    }
    if (refusal == ELF_ACCEPTED) {
        *image = found;
    }
    return refusal;
}
