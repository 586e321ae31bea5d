// SPDX-License-Identifier: Apache-2.0
// The path cache: it finds what was added under exactly that path, and forgets in order of use.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "packagefsd/path_cache.h"

static struct path_cache cache;

static int prepare(void **state)
{
    (void)state;
    path_cache_init(&cache);
    return 0;
}

static struct path_key key_of(const char *path, size_t length, enum erofs_final_link final_link)
{
    // What lies behind a short path in the key must not count.
    static uint8_t noise;
    struct path_key key;
    memset(&key, ++noise, sizeof(key));
    assert_true(path_key_make(&key, path, length, final_link));
    return key;
}

static void add(const char *path, uint64_t nid)
{
    struct path_key key = key_of(path, strlen(path), EROFS_FOLLOW_FINAL);
    struct erofs_inode inode = {.nid = nid};
    assert_int_equal(path_cache_add(&cache, &key, &inode)->nid, nid);
}

// The node that the path is remembered to lead to, 0 for none.
static uint64_t find(const char *path, size_t length, enum erofs_final_link final_link)
{
    struct path_key key = key_of(path, length, final_link);
    const struct erofs_inode *inode = path_cache_find(&cache, &key);
    return inode != NULL ? inode->nid : 0;
}

static void test_a_path_is_found_by_its_exact_bytes_only(void **state)
{
    (void)state;
    add("bin/hello", 7);
    assert_int_equal(find("bin/hello", 9, EROFS_FOLLOW_FINAL), 7);
    assert_int_equal(find("bin/hellO", 9, EROFS_FOLLOW_FINAL), 0);
    assert_int_equal(find("Bin/hello", 9, EROFS_FOLLOW_FINAL), 0);
    assert_int_equal(find("bin/hello", 8, EROFS_FOLLOW_FINAL), 0);
    assert_int_equal(find("bin/hello\0", 10, EROFS_FOLLOW_FINAL), 0);
    assert_int_equal(find("", 0, EROFS_FOLLOW_FINAL), 0);
}

static void test_links_kept_and_followed_are_different_questions(void **state)
{
    (void)state;
    add("link", 3);
    assert_int_equal(find("link", 4, EROFS_KEEP_FINAL), 0);
    assert_int_equal(find("link", 4, EROFS_FOLLOW_FINAL), 3);
}

static void test_paths_of_every_length_up_to_the_limit_are_told_apart(void **state)
{
    (void)state;
    char path[PATH_CACHE_BYTES + 2];
    struct path_key key;

    memset(path, 'x', sizeof(path));
    for (uint32_t length = 0; length <= PATH_CACHE_BYTES; length++) {
        struct erofs_inode inode = {.nid = length + 1};
        key = key_of(path, length, EROFS_FOLLOW_FINAL);
        (void)path_cache_add(&cache, &key, &inode);
    }
    for (uint32_t length = 0; length <= PATH_CACHE_BYTES; length++) {
        assert_int_equal(find(path, length, EROFS_FOLLOW_FINAL), length + 1);
    }
    assert_false(path_key_make(&key, path, PATH_CACHE_BYTES + 1, EROFS_FOLLOW_FINAL));
}

static void numbered(char path[16], uint32_t number)
{
    (void)snprintf(path, 16, "dir/%u", number);
}

static void test_the_path_used_longest_ago_makes_room(void **state)
{
    (void)state;
    char path[16];

    for (uint32_t i = 0; i < PATH_CACHE_ENTRIES; i++) {
        numbered(path, i);
        add(path, i + 1);
    }
    assert_int_equal(find("dir/0", 5, EROFS_FOLLOW_FINAL), 1); // now the newest
    add("one/more", 1000);
    assert_int_equal(find("dir/0", 5, EROFS_FOLLOW_FINAL), 1);
    assert_int_equal(find("dir/1", 5, EROFS_FOLLOW_FINAL), 0);
    assert_int_equal(find("dir/2", 5, EROFS_FOLLOW_FINAL), 3);
    assert_int_equal(find("one/more", 8, EROFS_FOLLOW_FINAL), 1000);
}

static void test_a_long_run_of_changes_keeps_every_chain_whole(void **state)
{
    (void)state;
    char path[16];

    for (uint32_t i = 0; i < 40 * PATH_CACHE_ENTRIES; i++) {
        numbered(path, i);
        add(path, i + 1);
        for (uint32_t back = 0; back < PATH_CACHE_ENTRIES / 3 && back <= i; back += 13) {
            numbered(path, i - back);
            assert_int_equal(find(path, strlen(path), EROFS_FOLLOW_FINAL), i - back + 1);
        }
    }
    assert_int_equal(cache.misses, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_a_path_is_found_by_its_exact_bytes_only, prepare),
        cmocka_unit_test_setup(test_links_kept_and_followed_are_different_questions, prepare),
        cmocka_unit_test_setup(test_paths_of_every_length_up_to_the_limit_are_told_apart, prepare),
        cmocka_unit_test_setup(test_the_path_used_longest_ago_makes_room, prepare),
        cmocka_unit_test_setup(test_a_long_run_of_changes_keeps_every_chain_whole, prepare),
    };
    return cmocka_run_group_tests_name("packagefsd path cache", tests, NULL, NULL);
}
