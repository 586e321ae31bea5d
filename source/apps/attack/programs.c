// SPDX-License-Identifier: Apache-2.0
// Attacking programs, one after the other, each beside the neighbour: what it gets of the system
// before and during the attack, and whether everything has come back after it.
//
// Service is counted in checks that each part of the neighbour has found right in a stretch of the
// machine's time, of which ICOUNT=1 makes a count of instructions: so no verdict depends on how
// fast QEMU's machine is. A part must keep one check in so many. How many depends on how many
// threads of the neighbour's own class the attack has: they take turns with it, a slice each, so a
// part that waits for others several times in each check loses most. The bounds leave a
// factor of two to five to what is measured.
#include "attack.h"
#include "nexus/block.h"
#include "nexus/clock.h"
#include "nexus/log.h"
#include "nexus/memory.h"
#include "nexus/packages.h"
#include "nexus/thread.h"
#include <stdatomic.h>
#include <stdio.h>

#define WINDOW         (600 * NX_MILLISECOND)
#define PATIENCE       (5 * NX_SECOND)
#define SILENCE        (5 * NX_MILLISECOND)
#define CALLS_ANSWERED 50u
#define SHARED_PAGES   16u

struct stage;

struct program {
    const char *name;
    uint64_t budget_pages;
    uint64_t refusals; // that show that it has come to its bounds; 0: it has none
    uint32_t share;    // of each part's service before, 1/share is left at least
    // What else must be true while it goes on; NULL: nothing.
    bool (*check)(struct report *report, const struct stage *stage);
};

struct stage {
    struct neighbour *neighbour;
    struct tally *tally;
    nx_handle tally_memory;
    nx_handle endpoint; // that attackers receive on
    struct nx_child attacker;
    uint64_t strangers; // that the neighbour's server had seen before
    uint32_t processes; // without the attacker
};

// ---- The neighbour's service --------------------------------------------------------------------

struct service {
    uint64_t checks[NEIGHBOUR_PARTS];
};

// In WINDOW; the clock says how long it was in fact. A check may wait for several slices, of 10 ms,
// of attackers as urgent as it: a short window would count too few to judge.
static struct service service_measure(const struct neighbour *neighbour)
{
    struct service from;
    struct service to;
    uint64_t start = nx_clock_now();
    neighbour_counts(neighbour, from.checks);
    nx_sleep(WINDOW);
    neighbour_counts(neighbour, to.checks);
    uint64_t elapsed = nx_clock_now() - start;
    for (uint32_t i = 0; i < NEIGHBOUR_PARTS; i++) {
        to.checks[i] = (to.checks[i] - from.checks[i]) * WINDOW / elapsed;
    }
    return to;
}

// The part that has lost the most; how many times less it gets.
static bool service_suffices(struct report *report, const struct program *program,
                             const struct service *before, const struct service *during)
{
    uint32_t worst = 0;
    for (uint32_t i = 1; i < NEIGHBOUR_PARTS; i++) {
        if (during->checks[i] * before->checks[worst] < during->checks[worst] * before->checks[i]) {
            worst = i;
        }
    }
    unsigned long long was = before->checks[worst];
    unsigned long long is = during->checks[worst];
    unsigned long long least = was / program->share;
    const char *part = neighbour_part_name(worst);
    (void)snprintf(report->figures, sizeof(report->figures),
                   " before=%llu during=%llu least=%llu part=%s", was, is, least, part);
    EXPECT(report, was > 0 && is > 0 && is >= least,
           "service of part=%s before=%llu during=%llu least=%llu", part, was, is, least);
    return true;
}

// ---- What else each must not achieve ------------------------------------------------------------

static bool memory_is_left(struct report *report, const struct stage *stage)
{
    nx_handle memory;
    (void)stage;
    EXPECT_OK(report, nx_memory_create(SHARED_PAGES * NX_PAGE_SIZE, 0, &memory));
    enum nx_status status = nx_memory_commit(memory, 0, SHARED_PAGES * NX_PAGE_SIZE);
    nx_handle_drop(memory);
    EXPECT(report, status == NX_OK, "others get no memory: %s", nx_status_text(status));
    return true;
}

