// SPDX-License-Identifier: Apache-2.0
// Valid messages, damaged at random but always alike, read by our accessors and the official
// library.
//
// Every damaged message lies in a heap buffer of exactly its size. Ours must stay inside of it and
// end; and each value that it gives must be the one that the official library gives. Where the
// official library gives a value and ours an error, the error must be one of these, which our
// stricter rules explain:
//   NX_ERR_TOO_LARGE: our traversal and depth limits are those of a 1 KiB message.
//   NX_ERR_BAD_FORMAT: a list of bools sent as wider elements. The official library reads their
//   lowest bits, ours refuses: no schema evolution leads there.
//   NX_ERR_OUT_OF_RANGE: an object of no words outside of the message. The official library reads
//   it as empty, ours refuses.
//   NX_ERR_UNSUPPORTED: a far pointer from the message's only segment into itself. The official
//   library follows it, ours follows none.
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "oracle.h"
#include "ours.h"

#define MUTATIONS_PER_MESSAGE 1500

static const int permitted[] = {NX_ERR_TOO_LARGE, NX_ERR_BAD_FORMAT, NX_ERR_OUT_OF_RANGE,
                                NX_ERR_UNSUPPORTED, 0};

static struct dump official;
static struct dump mine;

struct totals {
    unsigned messages;
    size_t refused;
};

// xorshift64*: the same sequence on every machine.
static uint64_t random_state = UINT64_C(0x9e3779b97f4a7c15);

static uint64_t next_random(void)
{
    random_state ^= random_state >> 12;
    random_state ^= random_state << 25;
    random_state ^= random_state >> 27;
    return random_state * UINT64_C(0x2545f4914f6cdd1d);
}

static size_t below(size_t limit)
{
    return (size_t)(next_random() % limit);
}

// A pointer with plausible fields: small offsets, counts and sizes of every kind.
static uint64_t plausible_pointer(void)
{
    uint64_t offset = (uint64_t)(below(40) - 20) << 2 & UINT32_MAX;
    uint64_t kind = below(8) < 7 ? below(2) : below(4);
    if (kind == 0)
        return offset | (uint64_t)below(12) << 32 | (uint64_t)below(6) << 48;
    return offset | kind | (uint64_t)below(8) << 32 | (uint64_t)below(80) << 35;
}

static void damage(uint64_t *words, size_t *count)
{
    uint64_t *word = &words[below(*count)];
    switch (below(6)) {
    case 0:
        *word ^= UINT64_C(1) << below(64);
        break;
    case 1:
        *word = plausible_pointer();
        break;
    case 2:
        *word = words[below(*count)];
        break;
    case 3:
        *word += below(2) != 0 ? 4 : (uint64_t)-4; // a pointer's offset, a count or a size by one
        break;
    case 4:
        *word ^= next_random() & UINT64_C(0xff) << 8 * below(8);
        break;
    default:
        if (below(4) == 0)
            *count = 1 + below(*count);
        else
            *word = 0;
        break;
    }
}

static void compare_damaged(const struct ours *root, const uint64_t *words, size_t count,
                            struct totals *totals)
{
    void *exact = malloc(count * sizeof(*words));
    assert_non_null(exact);
    memcpy(exact, words, count * sizeof(*words));
    oracle_dump(root->root, exact, count * sizeof(*words), &official);
    root->dump(exact, count * sizeof(*words), &mine);
    struct dump_verdict verdict = dump_compare(&official, &mine, permitted);
    if (verdict.official != NULL || verdict.ours != NULL) {
        for (size_t i = 0; i < count; i++)
            fprintf(stderr, "%3zu: %016llx\n", i, (unsigned long long)words[i]);
        fail_msg("%s: official %s=%llx error %d, ours %s=%llx error %d", root->root,
                 verdict.official ? verdict.official->path : "nothing",
                 verdict.official ? (unsigned long long)verdict.official->value : 0,
                 verdict.official ? verdict.official->error : 0,
                 verdict.ours ? verdict.ours->path : "nothing",
                 verdict.ours ? (unsigned long long)verdict.ours->value : 0,
                 verdict.ours ? verdict.ours->error : 0);
    }
    totals->messages++;
    totals->refused += verdict.refused;
    free(exact);
}

static void damage_root(const struct ours *root, struct totals *totals)
{
    static uint64_t whole[MESSAGE_BYTES / 8];
    static uint64_t words[MESSAGE_BYTES / 8];
    for (unsigned member = 0; member < oracle_members(root->root); member++) {
        size_t length = oracle_fill(root->root, member, whole, sizeof(whole));
        for (unsigned i = 0; i < MUTATIONS_PER_MESSAGE; i++) {
            size_t count = length / sizeof(*words);
            memcpy(words, whole, length);
            for (size_t times = 1 + below(4); times > 0; times--)
                damage(words, &count);
            compare_damaged(root, words, count, totals);
        }
    }
}

static void test_damaged_messages_read_as_the_official_library_reads_them(void **state)
{
    (void)state;
    struct totals totals = {0};
    for (size_t i = 0; i < ours_storage_count; i++)
        damage_root(&ours_storage[i], &totals);
    for (size_t i = 0; i < ours_uart_count; i++)
        damage_root(&ours_uart[i], &totals);
    for (size_t i = 0; i < ours_everything_count; i++)
        damage_root(&ours_everything[i], &totals);
    print_message("%u damaged messages, %zu values refused by ours alone\n", totals.messages,
                  totals.refused);
    assert_true(totals.messages >= 50000);
    // Refusals are the corner cases above: many of them would be a check of ours gone wrong.
    assert_true(totals.refused < totals.messages / 50);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_damaged_messages_read_as_the_official_library_reads_them),
    };
    for (int i = 1; i < argc; i++)
        oracle_load(argv[i]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
