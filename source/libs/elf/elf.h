// SPDX-License-Identifier: Apache-2.0
// Checker of executables: says whether a file in memory is a static ELF64 little-endian RISC-V
// executable that can be loaded safely, and what to load; made for hostile input.
//
// elf_check() makes every check; whoever loads the image afterwards needs none. It reads nothing
// outside the file, allocates nothing and keeps no pointer to the file. No locks.
//
// An accepted image has these properties. Each segment's file bytes lie in the file, and its memory
// lies in the caller's window, as do the whole pages that it touches when the window's bounds are
// page aligned. Segments do not overlap; two that share a page have the same permissions. No
// segment is writable and executable, every one is readable or executable, and a writable one is
// readable (the other combinations cannot be expressed in a RISC-V page table entry). A segment's
// address and file offset agree in their lowest 12 bits, so whole pages of the file can be mapped.
// The entry point is an instruction that comes from the file.
#ifndef ELF_ELF_H
#define ELF_ELF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "nexus/status.h"

#define ELF_MAX_SEGMENTS 8u
#define ELF_PAGE_SIZE    4096u

// Permissions of a segment, a set; the numbers are those of the file format (PF_X, PF_W, PF_R).
enum elf_permission {
    ELF_EXECUTE = 1,
    ELF_WRITE = 2,
    ELF_READ = 4,
};

struct elf_segment {
    uint64_t file_offset; // of the first byte to copy or map
    uint64_t file_size;   // bytes that come from the file; the rest of memory_size is zeroes
    uint64_t address;     // virtual address of the first byte
    uint64_t memory_size; // bytes, at least 1 for a PT_LOAD segment, and at least file_size
    uint32_t permissions; // of enum elf_permission
};

// The initial image of each thread's local storage (PT_TLS). Its file bytes are part of a segment.
struct elf_tls {
    uint64_t address;     // virtual address of the initial bytes
    uint64_t file_size;   // initial bytes; the rest of memory_size is zeroes
    uint64_t memory_size; // bytes per thread, at most the window's size; 0: no such storage
    uint64_t alignment;   // a power of two, at least 1 and at most ELF_PAGE_SIZE
};

struct elf_image {
    uint64_t entry;
    uint32_t segment_count; // 1 .. ELF_MAX_SEGMENTS; empty PT_LOADs are left out
    struct elf_segment segments[ELF_MAX_SEGMENTS]; // in the order of the program headers
    struct elf_tls tls;
};

// Why a file is refused: the first check that fails gives the reason.
enum elf_refusal {
    ELF_ACCEPTED = 0,
    ELF_TRUNCATED_HEADER,      // shorter than an ELF header
    ELF_BAD_MAGIC,             // no ELF file
    ELF_WRONG_CLASS,           // not 64 bits
    ELF_WRONG_BYTE_ORDER,      // not little-endian
    ELF_WRONG_VERSION,         // not version 1
    ELF_NOT_STATIC_EXECUTABLE, // not ET_EXEC, or wants a dynamic linker
    ELF_WRONG_MACHINE,         // not RISC-V
    ELF_BAD_HEADER_SIZE,       // program headers of another size than ELF64 has
    ELF_HEADERS_OUT_OF_FILE,   // the program header table is not inside the file
    ELF_NO_SEGMENTS,           // nothing to load
    ELF_TOO_MANY_SEGMENTS,     // more than ELF_MAX_SEGMENTS
    ELF_SEGMENT_OUT_OF_FILE,   // a segment's file bytes are not inside the file
    ELF_FILE_SIZE_OVER_MEMORY, // a segment has more file bytes than memory
    ELF_ADDRESS_OVERFLOW,      // a segment's end is past the end of the address space
    ELF_OUT_OF_WINDOW,         // a segment is not inside the window of addresses
    ELF_MISALIGNED,            // a segment's address and file offset differ modulo the page size
    ELF_WRITE_AND_EXECUTE,     // a segment is both writable and executable
    ELF_UNMAPPABLE,            // a segment is unreadable, or writable but not readable
    ELF_OVERLAP,               // two segments share addresses
    ELF_SHARED_PAGE,           // two segments with different permissions share a page
    ELF_BAD_ENTRY,             // the entry is no 2-aligned file byte of an executable segment
    ELF_BAD_TLS, // more than one PT_TLS, or one that is malformed or outside the segments
    ELF_REFUSAL_COUNT
};

// Checks the file of `size` bytes, whose segments must lie in the addresses [window_low,
// window_high), and describes in `image` what to load. `image` is unchanged when the file is
// refused.
NX_MUST_CHECK enum elf_refusal elf_check(struct elf_image *image, const void *file, size_t size,
                                         uint64_t window_low, uint64_t window_high);

// The reason in words ("segment is writable and executable"), for a message. Constant, never NULL.
const char *elf_refusal_text(enum elf_refusal refusal);

// The status to pass on: NX_OK when accepted, NX_ERR_TRUNCATED when bytes are missing from the
// file, NX_ERR_UNSUPPORTED for a sound file of another kind, else NX_ERR_BAD_FORMAT.
NX_MUST_CHECK enum nx_status elf_refusal_status(enum elf_refusal refusal);

#endif