// Requested is sent and coalesced, on every hart: nothing was lost or made up.
static bool ledger_is_right(void *context)
{
    (void)context;
    for (uint32_t hart = 0; hart < machine_harts(); hart++) {
        struct nx_info_hart record;
        if (nx_machine_record(NX_INFO_HART, hart, &record, sizeof(record)) != NX_OK ||
            record.ipi_requested != record.ipi_sent + record.ipi_coalesced) {
            return false;
        }
    }
    return true;
}

static bool interrupts_add_up(struct report *report, const struct stage *stage)
{
    (void)stage;
    EXPECT(report, nx_wait_until(ledger_is_right, NULL, PATIENCE),
           "interrupts between harts do not add up");
    return true;
}

static enum nx_status call_within(nx_handle endpoint, struct nx_message *message, uint64_t time)
{
    nx_page()->deadline = nx_deadline_after(time);
    message->info = NX_INFO_DEADLINE;
    return nx_endpoint_call(endpoint, message);
}

struct victim {
    nx_handle endpoint;
    enum nx_status status;
};

static void call_for_ever(void *argument)
{
    struct victim *victim = argument;
    struct nx_message message = {0};
    victim->status = nx_endpoint_call(victim->endpoint, &message);
}

static bool has_got_two(void *context)
{
    const struct stage *stage = context;
    return atomic_load_explicit(&stage->tally->got, memory_order_relaxed) >= 2;
}

// Who waits with a deadline goes on at it; who waits without one, when the server dies.
static bool silence_ends(struct report *report, const struct stage *stage)
{
    struct victim victim = {.endpoint = stage->endpoint};
    struct nx_message message = {0};
    struct nx_thread thread;
    enum nx_status status = call_within(stage->endpoint, &message, SILENCE);
    EXPECT(report, status == NX_ERR_TIMED_OUT, "a call with a deadline: %s",
           nx_status_text(status));
    EXPECT_OK(report, nx_thread_spawn(NULL, call_for_ever, &victim, &thread));
    bool received = nx_wait_until(has_got_two, (void *)stage, PATIENCE);
    (void)!nx_process_kill(stage->attacker.process,
                           NX_EXIT_KILLED); // the thread shows if it failed
    EXPECT_OK(report, nx_thread_join(&thread));
    EXPECT(report, received && victim.status == NX_ERR_PEER_CLOSED, "a call whose server dies: %s",
           nx_status_text(victim.status));
    return true;
}

// Each call has its own answer, and one.
static bool answers_are_single(struct report *report, const struct stage *stage)
{
    for (uint64_t i = 0; i < CALLS_ANSWERED; i++) {
        struct nx_message message = {.words = {i}};
        enum nx_status status = call_within(stage->endpoint, &message, PATIENCE);
        EXPECT(report, status == NX_OK && message.words[0] == i, "call %llu: %s answer=%llu",
               (unsigned long long)i, nx_status_text(status), (unsigned long long)message.words[0]);
    }
    return true;
}

static bool has_met_strangers(void *context)
{
    const struct stage *stage = context;
    return neighbour_strangers(stage->neighbour) > stage->strangers + CALLS_ANSWERED;
}

// That none came in another program's name is the neighbour's own verdict.
static bool strangers_are_known(struct report *report, const struct stage *stage)
{
    EXPECT(report, nx_wait_until(has_met_strangers, (void *)stage, PATIENCE),
           "the server has met no stranger");
    EXPECT(report, neighbour_faults(stage->neighbour) == 0, "a program has sent a fault");
    return true;
}

