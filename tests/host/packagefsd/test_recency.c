// SPDX-License-Identifier: Apache-2.0
// The recency list: what goes first when room is needed.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "packagefsd/recency.h"

struct member {
    uint32_t name;
    struct recency_link use;
};

static struct recency_list list;
static struct member members[4];

static int prepare(void **state)
{
    (void)state;
    recency_init(&list);
    for (uint32_t i = 0; i < 4; i++) {
        members[i].name = i;
        recency_add(&list, &members[i].use);
    }
    return 0;
}

// Takes every member out, oldest first, and compares their names.
static void assert_order(const uint32_t *names, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        struct recency_link *link = recency_oldest(&list);
        assert_non_null(link);
        assert_int_equal(RECENCY_MEMBER(link, struct member, use)->name, names[i]);
        recency_remove(link);
    }
    assert_null(recency_oldest(&list));
}

static void test_an_empty_list_has_no_oldest(void **state)
{
    (void)state;
    recency_init(&list);
    assert_null(recency_oldest(&list));
}

static void test_untouched_members_go_in_the_order_they_came(void **state)
{
    (void)state;
    assert_order((const uint32_t[]){0, 1, 2, 3}, 4);
}

static void test_a_touched_member_goes_last(void **state)
{
    (void)state;
    recency_touch(&list, &members[0].use);
    recency_touch(&list, &members[2].use);
    assert_order((const uint32_t[]){1, 3, 0, 2}, 4);
}

static void test_the_newest_may_be_touched_again(void **state)
{
    (void)state;
    recency_touch(&list, &members[3].use);
    assert_order((const uint32_t[]){0, 1, 2, 3}, 4);
}

static void test_the_next_oldest_ends_at_the_newest(void **state)
{
    (void)state;
    struct recency_link *link = recency_oldest(&list);
    for (uint32_t i = 1; i < 4; i++) {
        link = recency_next_oldest(&list, link);
        assert_ptr_equal(link, &members[i].use);
    }
    assert_null(recency_next_oldest(&list, link));
}

static void test_a_member_moves_to_another_list(void **state)
{
    (void)state;
    struct recency_list other;
    recency_init(&other);
    recency_touch(&other, &members[1].use);
    assert_ptr_equal(recency_oldest(&other), &members[1].use);
    assert_null(recency_next_oldest(&other, &members[1].use));
    assert_order((const uint32_t[]){0, 2, 3}, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_empty_list_has_no_oldest),
        cmocka_unit_test_setup(test_untouched_members_go_in_the_order_they_came, prepare),
        cmocka_unit_test_setup(test_a_touched_member_goes_last, prepare),
        cmocka_unit_test_setup(test_the_newest_may_be_touched_again, prepare),
        cmocka_unit_test_setup(test_the_next_oldest_ends_at_the_newest, prepare),
        cmocka_unit_test_setup(test_a_member_moves_to_another_list, prepare),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
