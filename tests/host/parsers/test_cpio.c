// SPDX-License-Identifier: Apache-2.0
// The cpio reader on an archive that the cpio program makes of a tree made here, on archives made
// by hand that it must refuse by name, and on mutations. The environment variable CPIO names the
// program.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cpio/cpio.h"
#include "parsers/cpio_exercise.h"
#include "parsers/mutate.h"

#define MUTATIONS     100000u
#define HEADER_LENGTH 110u

// ---- an archive of the cpio program ----

static const struct {
    const char *name;
    size_t size;
} files[] = {
    {"empty", 0},       {"one-byte", 1},
    {"two", 2},         {"three", 3},
    {"four", 4},        {"five", 5},
    {"bin/init", 4097}, {"etc/deep/er/file", 100},
    {"large", 70000},   {"name with spaces", 9},
    {"TRAILER!!", 1},
};
#define FILE_COUNT (sizeof(files) / sizeof(files[0]))

static struct bytes real_archive;

// The content of byte `i` of file number `file`.
static uint8_t content(size_t file, size_t i)
{
    return (uint8_t)(i * 7 + file * 31 + (i >> 8));
}

static void write_file(size_t file)
{
    FILE *out = fopen(files[file].name, "wb");
    if (out == NULL) {
        perror(files[file].name);
        exit(1);
    }
    for (size_t i = 0; i < files[file].size; i++) {
        fputc(content(file, i), out);
    }
    fclose(out);
}

static int run(const char *command)
{
    int result = system(command);
    if (result != 0) {
        fprintf(stderr, "failed: %s\n", command);
    }
    return result;
}

static int make_real_archive(void **state)
{
    (void)state;
    char start[4096];
    char tree[] = "/tmp/nexus-cpio-XXXXXX";
    char command[4096];
    const char *cpio = getenv("CPIO");
    if (getcwd(start, sizeof(start)) == NULL || mkdtemp(tree) == NULL || chdir(tree) != 0) {
        return -1;
    }
    if (mkdir("tree", 0755) != 0 || chdir("tree") != 0 || run("mkdir -p bin etc/deep/er") != 0) {
        return -1;
    }
    for (size_t i = 0; i < FILE_COUNT; i++) {
        write_file(i);
    }
    snprintf(command, sizeof(command),
             "ln -s bin/init link && find . | sort | '%s' -o -H newc --quiet > ../archive",
             cpio == NULL ? "cpio" : cpio);
    if (run(command) != 0) {
        return -1;
    }
    real_archive = bytes_from_file("../archive");
    snprintf(command, sizeof(command), "rm -r '%s'", tree);
    return chdir(start) == 0 && run(command) == 0 ? 0 : -1;
}

static int free_real_archive(void **state)
{
    (void)state;
    free(real_archive.data);
    return 0;
}

static void test_every_file_of_a_real_archive_is_found_with_its_content(void **state)
{
    (void)state;
    uint8_t *archive = bytes_exact_copy(real_archive.data, real_archive.size);
    for (size_t file = 0; file < FILE_COUNT; file++) {
        struct cpio_entry entry;
        assert_int_equal(cpio_find(archive, real_archive.size, files[file].name, &entry), NX_OK);
        assert_int_equal(entry.mode & CPIO_MODE_TYPE, CPIO_MODE_REGULAR);
        assert_int_equal(entry.size, files[file].size);
        for (size_t i = 0; i < entry.size; i++) {
            assert_int_equal(entry.data[i], content(file, i));
        }
    }
    free(archive);
}

static void test_every_entry_of_a_real_archive_is_listed_once(void **state)
{
    (void)state;
    unsigned regular = 0;
    unsigned directories = 0;
    unsigned links = 0;
    struct cpio_cursor cursor = cpio_start(real_archive.data, real_archive.size);
    struct cpio_entry entry;
    enum nx_status status;
    while ((status = cpio_next(&cursor, &entry)) == NX_OK) {
        uint32_t type = entry.mode & CPIO_MODE_TYPE;
        regular += type == CPIO_MODE_REGULAR;
        directories += type == CPIO_MODE_DIRECTORY;
        links += type == CPIO_MODE_SYMLINK;
    }
    assert_int_equal(status, NX_ERR_NOT_FOUND);
    assert_int_equal(regular, FILE_COUNT);
    assert_int_equal(directories, 5); // . bin etc etc/deep etc/deep/er
    assert_int_equal(links, 1);
}

static void test_a_symlinks_data_is_its_target(void **state)
{
    (void)state;
    struct cpio_entry entry;
    assert_int_equal(cpio_find(real_archive.data, real_archive.size, "link", &entry), NX_OK);
    assert_int_equal(entry.size, strlen("bin/init"));
    assert_memory_equal(entry.data, "bin/init", entry.size);
}

static void test_a_name_is_found_with_and_without_leading_dots_and_slashes(void **state)
{
    (void)state;
    static const char *const names[] = {"bin/init", "/bin/init", "./bin/init", ".//bin/init"};
    struct cpio_entry entry;
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(cpio_find(real_archive.data, real_archive.size, names[i], &entry), NX_OK);
    }
    assert_int_equal(cpio_find(real_archive.data, real_archive.size, "bin/ini", &entry),
                     NX_ERR_NOT_FOUND);
    assert_int_equal(cpio_find(real_archive.data, real_archive.size, "init", &entry),
                     NX_ERR_NOT_FOUND);
}

