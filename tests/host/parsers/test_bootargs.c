// SPDX-License-Identifier: Apache-2.0
// The reader of boot arguments: words that match, words that nearly match, and odd blanks.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "bootargs/bootargs.h"

static void expect(const char *arguments, const char *name, const char *value)
{
    size_t length = SIZE_MAX;
    const char *found = bootargs_find(arguments, name, &length);
    if (value == NULL) {
        assert_null(found);
        return;
    }
    assert_non_null(found);
    assert_int_equal(length, strlen(value));
    assert_memory_equal(found, value, length);
}

static void test_a_value_is_found_wherever_its_word_stands(void **state)
{
    (void)state;
    expect("a=1", "a", "1");
    expect("a=1 bc=two d=3", "bc", "two");
    expect("a=1 bc=two d=3", "d", "3");
    expect("   a=1   b=2   ", "b", "2");
    expect("a= b=2", "a", "");
    expect("a=x=y", "a", "x=y");
}

static void test_the_first_of_two_counts(void **state)
{
    (void)state;
    expect("a=1 a=2", "a", "1");
}

static void test_what_only_looks_like_the_word_is_passed_over(void **state)
{
    (void)state;
    expect("", "a", NULL);
    expect("    ", "a", NULL);
    expect("a", "a", NULL);
    expect("a b=1", "a", NULL);
    expect("ab=1", "a", NULL);
    expect("ba=1", "a", NULL);
    expect("b=a=1", "a", NULL);
    expect("ab=1 a=2", "a", "2");
}

static void test_a_value_is_compared_as_a_whole(void **state)
{
    (void)state;
    assert_true(bootargs_is("x=off y=1", "x", "off"));
    assert_true(bootargs_is("x=off y=1", "y", "1"));
    assert_false(bootargs_is("x=offx", "x", "off"));
    assert_false(bootargs_is("x=of", "x", "off"));
    assert_false(bootargs_is("x=", "x", "off"));
    assert_false(bootargs_is("z=off", "x", "off"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_value_is_found_wherever_its_word_stands),
        cmocka_unit_test(test_the_first_of_two_counts),
        cmocka_unit_test(test_what_only_looks_like_the_word_is_passed_over),
        cmocka_unit_test(test_a_value_is_compared_as_a_whole),
    };
    return cmocka_run_group_tests_name("bootargs", tests, NULL, NULL);
}
