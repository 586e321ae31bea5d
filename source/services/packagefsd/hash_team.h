// SPDX-License-Identifier: Apache-2.0
// Hashes blocks on several harts: the caller and one helper thread for each further hart.
//
//     hash_team_init -> hash_team_run ...
//
// Who owns what. A job (tree, blocks, digests) is the caller's and lent out while it is open. A
// helper may read it only from within: it counts itself in, then looks whether a job is open, and
// counts itself out when no block is left. Blocks are taken one by one from a shared counter.
//
//     caller                                   helper
//     write the job                            inside++
//     open = true, signal each helper          open?  no: leave
//     take blocks until none is left           take blocks until none is left
//     open = false                             leave: inside--; the last one, and not open?
//     while inside != 0: wait for `done`              signal `done`
//
// All of this is in one order (sequentially consistent). A helper that sees the job open was
// counted in before the caller closed it, so the caller waits for it, and nothing of the job
// changes under it. One that comes too late sees it closed and touches nothing. If the caller found
// somebody inside after closing, that one counts itself out later and then sees the job closed:
// `done` is signalled, and its bit stays until the caller takes it. A bit too many makes the caller
// look once more.
//
// Helpers are started with the first job that is worth it, and run in the class of services, as
// their caller does. Those for which there is no memory are tried again with the next job; without
// any, and on a machine with one hart, the caller does all the work.
#ifndef PACKAGEFSD_HASH_TEAM_H
#define PACKAGEFSD_HASH_TEAM_H

#include "nexus/limits.h"
#include "nexus/thread.h"
#include "verity/verity.h"
#include <stdatomic.h>

#define HASH_TEAM_HELPERS_MAX (NX_HARTS_MAX - 1u)

struct hash_team;

struct hash_helper {
    struct hash_team *team;
    struct nx_thread thread;
    nx_handle go; // notification
};

struct hash_team {
    // The caller's.
    uint32_t wanted;  // helpers that the machine has harts for
    uint32_t helpers; // of these, those that run
    nx_handle done;   // notification; NX_HANDLE_NONE before the first job
    struct hash_helper members[HASH_TEAM_HELPERS_MAX];

    // The job: written while it is not open and nobody is inside.
    const struct verity_tree *tree;
    const uint8_t *blocks;
    uint8_t (*digests)[HASH_BYTES];
    uint32_t count;

    // Everybody's.
    _Atomic bool open;
    _Atomic uint32_t inside;
    _Atomic uint32_t next; // block that nobody has taken yet
};

// `harts`: of the machine.
void hash_team_init(struct hash_team *team, uint32_t harts);

// Whether a run of `count` blocks is done by several.
bool hash_team_is_worth(const struct hash_team *team, uint32_t count);

// Hashes `count` blocks, which lie one after the other where only this program can write, into
// digests[0..count). One caller at a time.
void hash_team_run(struct hash_team *team, const struct verity_tree *tree, const uint8_t *blocks,
                   uint32_t count, uint8_t (*digests)[HASH_BYTES]);

#endif
