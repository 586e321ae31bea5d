// SPDX-License-Identifier: Apache-2.0
// Self-tests of the kernel at boot: bring-up, inter-processor interrupts, work stealing, refusals.
#include "core/selftest.h"

#include "arch/arch.h"
#include "arch_inline.h"
#include "bootargs/bootargs.h"
#include "core/hart.h"
#include "core/log.h"
#include "core/machine.h"
#include "core/panic.h"
#include "mm/memory.h"
#include "object/process.h"
#include "sched/scheduler.h"
#include "sched/thread.h"
#include <string.h>

#define DEADLINE_NANOSECONDS       2000000000ull
#define COUNTERFACTUAL_NANOSECONDS 2000000ull

#define STEAL_THREADS 8u
#define CODE_ADDRESS  NX_USER_BASE
#define DATA_ADDRESS  (NX_USER_BASE + NX_PAGE_SIZE)

_Static_assert(NX_SYS_THREAD_EXIT == 29, "arch_selftest_program has this number");

bool selftest_wanted(void)
{
    return bootargs_is(machine.bootargs, "nexus.selftest", "1");
}

static void verdict(const char *name, const char *problem)
{
    if (problem == NULL)
        log_line("KSELFTEST: %s ok", name);
    else
        log_line("KSELFTEST: %s FAIL reason=%s", name, problem);
}

static uint64_t deadline_in(uint64_t nanoseconds)
{
    return arch_time() + timer_ticks_from_nanoseconds(nanoseconds);
}

void selftest_before_smp(void)
{
    if (hart_count() > 1) {
        bool refused = hart_send_ipi((struct hart_index){1}, IPI_RESCHEDULE) == NX_ERR_BAD_STATE &&
                       atomic_load(&harts[1].ipi_pending) == 0;
        verdict("test_reject_offline_cpu_resched", refused ? NULL : "accepted");
    }
}

// --- Inter-processor interrupts
// -------------------------------------------------------------------

static const char *check_invalid_targets(void)
{
    uint64_t requested = counter_read(&harts[0].ipi.requested);
    if (hart_send_ipi((struct hart_index){NX_HARTS_MAX}, IPI_RESCHEDULE) != NX_ERR_OUT_OF_RANGE)
        return "accepted-index-past-end";
    if (hart_send_ipi((struct hart_index){UINT32_MAX}, IPI_RESCHEDULE) != NX_ERR_OUT_OF_RANGE)
        return "accepted-wild-index";
    if (hart_send_ipi((struct hart_index){0}, IPI_RESCHEDULE) != NX_ERR_OUT_OF_RANGE)
        return "accepted-itself";
    return counter_read(&harts[0].ipi.requested) == requested ? NULL : "counted-a-refused-request";
}

// A reason without an interrupt must not be acted on: what makes a hart look is the IPI itself.
static const char *check_counterfactual(void)
{
    for (uint32_t i = 1; i < hart_count(); i++) {
        struct hart *hart = &harts[i];
        uint64_t dispatched = counter_read(&hart->ipi.dispatched);
        atomic_fetch_or(&hart->ipi_pending, IPI_QUIESCE);
        uint64_t deadline = deadline_in(COUNTERFACTUAL_NANOSECONDS);
        while (arch_time() < deadline)
            hart_pause();
        atomic_fetch_and(&hart->ipi_pending, ~IPI_QUIESCE);
        if (counter_read(&hart->ipi.dispatched) != dispatched)
            return "dispatched-without-interrupt";
    }
    return NULL;
}

static const char *check_reschedule(void)
{
    struct hart_ipi_ledger *ledger = &harts[0].ipi;
    for (uint32_t i = 1; i < hart_count(); i++) {
        const struct hart_ipi_ledger *peer = &harts[i].ipi;
        uint64_t received = peer->received_from[0];
        if (hart_send_ipi((struct hart_index){i}, IPI_RESCHEDULE) != NX_OK)
            return "refused";
        uint64_t deadline = deadline_in(DEADLINE_NANOSECONDS);
        while (peer->received_from[0] == received && arch_time() < deadline)
            hart_pause();
        if (peer->received_from[0] == received)
            return "not-received";
        if (counter_read(&peer->dispatched) == 0 || counter_read(&peer->trapped) == 0)
            return "not-dispatched";
    }
    return counter_read(&ledger->requested) ==
                   counter_read(&ledger->sent) + counter_read(&ledger->coalesced)
               ? NULL
               : "ledger-does-not-add-up";
}

// --- Stealing
// -------------------------------------------------------------------------------------

// A thread that is only ever queued: it is pinned to the boot hart, which does not schedule yet.
static const char *check_steal_refusals(const char **above_bound)
{
    static struct thread decoy;
    atomic_init(&decoy.placement, 1u);
    thread_set_class(&decoy, NX_CLASS_DRIVER);
    struct hart *victim = &harts[0];
    run_queue_push(&victim->run_queue, &decoy, false);
    const char *higher = NULL;
    if (scheduler_steal(&harts[1], victim, 1, NX_CLASS_NORMAL) != NX_ERR_ACCESS_DENIED)
        higher = "took-a-higher-class";
    *above_bound = NULL;
    if (scheduler_steal(&harts[1], victim, RUN_QUEUE_STEAL_MAX + 1, NX_CLASS_DRIVER) !=
        NX_ERR_TOO_LARGE)
        *above_bound = "accepted";
    if (run_queue_pop(&victim->run_queue) != &decoy) {
        higher = "lost-the-thread";
        *above_bound = higher;
    }
    return higher;
}

