// SPDX-License-Identifier: Apache-2.0
// The user runtime's memory functions against the host's, for every alignment and many lengths.
// The bytes lie against pages that fault, so an access of a page that the range has no part in ends
// the test.
#define _DEFAULT_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

void *nexus_memcpy(void *to, const void *from, size_t length);
void *nexus_memmove(void *to, const void *from, size_t length);
void *nexus_memset(void *to, int value, size_t length);
int nexus_memcmp(const void *left, const void *right, size_t length);
void *nexus_memchr(const void *bytes, int value, size_t length);
size_t nexus_strlen(const char *text);

#define PAGE       4096u
#define WORD       8u
#define LENGTH_MAX 300u // two turns of the widest loop and a part
#define FILLER     0xa5

// A page between two that fault.
struct arena {
    unsigned char *page;
};

static struct arena source;
static struct arena target;

static unsigned char *guarded_page(void)
{
    unsigned char *base = mmap(NULL, 3 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(base != MAP_FAILED);
    assert_int_equal(mprotect(base + PAGE, PAGE, PROT_READ | PROT_WRITE), 0);
    return base + PAGE;
}

static int prepare(void **state)
{
    (void)state;
    source.page = guarded_page();
    target.page = guarded_page();
    for (unsigned i = 0; i < PAGE; i++) {
        source.page[i] = (unsigned char)(i * 37 + i / 256 + 1);
    }
    return 0;
}

// Where a range of `length` bytes starts so that it begins `skip` bytes into a word, near the
// page's start or ending as near its end as the alignment allows.
static size_t place(unsigned skip, size_t length, int at_end)
{
    size_t start = PAGE - length;
    return !at_end ? skip : start - (start - skip) % WORD;
}

static void assert_copies(void *(*copy)(void *, const void *, size_t), unsigned to_skip,
                          unsigned from_skip, size_t length, int at_end)
{
    unsigned char expected[PAGE];
    size_t to = place(to_skip, length, at_end);
    size_t from = place(from_skip, length, at_end);
    memset(target.page, FILLER, PAGE);
    memset(expected, FILLER, PAGE);
    memcpy(expected + to, source.page + from, length);
    assert_ptr_equal(copy(target.page + to, source.page + from, length), target.page + to);
    assert_memory_equal(target.page, expected, PAGE);
}

static void test_a_copy_is_exact_for_every_alignment_and_length(void **state)
{
    (void)state;
    for (size_t length = 0; length <= LENGTH_MAX; length++) {
        for (unsigned pair = 0; pair < WORD * WORD; pair++) {
            for (int at_end = 0; at_end < 2; at_end++) {
                assert_copies(nexus_memcpy, pair / WORD, pair % WORD, length, at_end);
                assert_copies(nexus_memmove, pair / WORD, pair % WORD, length, at_end);
            }
        }
    }
}

static void test_overlapping_ranges_move_as_if_through_a_buffer(void **state)
{
    (void)state;
    unsigned char expected[PAGE];
    for (size_t length = 0; length <= LENGTH_MAX; length += length < 40 ? 1 : 13) {
        for (unsigned from = 200; from < 200 + WORD; from++) {
            for (unsigned to = 160; to < 250; to++) {
                memcpy(target.page, source.page, PAGE);
                memcpy(expected, source.page, PAGE);
                memmove(expected + to, expected + from, length);
                assert_ptr_equal(nexus_memmove(target.page + to, target.page + from, length),
                                 target.page + to);
                assert_memory_equal(target.page, expected, PAGE);
            }
        }
    }
}

static void test_a_fill_is_exact_for_every_alignment_and_length(void **state)
{
    (void)state;
    unsigned char expected[PAGE];
    for (size_t length = 0; length <= LENGTH_MAX; length++) {
        for (unsigned skip = 0; skip < WORD; skip++) {
            for (int at_end = 0; at_end < 2; at_end++) {
                size_t start = place(skip, length, at_end);
                memset(target.page, FILLER, PAGE);
                memset(expected, FILLER, PAGE);
                memset(expected + start, 0x1ff, length);
                assert_ptr_equal(nexus_memset(target.page + start, 0x1ff, length),
                                 target.page + start);
                assert_memory_equal(target.page, expected, PAGE);
            }
        }
    }
}

static int sign(int value)
{
    return (value > 0) - (value < 0);
}

static void test_a_difference_is_found_wherever_it_is_and_its_sign_is_right(void **state)
{
    (void)state;
    for (size_t length = 0; length <= 40; length++) {
        for (unsigned pair = 0; pair < WORD * WORD; pair++) {
            size_t a = place(pair / WORD, length, 1);
            size_t b = place(pair % WORD, length, 1);
            memcpy(target.page + a, source.page + b, length);
            assert_int_equal(nexus_memcmp(target.page + a, source.page + b, length), 0);
            for (size_t i = 0; i < length; i++) {
                unsigned char kept = target.page[a + i];
                target.page[a + i] ^= 0x80; // also changes the order that signed bytes would have
                assert_int_equal(sign(nexus_memcmp(target.page + a, source.page + b, length)),
                                 sign(memcmp(target.page + a, source.page + b, length)));
                target.page[a + i] = kept;
            }
        }
    }
}

static void test_a_byte_is_found_first_and_only_inside_the_range(void **state)
{
    (void)state;
    for (size_t length = 0; length <= 40; length++) {
        for (unsigned skip = 0; skip < WORD; skip++) {
            unsigned char *start = target.page + place(skip, length, 1);
            memset(target.page, 0x01, PAGE); // beside 0x00 it confuses a careless borrow
            assert_null(nexus_memchr(start, 0, length));
            *(start - 1) = 0;
            assert_null(nexus_memchr(start, 0, length));
            for (size_t i = length; i-- > 0;) {
                start[i] = 0;
                assert_ptr_equal(nexus_memchr(start, 0x100, length), start + i);
                assert_null(nexus_memchr(start, 0, i));
            }
        }
    }
}

static void test_the_length_of_text_is_found_at_every_alignment(void **state)
{
    (void)state;
    for (size_t length = 0; length <= 40; length++) {
        for (unsigned skip = 0; skip < WORD; skip++) {
            char *start = (char *)target.page + place(skip, length + 1, 1);
            memset(target.page, 0x81, PAGE);
            *(start - 1) = '\0';
            start[length] = '\0';
            assert_int_equal(nexus_strlen(start), length);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_copy_is_exact_for_every_alignment_and_length),
        cmocka_unit_test(test_overlapping_ranges_move_as_if_through_a_buffer),
        cmocka_unit_test(test_a_fill_is_exact_for_every_alignment_and_length),
        cmocka_unit_test(test_a_difference_is_found_wherever_it_is_and_its_sign_is_right),
        cmocka_unit_test(test_a_byte_is_found_first_and_only_inside_the_range),
        cmocka_unit_test(test_the_length_of_text_is_found_at_every_alignment),
    };
    return cmocka_run_group_tests_name("libc string", tests, prepare, NULL);
}
