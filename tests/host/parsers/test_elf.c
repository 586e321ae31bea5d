// SPDX-License-Identifier: Apache-2.0
// The executable checker: one test per refusal, each a sound file with one thing made wrong, and
// mutations of a sound file. The file that is made here has text, data and thread-local storage.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <elf.h> // the host's own definitions: a second opinion on the layout

#include "parsers/elf_exercise.h"
#include "parsers/mutate.h"

#define MUTATIONS 50000u
#define LOW       ELF_EXERCISE_LOW
#define HIGH      ELF_EXERCISE_HIGH
#define FILE_SIZE 0x2200u

// Room for more program headers than a test adds.
struct made_file {
    _Alignas(16) uint8_t bytes[FILE_SIZE];
    size_t size;
};

static Elf64_Ehdr *elf_header(struct made_file *file)
{
    return (Elf64_Ehdr *)(void *)file->bytes;
}

static Elf64_Phdr *program_header(struct made_file *file, unsigned index)
{
    return (Elf64_Phdr *)(void *)(file->bytes + sizeof(Elf64_Ehdr)) + index;
}

static Elf64_Phdr *add_program_header(struct made_file *file, Elf64_Phdr header)
{
    Elf64_Phdr *added = program_header(file, elf_header(file)->e_phnum++);
    *added = header;
    return added;
}

// Program headers of sound_file().
enum { TEXT = 0, DATA = 1, TLS = 2 };

// Text at 0x10000 (file 0x1000), data at 0x12000 (file 0x2000) with bss, TLS at the start of data.
static struct made_file sound_file(void)
{
    struct made_file file = {.size = FILE_SIZE};
    *elf_header(&file) = (Elf64_Ehdr){
        .e_ident = {0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT},
        .e_type = ET_EXEC,
        .e_machine = EM_RISCV,
        .e_version = EV_CURRENT,
        .e_entry = 0x10010,
        .e_phoff = sizeof(Elf64_Ehdr),
        .e_ehsize = sizeof(Elf64_Ehdr),
        .e_phentsize = sizeof(Elf64_Phdr),
    };
    add_program_header(&file, (Elf64_Phdr){.p_type = PT_LOAD,
                                           .p_flags = PF_R | PF_X,
                                           .p_offset = 0x1000,
                                           .p_vaddr = 0x10000,
                                           .p_filesz = 0x800,
                                           .p_memsz = 0x800,
                                           .p_align = 0x1000});
    add_program_header(&file, (Elf64_Phdr){.p_type = PT_LOAD,
                                           .p_flags = PF_R | PF_W,
                                           .p_offset = 0x2000,
                                           .p_vaddr = 0x12000,
                                           .p_filesz = 0x200,
                                           .p_memsz = 0x1800,
                                           .p_align = 0x1000});
    add_program_header(&file, (Elf64_Phdr){.p_type = PT_TLS,
                                           .p_flags = PF_R,
                                           .p_offset = 0x2000,
                                           .p_vaddr = 0x12000,
                                           .p_filesz = 0x20,
                                           .p_memsz = 0x40,
                                           .p_align = 16});
    return file;
}

// Checks a copy in an allocation of exactly the file's size.
static enum elf_refusal check(const struct made_file *file)
{
    uint8_t *copy = bytes_exact_copy(file->bytes, file->size);
    enum elf_refusal refusal = elf_exercise(copy, file->size);
    free(copy);
    return refusal;
}

static void assert_refused(const struct made_file *file, enum elf_refusal expected)
{
    enum elf_refusal refusal = check(file);
    assert_string_equal(elf_refusal_text(refusal), elf_refusal_text(expected));
    assert_int_equal(refusal, expected);
}

// ---- accepted files ----

static void test_a_sound_file_is_described_as_it_is(void **state)
{
    (void)state;
    struct made_file file = sound_file();
    struct elf_image image;
    assert_refused(&file, ELF_ACCEPTED);
    assert_int_equal(elf_check(&image, file.bytes, file.size, LOW, HIGH), ELF_ACCEPTED);
    assert_int_equal(image.entry, 0x10010);
    assert_int_equal(image.segment_count, 2);
    assert_int_equal(image.segments[0].file_offset, 0x1000);
    assert_int_equal(image.segments[0].address, 0x10000);
    assert_int_equal(image.segments[0].permissions, ELF_READ | ELF_EXECUTE);
    assert_int_equal(image.segments[1].file_size, 0x200);
    assert_int_equal(image.segments[1].memory_size, 0x1800);
    assert_int_equal(image.segments[1].permissions, ELF_READ | ELF_WRITE);
    assert_int_equal(image.tls.address, 0x12000);
    assert_int_equal(image.tls.file_size, 0x20);
    assert_int_equal(image.tls.memory_size, 0x40);
    assert_int_equal(image.tls.alignment, 16);
}

