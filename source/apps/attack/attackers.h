// SPDX-License-Identifier: Apache-2.0
// What the two halves of the attackers share. Each attacker is a process of its own that does one
// thing without end and counts it; programs.c ends it.
#ifndef ATTACK_ATTACKERS_H
#define ATTACK_ATTACKERS_H

#include "attack.h"
#include <stdatomic.h>

extern struct tally *attacker_tally; // constant after the attacker's start

static inline void count_up(_Atomic uint64_t *counter)
{
    atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
}

// Counts one try: what came of it is what the attacker is after, or the one refusal that it
// expects. Any other status is wrong.
void attacker_count(enum nx_status status, enum nx_status refusal);
// Counts a try that must end in that refusal.
void attacker_must_fail(enum nx_status status, enum nx_status refusal);

// attackers_ipc.c
void attack_by_silence(void);
void attack_by_two_replies(void);
void attack_by_forgery(void);
void attack_by_queues(void);

#endif
