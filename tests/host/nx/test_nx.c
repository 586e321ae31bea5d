// SPDX-License-Identifier: Apache-2.0
// Tests of the pure parts of nx: splitting lines into words, and writing JSON.
#include "json.h"
#include "words.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

struct split_case {
    const char *line;
    const char *words[4]; // NULL-terminated
    enum nx_status status;
};

static void test_lines_split_into_words(void **state)
{
    static const struct split_case cases[] = {
        {"", {NULL}, NX_OK},
        {" \t ", {NULL}, NX_OK},
        {"hw smp", {"hw", "smp"}, NX_OK},
        {"  hw\tsmp  ", {"hw", "smp"}, NX_OK},
        {"a 'b c' d", {"a", "b c", "d"}, NX_OK},
        {"a \"b 'c\" d", {"a", "b 'c", "d"}, NX_OK},
        {"a''b \"\" c", {"ab", "", "c"}, NX_OK},
        {"a\\ b \\\"c", {"a b", "\"c"}, NX_OK},
        {"\"a\\\"b\" '\\'", {"a\"b", "\\"}, NX_OK},
        {"''", {""}, NX_OK},
        {"a 'b", {NULL}, NX_ERR_BAD_FORMAT},
        {"a \"b\\\"", {NULL}, NX_ERR_BAD_FORMAT},
        {"a\\", {NULL}, NX_ERR_BAD_FORMAT},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char line[64];
        char *words[WORDS_MAX + 1];
        size_t count;
        strcpy(line, cases[i].line);
        assert_int_equal(words_split(line, words, &count), cases[i].status);
        if (cases[i].status != NX_OK) {
            continue;
        }
        for (size_t at = 0; at < count; at++) {
            assert_string_equal(words[at], cases[i].words[at]);
        }
        assert_null(cases[i].words[count]);
        assert_null(words[count]);
    }
}

static void test_too_many_words_are_refused(void **state)
{
    char line[2 * WORDS_MAX + 3];
    char *words[WORDS_MAX + 1];
    size_t count;
    (void)state;
    for (size_t i = 0; i <= WORDS_MAX; i++) {
        memcpy(line + 2 * i, "w ", 3);
    }
    assert_int_equal(words_split(line, words, &count), NX_ERR_TOO_LARGE);
    for (size_t i = 0; i <= WORDS_MAX; i++) {
        memcpy(line + 2 * i, i < WORDS_MAX ? "w " : "  ", 3);
    }
    assert_int_equal(words_split(line, words, &count), NX_OK);
    assert_int_equal(count, WORDS_MAX);
}

static char written[512];

static void append(void *context, const char *bytes, size_t count)
{
    (void)context;
    assert_true(strlen(written) + count < sizeof(written));
    strncat(written, bytes, count);
}

static struct json json_fresh(void)
{
    struct json json;
    written[0] = '\0';
    json_begin(&json, append, NULL);
    return json;
}

static void test_json_nests_and_separates(void **state)
{
    struct json json = json_fresh();
    (void)state;
    json_object(&json, NULL);
    json_u64(&json, "max", UINT64_MAX);
    json_i64(&json, "min", INT64_MIN);
    json_array(&json, "list");
    json_object(&json, NULL);
    json_end(&json);
    json_u64(&json, NULL, 0);
    json_bool(&json, NULL, true);
    json_array(&json, NULL);
    json_end(&json);
    json_end(&json);
    json_bool(&json, "last", false);
    json_end(&json);
    assert_string_equal(written, "{\"max\":18446744073709551615,\"min\":-9223372036854775808,"
                                 "\"list\":[{},0,true,[]],\"last\":false}");
}

static void test_json_escapes_text(void **state)
{
    static const struct {
        const char *text;
        const char *json;
    } cases[] = {
        {"plain", "\"plain\""},
        {"", "\"\""},
        {"a\"b\\c", "\"a\\\"b\\\\c\""},
        {"\n\t\x01\x7f", "\"\\n\\u0009\\u0001\\u007f\""},
        {"\xc3\xa4\xe2\x82\xac\xf0\x9f\x90\xa7", "\"\xc3\xa4\xe2\x82\xac\xf0\x9f\x90\xa7\""},
        {"x\xff\xc3", "\"x\xef\xbf\xbd\xef\xbf\xbd\""},
        {"\xed\xa0\x80", "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""},
        {"\xc0\xaf", "\"\xef\xbf\xbd\xef\xbf\xbd\""}, // overlong
        {"\xe2\x82z", "\"\xef\xbf\xbd\xef\xbf\xbdz\""},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct json json = json_fresh();
        json_text(&json, NULL, cases[i].text);
        assert_string_equal(written, cases[i].json);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines_split_into_words),
        cmocka_unit_test(test_too_many_words_are_refused),
        cmocka_unit_test(test_json_nests_and_separates),
        cmocka_unit_test(test_json_escapes_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