static void test_a_file_without_thread_local_storage_has_none(void **state)
{
    (void)state;
    struct made_file file = sound_file();
    struct elf_image image;
    elf_header(&file)->e_phnum = 2;
    assert_int_equal(elf_check(&image, file.bytes, file.size, LOW, HIGH), ELF_ACCEPTED);
    assert_int_equal(image.tls.memory_size, 0);
}

static void test_an_empty_segment_and_other_headers_are_left_out(void **state)
{
    (void)state;
    struct made_file file = sound_file();
    struct elf_image image;
    add_program_header(&file, (Elf64_Phdr){.p_type = PT_LOAD, .p_vaddr = 1});
    add_program_header(&file, (Elf64_Phdr){.p_type = PT_NOTE, .p_offset = UINT64_MAX});
    assert_int_equal(elf_check(&image, file.bytes, file.size, LOW, HIGH), ELF_ACCEPTED);
    assert_int_equal(image.segment_count, 2);
}

static void test_two_segments_of_equal_permissions_may_share_a_page(void **state)
{
    (void)state;
    struct made_file file = sound_file();
    Elf64_Phdr shared = *program_header(&file, TEXT);
    shared.p_vaddr += 0x800;
    shared.p_offset += 0x800;
    add_program_header(&file, shared);
    assert_refused(&file, ELF_ACCEPTED);
}

static void test_a_segment_may_fill_the_window_to_its_last_byte(void **state)
{
    (void)state;
    struct made_file file = sound_file();
    program_header(&file, DATA)->p_memsz = HIGH - 0x12000;
    assert_refused(&file, ELF_ACCEPTED);
    program_header(&file, DATA)->p_memsz = HIGH - 0x12000 + 1;
    assert_refused(&file, ELF_OUT_OF_WINDOW);
}

// ---- the header ----

static void test_a_file_shorter_than_a_header_is_refused(void **state)
{
    (void)state;
    struct made_file file = sound_file();
    for (file.size = 0; file.size < sizeof(Elf64_Ehdr); file.size++) {
        assert_refused(&file, ELF_TRUNCATED_HEADER);
    }
}

static void test_a_file_with_another_magic_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < 4; i++) {
        struct made_file file = sound_file();
        file.bytes[i] ^= 1;
        assert_refused(&file, ELF_BAD_MAGIC);
    }
}

static void test_a_32_bit_file_is_refused(void **state)
{
    (void)state;
    struct made_file file = sound_file();
    elf_header(&file)->e_ident[EI_CLASS] = ELFCLASS32;
    assert_refused(&file, ELF_WRONG_CLASS);
}

static void test_a_big_endian_file_is_refused(void **state)
{
    (void)state;
    struct made_file file = sound_file();
    elf_header(&file)->e_ident[EI_DATA] = ELFDATA2MSB;
    assert_refused(&file, ELF_WRONG_BYTE_ORDER);
}

static void test_another_elf_version_is_refused_in_both_places(void **state)
{
    (void)state;
    struct made_file file = sound_file();
    elf_header(&file)->e_ident[EI_VERSION] = 0;
    assert_refused(&file, ELF_WRONG_VERSION);
    file = sound_file();
    elf_header(&file)->e_version = 2;
    assert_refused(&file, ELF_WRONG_VERSION);
}

static void test_a_file_that_is_no_executable_is_refused(void **state)
{
    (void)state;
    static const Elf64_Half types[] = {ET_NONE, ET_REL, ET_DYN, ET_CORE};
    for (size_t i = 0; i < 4; i++) {
        struct made_file file = sound_file();
        elf_header(&file)->e_type = types[i];
        assert_refused(&file, ELF_NOT_STATIC_EXECUTABLE);
    }
}

static void test_an_executable_that_wants_a_dynamic_linker_is_refused(void **state)
{
    (void)state;
    struct made_file file = sound_file();
    add_program_header(&file, (Elf64_Phdr){.p_type = PT_INTERP});
    assert_refused(&file, ELF_NOT_STATIC_EXECUTABLE);
    file = sound_file();
    add_program_header(&file, (Elf64_Phdr){.p_type = PT_DYNAMIC});
    assert_refused(&file, ELF_NOT_STATIC_EXECUTABLE);
}

