// SPDX-License-Identifier: Apache-2.0
// The ELF64 file format, as far as a static executable needs it: System V gABI, chapters 4 ("ELF
// Header") and 5 ("Program Header"), with the same names; RISC-V numbers from the RISC-V psABI.
//
// Private to the reader, so that a file that includes the host's <elf.h> can use elf/elf.h.
#ifndef ELF_ELF_FORMAT_H
#define ELF_ELF_FORMAT_H

#include <stddef.h>
#include <stdint.h>

typedef uint64_t Elf64_Addr;
typedef uint64_t Elf64_Off;
typedef uint64_t Elf64_Xword;
typedef uint32_t Elf64_Word;
typedef uint16_t Elf64_Half;

// Indices in e_ident.
enum {
    EI_MAG0 = 0,
    EI_CLASS = 4,
    EI_DATA = 5,
    EI_VERSION = 6,
    EI_NIDENT = 16,
};

#define ELFMAG      "\177ELF"
#define SELFMAG     4u
#define ELFCLASS64  2u
#define ELFDATA2LSB 1u
#define EV_CURRENT  1u
#define ET_EXEC     2u
#define EM_RISCV    243u

typedef struct {
    unsigned char e_ident[EI_NIDENT];
    Elf64_Half e_type;
    Elf64_Half e_machine;
    Elf64_Word e_version;
    Elf64_Addr e_entry;
    Elf64_Off e_phoff;
    Elf64_Off e_shoff;
    Elf64_Word e_flags;
    Elf64_Half e_ehsize;
    Elf64_Half e_phentsize;
    Elf64_Half e_phnum;
    Elf64_Half e_shentsize;
    Elf64_Half e_shnum;
    Elf64_Half e_shstrndx;
} Elf64_Ehdr;

_Static_assert(sizeof(Elf64_Ehdr) == 64, "gABI: 64 bytes");
_Static_assert(offsetof(Elf64_Ehdr, e_type) == 16, "gABI: after e_ident");
_Static_assert(offsetof(Elf64_Ehdr, e_entry) == 24, "gABI");
_Static_assert(offsetof(Elf64_Ehdr, e_phoff) == 32, "gABI");
_Static_assert(offsetof(Elf64_Ehdr, e_phentsize) == 54, "gABI");
_Static_assert(offsetof(Elf64_Ehdr, e_phnum) == 56, "gABI");

#define PT_LOAD    1u
#define PT_DYNAMIC 2u
#define PT_INTERP  3u
#define PT_TLS     7u

#define PF_X 1u
#define PF_W 2u
#define PF_R 4u

typedef struct {
    Elf64_Word p_type;
    Elf64_Word p_flags;
    Elf64_Off p_offset;
    Elf64_Addr p_vaddr;
    Elf64_Addr p_paddr;
    Elf64_Xword p_filesz;
    Elf64_Xword p_memsz;
    Elf64_Xword p_align;
} Elf64_Phdr;

_Static_assert(sizeof(Elf64_Phdr) == 56, "gABI: 56 bytes");
_Static_assert(offsetof(Elf64_Phdr, p_offset) == 8, "gABI");
_Static_assert(offsetof(Elf64_Phdr, p_vaddr) == 16, "gABI");
_Static_assert(offsetof(Elf64_Phdr, p_filesz) == 32, "gABI");
_Static_assert(offsetof(Elf64_Phdr, p_memsz) == 40, "gABI");
_Static_assert(offsetof(Elf64_Phdr, p_align) == 48, "gABI");

// The structures are copied from the file as they are: both sides are little-endian.
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "this reader is for little-endian hosts");

#endif
