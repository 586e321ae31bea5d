// SPDX-License-Identifier: Apache-2.0
// Hashing on several harts; hash_team.h says who owns what and why nobody waits for ever.
#include "hash_team.h"

#define HELPER_STACK_BYTES (16ul << 10)
#define HELPER_PAGES       8u  // stack, message page, page tables
#define PAGES_KEPT         24u // of the budget, for what the rest of the program must not be refused
#define WORTH_BLOCKS       4u  // a block takes 50,000 instructions, waking a helper 2,000
#define BIT_GO             1u
#define BIT_DONE           1u

static void blocks_hash(struct hash_team *team)
{
    uint32_t index;
    while ((index = atomic_fetch_add(&team->next, 1)) < team->count) {
        size_t offset = (size_t)index * VERITY_BLOCK_BYTES;
        verity_tree_hash(team->tree, team->blocks + offset, team->digests[index]);
    }
}

static void job_visit(struct hash_team *team)
{
    atomic_fetch_add(&team->inside, 1);
    if (atomic_load(&team->open)) {
        blocks_hash(team);
    }
    if (atomic_fetch_sub(&team->inside, 1) == 1 && !atomic_load(&team->open)) {
        // The handle is this program's own.
        (void)!nx_notification_signal(team->done, BIT_DONE);
    }
}

static void helper_main(void *argument)
{
    struct hash_helper *helper = argument;
    uint64_t bits;

    while (nx_notification_wait(helper->go, NX_DEADLINE_NEVER, &bits) == NX_OK) {
        job_visit(helper->team);
    }
}

// A helper has its caller's class: one of a lower class that has counted itself in could be kept
// from its hart by whoever computes there, and the caller waits for it. Its memory comes on demand,
// where a fault that the budget does not allow would end this program: so the budget is asked
// first.
static enum nx_status helper_start(struct hash_team *team, struct hash_helper *helper)
{
    const struct nx_thread_options options = {
        .stack_bytes = HELPER_STACK_BYTES,
        .class = NX_CLASS_SERVICE,
    };
    struct nx_process_facts facts;

    helper->team = team;
    enum nx_status status = nx_process_info(NX_HANDLE_NONE, &facts);
    if (status == NX_OK && facts.pages_budget - facts.pages_used < HELPER_PAGES + PAGES_KEPT) {
        status = NX_ERR_NO_MEMORY;
    }
    if (status == NX_OK) {
        status = nx_notification_create(&helper->go);
    }
    if (status != NX_OK) {
        return status;
    }
    status = nx_thread_spawn(&options, helper_main, helper, &helper->thread);
    if (status != NX_OK) {
        nx_handle_drop(helper->go);
    }
    return status;
}

static void helpers_start(struct hash_team *team)
{
    if (team->done == NX_HANDLE_NONE && nx_notification_create(&team->done) != NX_OK) {
        return;
    }
    while (team->helpers < team->wanted &&
           helper_start(team, &team->members[team->helpers]) == NX_OK) {
        team->helpers++;
    }
}

void hash_team_init(struct hash_team *team, uint32_t harts)
{
    *team = (struct hash_team){0};
    team->wanted = harts > NX_HARTS_MAX ? HASH_TEAM_HELPERS_MAX : harts > 1 ? harts - 1 : 0;
}

bool hash_team_is_worth(const struct hash_team *team, uint32_t count)
{
    return count >= WORTH_BLOCKS && team->wanted > 0;
}

void hash_team_run(struct hash_team *team, const struct verity_tree *tree, const uint8_t *blocks,
                   uint32_t count, uint8_t (*digests)[HASH_BYTES])
{
    uint64_t bits;

    if (team->helpers < team->wanted) {
        helpers_start(team);
    }
    team->tree = tree;
    team->blocks = blocks;
    team->digests = digests;
    team->count = count;
    atomic_store(&team->next, 0);
    atomic_store(&team->open, true);
    for (uint32_t i = 0; i < team->helpers; i++) {
        (void)!nx_notification_signal(team->members[i].go, BIT_GO);
    }
    blocks_hash(team);
    atomic_store(&team->open, false);
    while (atomic_load(&team->inside) != 0) {
        // Its only outcome is a bit.
        (void)!nx_notification_wait(team->done, NX_DEADLINE_NEVER, &bits);
    }
}