static void test_an_executable_for_another_machine_is_refused(void **state)
{
    (void)state;
    struct made_file file = sound_file();
    elf_header(&file)->e_machine = EM_X86_64;
    assert_refused(&file, ELF_WRONG_MACHINE);
}

static void test_program_headers_of_another_size_are_refused(void **state)
{
    (void)state;
    struct made_file file = sound_file();
    elf_header(&file)->e_phentsize = sizeof(Elf32_Phdr);
    assert_refused(&file, ELF_BAD_HEADER_SIZE);
}

static void test_program_headers_outside_the_file_are_refused(void **state)
{
    (void)state;
    static const uint64_t offsets[] = {FILE_SIZE - 3 * sizeof(Elf64_Phdr) + 1, FILE_SIZE,
                                       UINT64_MAX, UINT64_MAX - 3 * sizeof(Elf64_Phdr) + 1};
    for (size_t i = 0; i < 4; i++) {
        struct made_file file = sound_file();
        elf_header(&file)->e_phoff = offsets[i];
        assert_refused(&file, ELF_HEADERS_OUT_OF_FILE);
    }
    struct made_file many = sound_file();
    elf_header(&many)->e_phnum = UINT16_MAX;
    assert_refused(&many, ELF_HEADERS_OUT_OF_FILE);
}

// ---- segments ----

static void test_a_file_with_nothing_to_load_is_refused(void **state)
{
    (void)state;
    struct made_file file = sound_file();
    elf_header(&file)->e_phnum = 0;
    assert_refused(&file, ELF_NO_SEGMENTS);
    file = sound_file();
    program_header(&file, TEXT)->p_type = PT_NULL;
    program_header(&file, DATA)->p_type = PT_NULL;
    assert_refused(&file, ELF_NO_SEGMENTS);
}

static void test_eight_segments_are_accepted_and_nine_are_too_many(void **state)
{
    (void)state;
    struct made_file file = sound_file();
    for (uint64_t i = 0; i < 7; i++) {
        assert_refused(&file, ELF_ACCEPTED);
        add_program_header(&file, (Elf64_Phdr){.p_type = PT_LOAD,
                                               .p_flags = PF_R,
                                               .p_vaddr = 0x20000 + i * 0x1000,
                                               .p_memsz = 1});
    }
    assert_refused(&file, ELF_TOO_MANY_SEGMENTS);
}

static void test_a_segment_outside_the_file_is_refused(void **state)
{
    (void)state;
    struct made_file file = sound_file();
    program_header(&file, DATA)->p_filesz = 0x201;
    assert_refused(&file, ELF_SEGMENT_OUT_OF_FILE);
    file = sound_file();
    program_header(&file, DATA)->p_offset = UINT64_MAX - 0xfff; // offset + size wraps to 0x200 - 1
    assert_refused(&file, ELF_SEGMENT_OUT_OF_FILE);
    file = sound_file();
    file.size--;
    assert_refused(&file, ELF_SEGMENT_OUT_OF_FILE);
}

static void test_a_segment_with_more_file_than_memory_is_refused(void **state)
{
    (void)state;
    struct made_file file = sound_file();
    program_header(&file, TEXT)->p_memsz = 0x7ff;
    assert_refused(&file, ELF_FILE_SIZE_OVER_MEMORY);
}

static void test_a_segment_whose_address_overflows_is_refused(void **state)
{
    (void)state;
    struct made_file file = sound_file();
    program_header(&file, DATA)->p_vaddr = UINT64_MAX - 0xfff;
    assert_refused(&file, ELF_ADDRESS_OVERFLOW);
    file = sound_file();
    program_header(&file, DATA)->p_memsz = UINT64_MAX;
    assert_refused(&file, ELF_ADDRESS_OVERFLOW);
}

static void test_a_segment_outside_the_window_is_refused(void **state)
{
    (void)state;
    static const uint64_t addresses[] = {0, LOW - 0x1000, HIGH, HIGH - 0x1000, 0x80000000};
    for (size_t i = 0; i < 5; i++) {
        struct made_file file = sound_file();
        program_header(&file, DATA)->p_vaddr = addresses[i];
        assert_refused(&file, ELF_OUT_OF_WINDOW);
    }
}

