// SPDX-License-Identifier: Apache-2.0
// Messages go between our accessors and the official library, both ways, for every field.
//
// Both sides write the same values (fill_value of a field's path); the official side finds the
// fields in the schema by itself, so that a field that ours_*.c forgets is a difference.
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "oracle.h"
#include "ours.h"

static const int nothing_permitted[] = {0};

static struct dump official;
static struct dump mine;
static uint64_t buffer[MESSAGE_BYTES / 8];

static void assert_same(const struct dump *expected, const struct dump *actual, const char *root)
{
    struct dump_verdict verdict = dump_compare(expected, actual, nothing_permitted);
    if (verdict.official != NULL || verdict.ours != NULL)
        fail_msg("%s: expected %s=%llx, got %s=%llx error %d", root,
                 verdict.official ? verdict.official->path : "nothing",
                 verdict.official ? (unsigned long long)verdict.official->value : 0,
                 verdict.ours ? verdict.ours->path : "nothing",
                 verdict.ours ? (unsigned long long)verdict.ours->value : 0,
                 verdict.ours ? verdict.ours->error : 0);
}

// Roots times their union members: `check` gets each.
static void for_each_of(const struct ours *roots, size_t count,
                        void (*check)(const struct ours *root, unsigned member))
{
    for (size_t i = 0; i < count; i++)
        for (unsigned member = 0; member < oracle_members(roots[i].root); member++)
            check(&roots[i], member);
}

static void for_each_service_message(void (*check)(const struct ours *root, unsigned member))
{
    for_each_of(ours_storage, ours_storage_count, check);
    for_each_of(ours_uart, ours_uart_count, check);
}

static void for_each_message(void (*check)(const struct ours *root, unsigned member))
{
    for_each_service_message(check);
    for_each_of(ours_everything, ours_everything_count, check);
}

static void check_ours_reads_official(const struct ours *root, unsigned member)
{
    size_t length = oracle_fill(root->root, member, buffer, sizeof(buffer));
    oracle_dump(root->root, buffer, length, &official);
    root->dump(buffer, length, &mine);
    assert_same(&official, &mine, root->root);
}

static void test_we_read_every_field_that_the_official_library_writes(void **state)
{
    (void)state;
    for_each_message(check_ours_reads_official);
}

static void check_official_reads_ours(const struct ours *root, unsigned member)
{
    static struct dump expected;
    size_t length = oracle_fill(root->root, member, buffer, sizeof(buffer));
    oracle_dump(root->root, buffer, length, &expected);

    memset(buffer, 0xa5, sizeof(buffer));
    assert_int_equal(root->fill(member, buffer, sizeof(buffer), &length), NX_OK);
    oracle_dump(root->root, buffer, length, &official);
    assert_same(&expected, &official, root->root);
    root->dump(buffer, length, &mine);
    assert_same(&expected, &mine, root->root);
}

static void test_the_official_library_reads_every_field_that_we_write(void **state)
{
    (void)state;
    for_each_message(check_official_reads_ours);
}

static void check_small_buffers(const struct ours *root, unsigned member)
{
    size_t whole;
    assert_int_equal(root->fill(member, buffer, sizeof(buffer), &whole), NX_OK);
    for (size_t size = 0; size < whole; size += 8) {
        void *exact = malloc(size != 0 ? size : 1);
        size_t length = 0;
        assert_non_null(exact);
        assert_int_equal(root->fill(member, exact, size, &length), NX_ERR_NO_MEMORY);
        free(exact);
    }
}

static void test_a_message_that_does_not_fit_is_no_memory_at_every_size(void **state)
{
    (void)state;
    for_each_message(check_small_buffers);
}

static void check_service_message_fits(const struct ours *root, unsigned member)
{
    size_t length;
    assert_int_equal(root->fill(member, buffer, 1024, &length), NX_OK);
    assert_true(length <= 1024);
}

static void test_service_messages_fit_the_message_page(void **state)
{
    (void)state;
    for_each_service_message(check_service_message_fits);
}

// Writes with one version of a schema, by either library, and reads with the other version.
static void check_versions(const struct ours *writer, const struct ours *reader)
{
    size_t length = oracle_fill(writer->root, 0, buffer, sizeof(buffer));
    oracle_dump(reader->root, buffer, length, &official);
    reader->dump(buffer, length, &mine);
    assert_same(&official, &mine, reader->root);

    assert_int_equal(writer->fill(0, buffer, sizeof(buffer), &length), NX_OK);
    oracle_dump(reader->root, buffer, length, &official);
    reader->dump(buffer, length, &mine);
    assert_same(&official, &mine, reader->root);
    for (size_t i = 0; i < mine.count; i++)
        assert_int_equal(mine.entries[i].error, 0);
}

static void test_a_newer_reader_reads_an_older_message(void **state)
{
    (void)state;
    check_versions(&ours_everything[OLDER_ROOT], &ours_everything[NEWER_ROOT]);
}

static void test_an_older_reader_reads_a_newer_message(void **state)
{
    (void)state;
    check_versions(&ours_everything[NEWER_ROOT], &ours_everything[OLDER_ROOT]);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_we_read_every_field_that_the_official_library_writes),
        cmocka_unit_test(test_the_official_library_reads_every_field_that_we_write),
        cmocka_unit_test(test_a_message_that_does_not_fit_is_no_memory_at_every_size),
        cmocka_unit_test(test_service_messages_fit_the_message_page),
        cmocka_unit_test(test_a_newer_reader_reads_an_older_message),
        cmocka_unit_test(test_an_older_reader_reads_a_newer_message),
    };
    for (int i = 1; i < argc; i++)
        oracle_load(argv[i]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