// ---- archives made by hand ----

// One entry and, unless it is left out, the trailer.
struct made_archive {
    uint8_t bytes[2048];
    size_t size;
};

// Positions of numbers in the header, counted from its start.
#define AT_FILESIZE (6u + 8u * 6u)
#define AT_NAMESIZE (6u + 8u * 11u)

static void append_entry(struct made_archive *archive, const char *name, uint32_t name_size,
                         uint32_t file_size)
{
    uint8_t *header = archive->bytes + archive->size;
    char text[HEADER_LENGTH + 1];
    snprintf(text, sizeof(text), "070701%08X%08X%08X%08X%08X%08X%08x%08X%08X%08X%08X%08X%08X", 1u,
             0100644u, 0u, 0u, 1u, 0u, file_size, 0u, 0u, 0u, 0u, name_size, 0u);
    memcpy(header, text, HEADER_LENGTH);
    memcpy(header + HEADER_LENGTH, name, strlen(name));
    archive->size = (archive->size + HEADER_LENGTH + name_size + 3) & ~(size_t)3;
    memset(archive->bytes + archive->size, 'd', file_size);
    archive->size = (archive->size + file_size + 3) & ~(size_t)3;
}

static struct made_archive archive_of_one(void)
{
    struct made_archive archive = {0};
    append_entry(&archive, "file", 5, 6);
    append_entry(&archive, "TRAILER!!!", 11, 0);
    return archive;
}

// Walks a copy in an allocation of exactly that size; returns why the walk ended.
static enum nx_status walk_bytes(const uint8_t *bytes, size_t size, unsigned *entries)
{
    uint8_t *copy = bytes_exact_copy(bytes, size);
    enum nx_status status = cpio_exercise(copy, size, entries);
    free(copy);
    return status;
}

static enum nx_status walk(const struct made_archive *archive)
{
    unsigned entries;
    return walk_bytes(archive->bytes, archive->size, &entries);
}

static void test_a_sound_archive_ends_at_its_trailer(void **state)
{
    (void)state;
    struct made_archive archive = archive_of_one();
    unsigned entries;
    assert_int_equal(walk_bytes(archive.bytes, archive.size, &entries), NX_ERR_NOT_FOUND);
    assert_int_equal(entries, 1);
}

static void test_an_archive_cut_anywhere_is_truncated(void **state)
{
    (void)state;
    struct made_archive archive = archive_of_one();
    size_t end = archive.size - 1; // the trailer's name ends 1 byte before the padding does
    while (archive.bytes[end - 2] == 0) {
        end--;
    }
    for (archive.size = 0; archive.size < end; archive.size++) {
        assert_int_equal(walk(&archive), NX_ERR_TRUNCATED);
    }
    archive.size = end;
    assert_int_equal(walk(&archive), NX_ERR_NOT_FOUND);
}

static void test_an_archive_without_trailer_is_truncated(void **state)
{
    (void)state;
    struct made_archive archive = {0};
    append_entry(&archive, "file", 5, 6);
    assert_int_equal(walk(&archive), NX_ERR_TRUNCATED);
}

static void test_data_past_the_end_is_truncated_at_every_size(void **state)
{
    (void)state;
    static const char *const sizes[] = {"000000FF", "7FFFFFFF", "80000000", "FFFFFFFF", "fffffffc"};
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        struct made_archive archive = archive_of_one();
        memcpy(archive.bytes + AT_FILESIZE, sizes[i], 8);
        assert_int_equal(walk(&archive), NX_ERR_TRUNCATED);
    }
}

static void test_a_digit_that_is_not_hexadecimal_is_bad_format_in_every_field(void **state)
{
    (void)state;
    for (size_t at = 6; at < HEADER_LENGTH; at++) {
        static const uint8_t wrong[] = {'g', 'G', ' ', '/', ':', '@', '`', 'x', '-', 0, 0xff};
        for (size_t i = 0; i < sizeof(wrong); i++) {
            struct made_archive archive = archive_of_one();
            archive.bytes[at] = wrong[i];
            assert_int_equal(walk(&archive), NX_ERR_BAD_FORMAT);
        }
    }
}

static void test_a_name_without_its_nul_at_the_end_is_bad_format(void **state)
{
    (void)state;
    struct made_archive no_nul = archive_of_one();
    no_nul.bytes[HEADER_LENGTH + 4] = 'x';
    assert_int_equal(walk(&no_nul), NX_ERR_BAD_FORMAT);
    struct made_archive early_nul = archive_of_one();
    early_nul.bytes[HEADER_LENGTH + 1] = 0;
    assert_int_equal(walk(&early_nul), NX_ERR_BAD_FORMAT);
}

