// SPDX-License-Identifier: Apache-2.0
// Copies of this program in a role: started from the package, ended with proof.
#include "attack.h"
#include "nexus/clock.h"

#define DEATH_PATIENCE (30 * NX_SECOND)

enum nx_status copy_start(const struct copy_options *options, struct nx_child *child)
{
    const char *words[COPY_WORDS_MAX + 3] = {"attack", "--role", options->role};
    uint32_t word_count = 3;
    for (uint32_t i = 0; i < COPY_WORDS_MAX && options->words[i] != NULL; i++) {
        words[word_count++] = options->words[i];
    }
    uint32_t grant_count = 0;
    while (grant_count < COPY_GRANTS_MAX && options->grants[grant_count].handle != NX_HANDLE_NONE) {
        grant_count++;
    }
    const struct nx_spawn_options spawn = {
        .name = options->role,
        .arguments = words,
        .argument_count = word_count,
        .grants = options->grants,
        .grant_count = grant_count,
        .budget_pages = options->budget_pages,
        .highest_class = NX_CLASS_NORMAL,
        .affinity = options->affinity,
        .fault_endpoint = options->faults,
    };
    return nx_spawn_package(ATTACK_PATH, &spawn, child);
}

// Asked of the process itself: it may have bound its end to another notification. One that has
// asked where memory lies is held; no device of its writes there.
bool copy_is_dead(const struct nx_child *child)
{
    struct nx_process_facts facts;
    if (nx_process_info(child->process, &facts) != NX_OK) {
        return false;
    }
    if (facts.state == NX_PROCESS_HELD) {
        (void)!nx_process_kill(child->process, NX_EXIT_LET_GO);
    }
    return facts.state == NX_PROCESS_DEAD;
}

static bool is_dead(void *context)
{
    return copy_is_dead(context);
}

bool copy_end(struct nx_child *child)
{
    (void)!nx_process_kill(child->process, NX_EXIT_KILLED); // it may have ended by itself
    bool dead = nx_wait_until(is_dead, child, DEATH_PATIENCE);
    nx_child_close(child);
    return dead;
}