static bool disk_has_sessions(struct report *report, const struct stage *stage)
{
    struct nx_block_facts facts;
    (void)stage;
    EXPECT_OK(report, nx_block_info(&facts));
    EXPECT(report, facts.sessions > 1, "the attacker has no session at the disk");
    return true;
}

// ---- The table ----------------------------------------------------------------------------------

// Adding an attack is one row here, and its attacker's in attackers.c.
static const struct program programs[] = {
    // Its copies are as urgent as the neighbour: a check waits for whole slices, of 10 ms, of
    // theirs.
    {"fork-bomb", 768, 16, 64, memory_is_left},
    {"memory-hog", 1024, 64, 4, memory_is_left},
    {"handle-hog", 1024, 64, 4, memory_is_left},
    {"notification-flood", 512, 0, 8, interrupts_add_up},
    {"spin", 512, 4, 50, NULL},
    {"silent-server", 256, 0, 2, silence_ends},
    {"double-reply", 256, 0, 2, answers_are_single},
    {"forged-sender", 256, 64, 4, strangers_are_known},
    {"queue-hog", 512, 1, 8, disk_has_sessions},
};
#define PROGRAM_COUNT (sizeof(programs) / sizeof(programs[0]))

// ---- One attack ---------------------------------------------------------------------------------

static enum nx_status attacker_start(struct stage *stage, const struct program *program)
{
    const struct copy_options options = {
        .role = "attacker",
        .words = {program->name},
        .grants = {{(enum nx_start_id)ATTACK_SHARED, stage->tally_memory, NX_RIGHTS_ALL},
                   {(enum nx_start_id)ATTACK_ECHO, neighbour_server(stage->neighbour),
                    NX_RIGHTS_ALL},
                   {(enum nx_start_id)ATTACK_SERVED, stage->endpoint, NX_RIGHT_RECEIVE},
                   {NX_START_PACKAGES, nx_start_handle(NX_START_PACKAGES), NX_RIGHTS_ALL},
                   {NX_START_BLOCK, nx_start_handle(NX_START_BLOCK), NX_RIGHTS_ALL},
                   {NX_START_MACHINE, nx_start_handle(NX_START_MACHINE), NX_RIGHT_INSPECT}},
        .budget_pages = program->budget_pages,
    };
    memset(stage->tally, 0, sizeof(*stage->tally));
    stage->strangers = neighbour_strangers(stage->neighbour);
    return copy_start(&options, &stage->attacker);
}

struct awaited {
    const struct tally *tally;
    uint64_t refusals;
};

static bool has_come_to_its_bounds(void *context)
{
    const struct awaited *awaited = context;
    return atomic_load_explicit(&awaited->tally->refused, memory_order_relaxed) >=
           awaited->refusals;
}

// Beside the attacker, which runs.
static bool attack_stand(struct report *report, struct stage *stage, const struct program *program,
                         const struct service *before)
{
    struct awaited awaited = {stage->tally, program->refusals};
    EXPECT(report, nx_wait_until(has_come_to_its_bounds, &awaited, PATIENCE),
           "it does not come to its bounds: tries=%llu got=%llu refused=%llu",
           (unsigned long long)stage->tally->tries, (unsigned long long)stage->tally->got,
           (unsigned long long)stage->tally->refused);
    struct service during = service_measure(stage->neighbour);
    bool suffices = service_suffices(report, program, before, &during);
    EXPECT(report, !copy_is_dead(&stage->attacker), "the attacker has ended by itself");
    return suffices && (program->check == NULL || program->check(report, stage));
}