static void test_an_empty_name_is_bad_format(void **state)
{
    (void)state;
    for (uint32_t size = 0; size <= 1; size++) {
        struct made_archive archive = {0};
        append_entry(&archive, "", size, 0);
        append_entry(&archive, "TRAILER!!!", 11, 0);
        assert_int_equal(walk(&archive), NX_ERR_BAD_FORMAT);
    }
}

static void test_a_name_of_255_characters_is_read_and_of_256_is_too_long(void **state)
{
    (void)state;
    for (uint32_t length = 255; length <= 256; length++) {
        char name[257] = {0};
        memset(name, 'n', length);
        struct made_archive archive = {0};
        append_entry(&archive, name, length + 1, 3);
        append_entry(&archive, "TRAILER!!!", 11, 0);
        assert_int_equal(walk(&archive), length == 255 ? NX_ERR_NOT_FOUND : NX_ERR_NAME_TOO_LONG);
    }
    struct made_archive huge = archive_of_one();
    memcpy(huge.bytes + AT_NAMESIZE, "FFFFFFFF", 8);
    assert_int_equal(walk(&huge), NX_ERR_NAME_TOO_LONG);
}

static void test_other_cpio_formats_are_unsupported_and_other_files_bad_format(void **state)
{
    (void)state;
    struct made_archive archive = archive_of_one();
    archive.bytes[5] = '2';
    assert_int_equal(walk(&archive), NX_ERR_UNSUPPORTED);
    archive.bytes[5] = '7';
    assert_int_equal(walk(&archive), NX_ERR_UNSUPPORTED);
    archive.bytes[5] = '0';
    assert_int_equal(walk(&archive), NX_ERR_BAD_FORMAT);
}

static void test_a_failed_step_leaves_the_cursor_at_the_bad_entry(void **state)
{
    (void)state;
    struct made_archive archive = archive_of_one();
    struct cpio_cursor cursor = cpio_start(archive.bytes, archive.size);
    struct cpio_entry entry;
    assert_int_equal(cpio_next(&cursor, &entry), NX_OK);
    size_t second = cursor.offset;
    archive.bytes[second + 10] = '!';
    assert_int_equal(cpio_next(&cursor, &entry), NX_ERR_BAD_FORMAT);
    assert_int_equal(cursor.offset, second);
    assert_int_equal(cpio_next(&cursor, &entry), NX_ERR_BAD_FORMAT);
}

static void test_mutated_archives_stay_in_bounds(void **state)
{
    (void)state;
    struct made_archive base = {0};
    append_entry(&base, "bin/init", 9, 33);
    append_entry(&base, "empty", 6, 0);
    append_entry(&base, "etc/file", 9, 5);
    append_entry(&base, "TRAILER!!!", 11, 0);
    unsigned tally[NX_STATUS_COUNT] = {0};
    uint64_t random = 247;
    for (unsigned number = 0; number < MUTATIONS; number++) {
        size_t size = number % 4 == 0 ? prng_below(&random, base.size + 1) : base.size;
        uint8_t *bytes = bytes_exact_copy(base.bytes, size);
        mutate_bytes(bytes, size, HEADER_LENGTH, &random);
        if (size > 64 && number % 2 == 0) { // numbers that still are hexadecimal
            bytes[6 + prng_below(&random, 58)] = (uint8_t) "0123456789abcdef"[number / 2 % 16];
        }
        unsigned entries;
        tally[cpio_exercise(bytes, size, &entries)]++;
        free(bytes);
    }
    // Every way to end a walk must have been taken often, or the mutations would say little.
    assert_true(tally[NX_ERR_NOT_FOUND] > MUTATIONS / 100);
    assert_true(tally[NX_ERR_TRUNCATED] > MUTATIONS / 100);
    assert_true(tally[NX_ERR_BAD_FORMAT] > MUTATIONS / 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_file_of_a_real_archive_is_found_with_its_content),
        cmocka_unit_test(test_every_entry_of_a_real_archive_is_listed_once),
        cmocka_unit_test(test_a_symlinks_data_is_its_target),
        cmocka_unit_test(test_a_name_is_found_with_and_without_leading_dots_and_slashes),
        cmocka_unit_test(test_a_sound_archive_ends_at_its_trailer),
        cmocka_unit_test(test_an_archive_cut_anywhere_is_truncated),
        cmocka_unit_test(test_an_archive_without_trailer_is_truncated),
        cmocka_unit_test(test_data_past_the_end_is_truncated_at_every_size),
        cmocka_unit_test(test_a_digit_that_is_not_hexadecimal_is_bad_format_in_every_field),
        cmocka_unit_test(test_a_name_without_its_nul_at_the_end_is_bad_format),
        cmocka_unit_test(test_an_empty_name_is_bad_format),
        cmocka_unit_test(test_a_name_of_255_characters_is_read_and_of_256_is_too_long),
        cmocka_unit_test(test_other_cpio_formats_are_unsupported_and_other_files_bad_format),
        cmocka_unit_test(test_a_failed_step_leaves_the_cursor_at_the_bad_entry),
        cmocka_unit_test(test_mutated_archives_stay_in_bounds),
    };
    return cmocka_run_group_tests(tests, make_real_archive, free_real_archive);
}
