// SPDX-License-Identifier: Apache-2.0
// Hashing on several harts: every block is hashed once, into its own place, and nobody touches a
// job that is over. Under ThreadSanitizer, a helper that did would race with the next job.
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fake_threads.h"
#include "packagefsd/hash_team.h"

#define BLOCKS_MAX 32u
#define JOBS       3000u

static struct verity_tree tree;
static uint8_t blocks[BLOCKS_MAX][VERITY_BLOCK_BYTES];
static uint8_t digests[BLOCKS_MAX][HASH_BYTES];
static uint32_t hashed[BLOCKS_MAX]; // plain: two threads at one block are a race

// In place of a hash: the block's first bytes. Some take their time.
void verity_tree_hash(const struct verity_tree *owner, const void *data, uint8_t digest[HASH_BYTES])
{
    assert_ptr_equal(owner, &tree);
    const uint8_t *bytes = data;
    if (bytes[0] % 8 == 0) {
        (void)sched_yield();
    }
    memcpy(digest, bytes, HASH_BYTES);
    hashed[(size_t)(bytes - blocks[0]) / VERITY_BLOCK_BYTES]++;
}

// Nothing is dropped here but what could not be started.
void nx_handle_drop(nx_handle handle)
{
    (void)handle;
}

static void job_run(struct hash_team *team, uint32_t job, uint32_t count)
{
    for (uint32_t i = 0; i < BLOCKS_MAX; i++) {
        memset(blocks[i], (int)(job * 7 + i), HASH_BYTES);
        memset(digests[i], 0, HASH_BYTES);
        hashed[i] = 0;
    }
    hash_team_run(team, &tree, blocks[0], count, digests);
    for (uint32_t i = 0; i < BLOCKS_MAX; i++) {
        assert_int_equal(hashed[i], i < count);
        if (i < count) {
            assert_memory_equal(digests[i], blocks[i], HASH_BYTES);
        }
    }
}

static void test_each_block_is_hashed_once_on_any_number_of_harts(void **state)
{
    (void)state;
    for (uint32_t harts = 2; harts <= NX_HARTS_MAX; harts++) {
        struct hash_team *team = malloc(sizeof(*team));
        assert_non_null(team);
        hash_team_init(team, harts);
        assert_true(hash_team_is_worth(team, BLOCKS_MAX));
        for (uint32_t job = 0; job < JOBS; job++) {
            job_run(team, job, job % BLOCKS_MAX + 1);
            if (job % 64 == 0) {
                (void)sched_yield(); // helpers come late
            }
        }
        assert_int_equal(team->helpers, harts - 1);
        fake_threads_reset();
        free(team);
    }
}

static void test_a_team_without_memory_works_and_grows_when_there_is_some(void **state)
{
    (void)state;
    struct hash_team *team = malloc(sizeof(*team));
    assert_non_null(team);
    hash_team_init(team, NX_HARTS_MAX);
    fake_pages_left = 10;
    job_run(team, 1, BLOCKS_MAX);
    assert_int_equal(team->helpers, 0);
    fake_pages_left = 10000;
    job_run(team, 2, BLOCKS_MAX);
    assert_int_equal(team->helpers, HASH_TEAM_HELPERS_MAX);
    fake_threads_reset();
    free(team);
}

static void test_one_hart_and_few_blocks_are_no_team_s(void **state)
{
    (void)state;
    struct hash_team team;
    hash_team_init(&team, 0);
    assert_false(hash_team_is_worth(&team, BLOCKS_MAX));
    hash_team_init(&team, 1);
    assert_false(hash_team_is_worth(&team, BLOCKS_MAX));
    hash_team_init(&team, 1000);
    assert_int_equal(team.wanted, HASH_TEAM_HELPERS_MAX);
    assert_false(hash_team_is_worth(&team, 1));
    assert_true(hash_team_is_worth(&team, BLOCKS_MAX));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_block_is_hashed_once_on_any_number_of_harts),
        cmocka_unit_test(test_a_team_without_memory_works_and_grows_when_there_is_some),
        cmocka_unit_test(test_one_hart_and_few_blocks_are_no_team_s),
    };
    return cmocka_run_group_tests_name("hash team", tests, NULL, NULL);
}