static void test_a_misaligned_segment_is_refused(void **state)
{
    (void)state;
    struct made_file file = sound_file();
    program_header(&file, DATA)->p_vaddr += 8;
    assert_refused(&file, ELF_MISALIGNED);
}

static void test_a_writable_and_executable_segment_is_refused(void **state)
{
    (void)state;
    struct made_file file = sound_file();
    program_header(&file, DATA)->p_flags |= PF_X;
    assert_refused(&file, ELF_WRITE_AND_EXECUTE);
}

static void test_permissions_that_no_page_can_have_are_refused(void **state)
{
    (void)state;
    struct made_file file = sound_file();
    program_header(&file, DATA)->p_flags = PF_W;
    assert_refused(&file, ELF_UNMAPPABLE);
    program_header(&file, DATA)->p_flags = 0;
    assert_refused(&file, ELF_UNMAPPABLE);
}

static void test_overlapping_segments_are_refused_in_either_order(void **state)
{
    (void)state;
    struct made_file file = sound_file();
    add_program_header(&file, (Elf64_Phdr){.p_type = PT_LOAD,
                                           .p_flags = PF_R | PF_W,
                                           .p_offset = 0x7ff,
                                           .p_vaddr = 0x137ff, // data's last byte
                                           .p_memsz = 1});
    assert_refused(&file, ELF_OVERLAP);
    program_header(&file, 3)->p_vaddr = 0x11fff;
    program_header(&file, 3)->p_offset = 0xfff;
    program_header(&file, 3)->p_memsz = 2;
    assert_refused(&file, ELF_OVERLAP);
}

static void test_segments_of_different_permissions_in_one_page_are_refused(void **state)
{
    (void)state;
    struct made_file file = sound_file();
    add_program_header(&file, (Elf64_Phdr){.p_type = PT_LOAD,
                                           .p_flags = PF_R,
                                           .p_offset = 0x800,
                                           .p_vaddr = 0x13800, // right after data's last byte
                                           .p_memsz = 1});
    assert_refused(&file, ELF_SHARED_PAGE);
    program_header(&file, 3)->p_vaddr = 0x14800;
    assert_refused(&file, ELF_ACCEPTED);
}

// ---- entry and thread-local storage ----

static void test_an_entry_that_is_not_code_from_the_file_is_refused(void **state)
{
    (void)state;
    static const uint64_t entries[] = {0,       0x10011, 0x10800, 0x107ff,
                                       0x12000, 0xfffe,  0x20000, UINT64_MAX - 1};
    for (size_t i = 0; i < 8; i++) {
        struct made_file file = sound_file();
        elf_header(&file)->e_entry = entries[i];
        assert_refused(&file, ELF_BAD_ENTRY);
    }
    struct made_file last = sound_file();
    elf_header(&last)->e_entry = 0x107fe;
    assert_refused(&last, ELF_ACCEPTED);
}

static void test_malformed_thread_local_storage_is_refused(void **state)
{
    (void)state;
    static const Elf64_Phdr wrong[] = {
        {.p_vaddr = 0x12000, .p_filesz = 0x41, .p_memsz = 0x40, .p_align = 16}, // more than memory
        {.p_vaddr = 0x12000, .p_filesz = 0x20, .p_memsz = 0x40, .p_align = 24}, // no power of two
        {.p_vaddr = 0x12000, .p_filesz = 0x20, .p_memsz = 0x40, .p_align = 0x2000}, // over a page
        {.p_vaddr = 0x12000, .p_filesz = 0x20, .p_memsz = HIGH, .p_align = 16},     // too large
        {.p_vaddr = 0x121f0, .p_filesz = 0x20, .p_memsz = 0x40, .p_align = 16},     // in the bss
        {.p_vaddr = 0x11000, .p_filesz = 0x20, .p_memsz = 0x40, .p_align = 16},     // nowhere
        {.p_vaddr = UINT64_MAX, .p_filesz = 0x20, .p_memsz = 0x40, .p_align = 16},
    };
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct made_file file = sound_file();
        *program_header(&file, TLS) = wrong[i];
        program_header(&file, TLS)->p_type = PT_TLS;
        assert_refused(&file, ELF_BAD_TLS);
    }
    struct made_file two = sound_file();
    add_program_header(&two, *program_header(&two, TLS));
    assert_refused(&two, ELF_BAD_TLS);
}

