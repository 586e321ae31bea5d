// SPDX-License-Identifier: Apache-2.0
// attack: programs that try to break the system or to take from others, and what measures whether
// they do. main.c has the table.
//
// An attack is a function that fills a report and says whether it was contained. The attackers are
// processes of their own, copies of this program in a role, so that their death shows what comes
// back. None of the verdicts depends on the speed of the machine: counts are compared with counts,
// and times have deadlines only where something would hang for ever.
#ifndef ATTACK_ATTACK_H
#define ATTACK_ATTACK_H

#include "nexus/machine.h"
#include "nexus/process.h"
#include "nexus/spawn.h"
#include "nexus/status.h"
#include <stdbool.h>

#define ATTACK_PATH "pkg://bin/attack"

// Handles that this program gives to copies of itself.
enum attack_id {
    ATTACK_SHARED = 40, // memory: counters of the copy's role
    ATTACK_ECHO = 41,   // endpoint: answers with the words it got
    ATTACK_SERVED = 42, // endpoint: that the copy receives on
};

struct report {
    char reason[256]; // why it was not contained
    char figures[96]; // what was measured; empty: nothing
};

// Writes the reason, formatted as by printf; returns false.
bool report_fail(struct report *report, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

// Says on the console how the attack came out, and returns that.
bool report_tell(const char *name, bool contained, const struct report *report);

// Leaves the attack with a reason unless the condition holds.
#define EXPECT(report, condition, ...)                                                             \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            return report_fail(report, __VA_ARGS__);                                               \
        }                                                                                          \
    } while (0)

#define EXPECT_OK(report, call)                                                                    \
    do {                                                                                           \
        enum nx_status got_ = (call);                                                              \
        if (got_ != NX_OK) {                                                                       \
            return report_fail(report, "%s: %s", #call, nx_status_text(got_));                     \
        }                                                                                          \
    } while (0)

// ---- Copies of this program (copies.c) ----------------------------------------------------------

struct copy {
    struct nx_child child;
    nx_handle faults; // endpoint for its faults; NX_HANDLE_NONE: they kill it
};

#define COPY_WORDS_MAX  6u
#define COPY_GRANTS_MAX 8u

struct copy_options {
    const char *role;
    const char *words[COPY_WORDS_MAX];       // NULL ends them
    struct nx_grant grants[COPY_GRANTS_MAX]; // NX_HANDLE_NONE ends them
    uint64_t budget_pages;
    uint64_t affinity; // 0: any
    nx_handle faults;
};

NX_MUST_CHECK enum nx_status copy_start(const struct copy_options *options, struct nx_child *child);
bool copy_is_dead(const struct nx_child *child);
// Kills it, waits until it is dead, and closes its handles. False: it does not die.
bool copy_end(struct nx_child *child);

// ---- What the machine has (watch.c) -------------------------------------------------------------

#define WATCH_PROCESSES 24u

// What is free, and what each process has. Two that are the same: everything has come back.
struct machine_state {
    uint64_t frames_free;  // or cut into kernel objects: how many it takes for those varies
    uint64_t pooled_bytes; // of kernel objects
    uint64_t retired;
    uint32_t count;
    struct nx_info_process processes[WATCH_PROCESSES];
};

NX_MUST_CHECK enum nx_status machine_look(struct machine_state *state);
// Waits until there are no more than so many processes and nothing waits for its end, then looks.
// False: that never comes.
bool machine_look_settled(struct machine_state *state, uint32_t processes);
// Waits until the machine has what it had: every frame, and of each process the same handles,
// threads and pages. Services may have touched some pages for the first time; *growth is how many,
// and so many frames are missing. False: it never has; the report says what is missing.
bool machine_settles(struct report *report, const struct machine_state *before, uint64_t *growth);
uint32_t machine_harts(void);

// ---- The neighbour (neighbour.c) ----------------------------------------------------------------

// An innocent process that uses memory, a server, the disk, files and timers all the time, and
// counts what it finds right and wrong.
struct neighbour;
NX_MUST_CHECK enum nx_status neighbour_start(struct neighbour **neighbour);
// Whether each of its parts has got on since the last look, within a deadline, and found nothing
// wrong.
bool neighbour_is_well(struct report *report, struct neighbour *neighbour);
// Makes it rest, or go on: while it rests it asks nothing of any service. False: it does not.
bool neighbour_rests(struct neighbour *neighbour, bool rest);
#define NEIGHBOUR_PARTS 5u
// What each of its parts has found right so far.
void neighbour_counts(const struct neighbour *neighbour, uint64_t counts[NEIGHBOUR_PARTS]);
const char *neighbour_part_name(uint32_t part);
// Calls that its server has had from strangers.
uint64_t neighbour_strangers(const struct neighbour *neighbour);
// Messages that its server has had from the kernel, or so they say: faults of programs that have
// made it their supervisor.
uint64_t neighbour_faults(const struct neighbour *neighbour);
// A handle to call its server, which knows whoever uses it for a stranger.
nx_handle neighbour_server(const struct neighbour *neighbour);
// What it has found right so far, as of the last look.
uint64_t neighbour_checks(const struct neighbour *neighbour);
// False: it or its server does not end.
bool neighbour_end(struct neighbour *neighbour);
int neighbour_main(int argc, char **argv);

// ---- Attacks ------------------------------------------------------------------------------------

// fuzz.c: `calls` random system calls; seed 0: one from the clock.
bool attack_fuzz(struct report *report, uint64_t calls, uint64_t seed);
int fuzz_worker_main(int argc, char **argv);

// programs.c: runs the named ones (NULL: all) one after the other. False: there is none of that
// name.
bool programs_run(const char *name, bool *contained);

// attackers.c: what an attacker counts, in memory that outlives it.
struct tally {
    _Atomic uint64_t tries;
    _Atomic uint64_t got;
    _Atomic uint64_t refused; // by the status that the attack is about
    _Atomic uint64_t wrong;   // what no attacker may ever get
    _Atomic uint64_t first;   // status of the first of these
};
int attacker_main(int argc, char **argv);

#endif