struct steal_test {
    struct process *process;
    struct memory *code;
    struct memory *data; // a message page and counter for each thread
};

static enum nx_status prepare_steal(struct steal_test *test)
{
    static const char name[NX_NAME_BYTES] = "kselftest";
    uint64_t code_address = CODE_ADDRESS;
    uint64_t data_address = DATA_ADDRESS;
    uint64_t data_size = STEAL_THREADS * NX_PAGE_SIZE;
    void *page = NULL;
    enum nx_status status =
        process_create(NULL, name, 256 * NX_PAGE_SIZE, NX_CLASS_NORMAL, &test->process);
    if (status == NX_OK)
        status = memory_create_paged(NULL, NX_PAGE_SIZE, &test->code);
    if (status == NX_OK)
        status = memory_page_pointer(test->code, 0, &page);
    if (status == NX_OK) {
        memcpy(page, arch_selftest_program,
               (size_t)(arch_selftest_program_end - arch_selftest_program));
        status = address_space_map(&test->process->space, test->code, 0, NX_PAGE_SIZE,
                                   NX_PROT_READ | NX_PROT_EXECUTE, &code_address);
    }
    if (status == NX_OK)
        status = memory_create_paged(NULL, data_size, &test->data);
    if (status == NX_OK)
        status = address_space_map(&test->process->space, test->data, 0, data_size,
                                   NX_PROT_READ | NX_PROT_WRITE, &data_address);
    return status;
}

// Puts the threads into the boot hart's queue, where only thieves will find them. All exist before
// the first can run: the process ends with its last thread.
static enum nx_status queue_threads(struct steal_test *test)
{
    struct thread *threads[STEAL_THREADS];
    for (uint32_t i = 0; i < STEAL_THREADS; i++) {
        uint64_t offset = i * NX_PAGE_SIZE;
        const struct thread_beginning beginning = {
            .entry = vaddr(CODE_ADDRESS),
            .argument = DATA_ADDRESS + offset,
            .class = NX_CLASS_COUNT,
        };
        TRY(thread_create(test->process, &beginning, test->data, offset, &threads[i]));
    }
    for (uint32_t i = 0; i < STEAL_THREADS; i++) {
        thread_set_state(threads[i], THREAD_RUNNABLE);
        object_release(&threads[i]->object);
        run_queue_push(&harts[0].run_queue, threads[i], false);
    }
    return NX_OK;
}

static uint32_t counter_of(const struct steal_test *test, uint32_t index)
{
    paddr_t frame;
    if (!memory_find_page(test->data, index, &frame))
        return 0;
    return atomic_load_explicit((_Atomic uint32_t *)arch_direct_map(frame), memory_order_relaxed);
}

static const char *check_stealing(struct steal_test *test)
{
    uint64_t before = 0;
    uint64_t after = 0;
    for (uint32_t i = 1; i < hart_count(); i++)
        before += counter_read(&harts[i].steals);
    if (prepare_steal(test) != NX_OK || queue_threads(test) != NX_OK)
        return "no-memory";
    for (uint32_t i = 1; i < hart_count(); i++)
        if (hart_send_ipi((struct hart_index){i}, IPI_RESCHEDULE) != NX_OK)
            return "ipi-refused";
    uint64_t deadline = deadline_in(DEADLINE_NANOSECONDS);
    uint32_t ended = 0;
    while (ended < STEAL_THREADS && arch_time() < deadline) {
        hart_pause();
        ended = 0;
        for (uint32_t i = 0; i < STEAL_THREADS; i++)
            ended += counter_of(test, i) != 0;
    }
    for (uint32_t i = 0; i < STEAL_THREADS; i++)
        if (counter_of(test, i) != 1)
            return counter_of(test, i) == 0 ? "thread-lost" : "thread-ran-twice";
    for (uint32_t i = 1; i < hart_count(); i++)
        after += counter_read(&harts[i].steals);
    // Each was stolen from the boot hart at least once; thieves may steal from each other too.
    return after - before >= STEAL_THREADS ? NULL : "not-all-stolen";
}

static void test_stealing(void)
{
    struct steal_test test = {0};
    verdict("work stealing", check_stealing(&test));
    if (test.process != NULL)
        object_release(&test.process->object);
    if (test.code != NULL)
        object_release(&test.code->object);
    if (test.data != NULL)
        object_release(&test.data->object);
}

void selftest_after_smp(uint32_t online)
{
    verdict("smp online", online == machine.harts_named ? NULL : "harts-missing");
    verdict("test_reject_invalid_ipi_target_cpu", check_invalid_targets());
    if (online < 2)
        return;
    verdict("ipi counterfactual", check_counterfactual());
    verdict("ipi resched", check_reschedule());
    const char *above_bound;
    const char *higher = check_steal_refusals(&above_bound);
    verdict("test_reject_steal_above_bound", above_bound);
    verdict("test_reject_steal_higher_qos", higher);
    test_stealing();
}