static bool attack_run(struct report *report, struct stage *stage, const struct program *program)
{
    static struct machine_state settled;
    uint64_t growth;
    EXPECT(report, neighbour_rests(stage->neighbour, true), "the neighbour is stuck");
    nx_package_trim(); // what is kept of the attackers' file
    EXPECT(report, machine_look_settled(&settled, stage->processes), "somebody has not ended");
    EXPECT(report, neighbour_rests(stage->neighbour, false), "the neighbour is stuck");
    struct service before = service_measure(stage->neighbour);
    EXPECT_OK(report, attacker_start(stage, program));
    bool stood = attack_stand(report, stage, program, &before);
    bool ended = copy_end(&stage->attacker);
    const struct tally *tally = stage->tally;
    if (!stood) {
        return false;
    }
    EXPECT(report, ended, "the attacker does not die");
    EXPECT(report, tally->wrong == 0, "it got what it must not: wrong=%llu first=%s",
           (unsigned long long)tally->wrong, nx_status_text((enum nx_status)tally->first));
    nx_log("attack: %s tries=%llu got=%llu refused=%llu", program->name,
           (unsigned long long)tally->tries, (unsigned long long)tally->got,
           (unsigned long long)tally->refused);
    EXPECT(report, neighbour_rests(stage->neighbour, true), "the neighbour is stuck");
    nx_package_trim();
    if (!machine_settles(report, &settled, &growth)) {
        return false;
    }
    EXPECT(report, neighbour_rests(stage->neighbour, false), "the neighbour is stuck");
    return neighbour_is_well(report, stage->neighbour);
}

// ---- All of them --------------------------------------------------------------------------------

static void end_at_once(void *argument)
{
    (void)argument;
}

// Everybody has afterwards what they keep for good: here the package's file and a thread's stack,
// at the disk the stacks of its sessions' watchers. So the attack that takes those comes once
// before any is counted.
static enum nx_status stage_warm_up(struct stage *stage)
{
    static const struct program queue_hog = {.name = "queue-hog", .budget_pages = 512};
    struct nx_thread thread;
    struct awaited awaited = {stage->tally, 1};
    enum nx_status status = attacker_start(stage, &queue_hog);
    if (status == NX_OK) {
        bool came = nx_wait_until(has_come_to_its_bounds, &awaited, PATIENCE);
        status = copy_end(&stage->attacker) && came ? NX_OK : NX_ERR_TIMED_OUT;
    }
    if (status == NX_OK) {
        status = nx_thread_spawn(NULL, end_at_once, NULL, &thread);
    }
    return status == NX_OK ? nx_thread_join(&thread) : status;
}

static enum nx_status stage_open(struct stage *stage)
{
    static struct machine_state state;
    void *shared;
    enum nx_status status = nx_memory_new(NX_PAGE_SIZE, 0, &stage->tally_memory, &shared);
    stage->tally = shared;
    if (status == NX_OK) {
        status = nx_endpoint_create(&stage->endpoint);
    }
    if (status == NX_OK) {
        status = neighbour_start(&stage->neighbour);
    }
    if (status == NX_OK) {
        status = machine_look(&state);
        stage->processes = state.count;
    }
    return status == NX_OK ? stage_warm_up(stage) : status;
}

static bool stage_close(struct stage *stage)
{
    bool ended = neighbour_end(stage->neighbour);
    nx_handle_drop(stage->endpoint);
    nx_unmap(stage->tally);
    nx_handle_drop(stage->tally_memory);
    return ended;
}

bool programs_run(const char *name, bool *contained)
{
    static struct stage stage;
    struct report report = {0};
    uint32_t found = 0;
    stage = (struct stage){0};
    enum nx_status status = stage_open(&stage);
    if (status != NX_OK) {
        (void)report_fail(&report, "%s", nx_status_text(status));
        *contained = report_tell("stage", false, &report);
        return true;
    }
    for (size_t i = 0; i < PROGRAM_COUNT; i++) {
        if (name == NULL || strcmp(name, programs[i].name) == 0) {
            report = (struct report){0};
            bool stood = attack_run(&report, &stage, &programs[i]);
            *contained = report_tell(programs[i].name, stood, &report) && *contained;
            found++;
            if (!stood) {
                break; // the neighbour may rest, or not be well
            }
        }
    }
    *contained = stage_close(&stage) && *contained;
    return found > 0;
}