static void test_a_refused_file_leaves_the_image_alone(void **state)
{
    (void)state;
    struct made_file file = sound_file();
    struct elf_image image = {.entry = 247};
    elf_header(&file)->e_entry = 0;
    assert_int_equal(elf_check(&image, file.bytes, file.size, LOW, HIGH), ELF_BAD_ENTRY);
    assert_int_equal(image.entry, 247);
    assert_int_equal(image.segment_count, 0);
}

static void test_every_refusal_has_its_own_words(void **state)
{
    (void)state;
    for (unsigned i = 0; i < ELF_REFUSAL_COUNT; i++) {
        for (unsigned j = i + 1; j < ELF_REFUSAL_COUNT; j++) {
            assert_string_not_equal(elf_refusal_text((enum elf_refusal)i),
                                    elf_refusal_text((enum elf_refusal)j));
        }
    }
    assert_string_equal(elf_refusal_text(ELF_REFUSAL_COUNT), "unknown reason");
}

static void test_mutated_files_stay_in_bounds_and_keep_every_promise(void **state)
{
    (void)state;
    struct made_file base = sound_file();
    const size_t headers = sizeof(Elf64_Ehdr) + 3 * sizeof(Elf64_Phdr);
    unsigned tally[ELF_REFUSAL_COUNT] = {0};
    uint64_t random = 247;
    for (unsigned number = 0; number < MUTATIONS; number++) {
        struct made_file file = base;
        if (number % 8 == 0) {
            file.size = prng_below(&random, base.size + 1);
        }
        // All changes go to the headers: the rest of the file means nothing to the checker.
        size_t area = file.size < headers ? file.size : headers;
        mutate_bytes(file.bytes, area, area, &random);
        tally[check(&file)]++;
    }
    assert_true(tally[ELF_ACCEPTED] > MUTATIONS / 100);
    assert_true(tally[ELF_SEGMENT_OUT_OF_FILE] > MUTATIONS / 1000);
    assert_true(tally[ELF_OUT_OF_WINDOW] > MUTATIONS / 1000);
    assert_true(tally[ELF_BAD_TLS] > MUTATIONS / 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_sound_file_is_described_as_it_is),
        cmocka_unit_test(test_a_file_without_thread_local_storage_has_none),
        cmocka_unit_test(test_an_empty_segment_and_other_headers_are_left_out),
        cmocka_unit_test(test_two_segments_of_equal_permissions_may_share_a_page),
        cmocka_unit_test(test_a_segment_may_fill_the_window_to_its_last_byte),
        cmocka_unit_test(test_a_file_shorter_than_a_header_is_refused),
        cmocka_unit_test(test_a_file_with_another_magic_is_refused),
        cmocka_unit_test(test_a_32_bit_file_is_refused),
        cmocka_unit_test(test_a_big_endian_file_is_refused),
        cmocka_unit_test(test_another_elf_version_is_refused_in_both_places),
        cmocka_unit_test(test_a_file_that_is_no_executable_is_refused),
        cmocka_unit_test(test_an_executable_that_wants_a_dynamic_linker_is_refused),
        cmocka_unit_test(test_an_executable_for_another_machine_is_refused),
        cmocka_unit_test(test_program_headers_of_another_size_are_refused),
        cmocka_unit_test(test_program_headers_outside_the_file_are_refused),
        cmocka_unit_test(test_a_file_with_nothing_to_load_is_refused),
        cmocka_unit_test(test_eight_segments_are_accepted_and_nine_are_too_many),
        cmocka_unit_test(test_a_segment_outside_the_file_is_refused),
        cmocka_unit_test(test_a_segment_with_more_file_than_memory_is_refused),
        cmocka_unit_test(test_a_segment_whose_address_overflows_is_refused),
        cmocka_unit_test(test_a_segment_outside_the_window_is_refused),
        cmocka_unit_test(test_a_misaligned_segment_is_refused),
        cmocka_unit_test(test_a_writable_and_executable_segment_is_refused),
        cmocka_unit_test(test_permissions_that_no_page_can_have_are_refused),
        cmocka_unit_test(test_overlapping_segments_are_refused_in_either_order),
        cmocka_unit_test(test_segments_of_different_permissions_in_one_page_are_refused),
        cmocka_unit_test(test_an_entry_that_is_not_code_from_the_file_is_refused),
        cmocka_unit_test(test_malformed_thread_local_storage_is_refused),
        cmocka_unit_test(test_a_refused_file_leaves_the_image_alone),
        cmocka_unit_test(test_every_refusal_has_its_own_words),
        cmocka_unit_test(test_mutated_files_stay_in_bounds_and_keep_every_promise),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
