// SPDX-License-Identifier: Apache-2.0
// Race: memory is unmapped under a process that writes to it. No store may arrive after the unmap
// has returned, the process faults at that address, goes on when it gets the page back, and ends
// when nobody answers.
#include "child.h"
#include "duel.h"
#include "nexus/memory.h"
#include "races.h"

#define CHILDREN       10u
#define UNMAPS         50u // of each child
#define FAULT_PATIENCE (5 * NX_SECOND)
#define STILL_TURNS    1000u // how long no store may arrive
#define EXIT_BIT       1u

struct victim {
    struct child child;
    nx_handle faults; // endpoint
    nx_handle exited; // notification
    nx_handle memory;
    _Atomic uint64_t *counter; // this process's view of the memory
    uint64_t last;             // of counter
};

static uint64_t counted(const struct victim *victim)
{
    return atomic_load_explicit(victim->counter, memory_order_relaxed);
}

static bool counts(void *context)
{
    const struct victim *victim = context;
    return counted(victim) != victim->last;
}

static enum nx_status lend(const struct victim *victim)
{
    uint64_t address = CHILD_SPARE;
    return nx_memory_map(victim->child.process, victim->memory, 0, NX_PAGE_SIZE,
                         NX_PROT_READ | NX_PROT_WRITE, &address);
}

// Takes the page away at some moment of the child's work.
static enum test_outcome take_away(struct test_report *report, struct victim *victim)
{
    EXPECT(report, spin_until(counts, victim, FAULT_PATIENCE), "unmap: the child does not count");
    duel_spin(duel_delay());
    EXPECT_OK(report, nx_memory_unmap(victim->child.process, CHILD_SPARE));
    victim->last = counted(victim);
    duel_spin(STILL_TURNS);
    EXPECT(report, counted(victim) == victim->last, "unmap: %llu stores after it returned",
           (unsigned long long)(counted(victim) - victim->last));
    return TEST_PASS;
}

// The child's fault arrives, it gets the page back and goes on.
static enum test_outcome give_back(struct test_report *report, const struct victim *victim)
{
    const struct nx_message resume = {.words = {NX_FAULT_RESUME}};
    struct nx_message fault;

    EXPECT_OK(report,
              nx_endpoint_receive(victim->faults, nx_deadline_after(FAULT_PATIENCE), &fault));
    EXPECT(report,
           (fault.info & NX_INFO_FAULT) != 0 && fault.words[NX_FAULT_ADDRESS] == CHILD_SPARE,
           "unmap: not the expected fault: address %#llx",
           (unsigned long long)fault.words[NX_FAULT_ADDRESS]);
    EXPECT_OK(report, lend(victim));
    EXPECT_OK(report, nx_endpoint_reply(NX_HANDLE_NONE, &resume));
    return TEST_PASS;
}

// At the end nobody answers: the fault kills the child.
static enum test_outcome fault_kills(struct test_report *report, struct victim *victim)
{
    struct nx_process_facts facts;
    uint64_t bits;

    EXPECT_OK(report,
              nx_process_bind(victim->child.process, victim->exited, EXIT_BIT, NX_HANDLE_NONE));
    enum test_outcome outcome = take_away(report, victim);
    if (outcome != TEST_PASS) {
        return outcome;
    }
    EXPECT_OK(report,
              nx_notification_wait(victim->exited, nx_deadline_after(FAULT_PATIENCE), &bits));
    EXPECT_OK(report, nx_process_info(victim->child.process, &facts));
    EXPECT(report, facts.state == NX_PROCESS_DEAD && facts.exit_status == NX_EXIT_FAULTED,
           "unmap: state %d, exit status %lld", (int)facts.state, (long long)facts.exit_status);
    return TEST_PASS;
}

static enum test_outcome child_is_robbed(struct test_report *report, struct victim *victim,
                                         uint64_t affinity)
{
    enum test_outcome outcome = TEST_PASS;

    EXPECT_OK(report,
              nx_process_bind(victim->child.process, victim->exited, EXIT_BIT, victim->faults));
    EXPECT_OK(report, lend(victim));
    EXPECT_OK(report, child_start(&victim->child, child_count, CHILD_SPARE, affinity));
    // On this test's own hart it must not keep the test waiting for each slice to end.
    EXPECT_OK(report,
              nx_thread_control(victim->child.thread, NX_THREAD_SET_CLASS, NX_CLASS_BACKGROUND, 0));
    for (unsigned i = 0; i < UNMAPS && outcome == TEST_PASS; i++) {
        outcome = take_away(report, victim);
        if (outcome == TEST_PASS) {
            outcome = give_back(report, victim);
        }
    }
    return outcome == TEST_PASS ? fault_kills(report, victim) : outcome;
}

static enum test_outcome children_are_robbed(struct test_report *report, struct victim *victim,
                                             unsigned children)
{
    struct nx_info_system system;
    enum test_outcome outcome = TEST_PASS;

    EXPECT_OK(report, machine_system(&system));
    for (unsigned i = 0; i < children && outcome == TEST_PASS; i++) {
        // Some on this hart, most on others.
        struct nx_info_hart record;
        uint64_t hart = (i + 1) % system.harts;
        bool online = machine_hart(hart, &record) == NX_OK && record.state == NX_HART_ONLINE;
        EXPECT_OK(report, child_create(&victim->child));
        outcome = child_is_robbed(report, victim, online ? 1ull << hart : 0);
        child_end(&victim->child);
    }
    return outcome;
}

enum test_outcome race_unmap(struct test_report *report, unsigned divisor)
{
    struct victim victim = {0};
    void *view = NULL;

    enum nx_status status = nx_endpoint_create(&victim.faults);
    if (status == NX_OK) {
        status = nx_notification_create(&victim.exited);
    }
    if (status == NX_OK) {
        status = nx_memory_new(NX_PAGE_SIZE, 0, &victim.memory, &view);
    }
    victim.counter = view;
    enum test_outcome outcome =
        status == NX_OK ? children_are_robbed(report, &victim, (CHILDREN + divisor - 1) / divisor)
                        : test_fail(report, "unmap: %s", nx_status_text(status));
    nx_unmap(view);
    nx_handle_drop(victim.memory);
    nx_handle_drop(victim.exited);
    nx_handle_drop(victim.faults);
    return outcome;
}
