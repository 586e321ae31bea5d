// SPDX-License-Identifier: Apache-2.0
// The fuzzing campaign: workers one after the other, and what is looked at after each. See fuzz.h.
//
// A worker that has made its share of the calls ends by itself, in the middle of everything, or is
// killed a moment before. Its faults come here, to a thread that answers those of the arena: it
// maps a page and lets the thread go on, or never answers. All others end the worker.
#include "fuzz.h"
#include "fuzz_table.h"
#include "nexus/clock.h"
#include "nexus/log.h"
#include "nexus/memory.h"
#include "nexus/thread.h"
#include <stdio.h>
#include <stdlib.h>

#define WORKER_PAGES   1536u
#define WARM_UP_LIVES  2u
#define LIVES_LEAST    8u
#define LIFE_CALLS     12500u // of one worker, where the calls are not many more
#define LIFE_CALLS_TOP 50000u
#define STUCK_TIME     (30 * NX_SECOND)
#define ENDING_BIT     1u
#define PROGRESS_PARTS 20u
#define REPLIES_KEPT   16u // faults that are not answered before the worker's end
#define TEXT_BYTES     24u

struct campaign {
    struct fuzz_counts *counts;
    nx_handle counts_memory;
    nx_handle faults;  // endpoint
    nx_handle scratch; // memory that faulting threads get
    struct nx_thread supervisor;
    _Atomic nx_handle worker; // the process that faults come from
    _Atomic uint64_t answered;
    _Atomic nx_handle replies[REPLIES_KEPT]; // to faults that are not answered
    uint32_t next_reply;                     // the supervisor's
    struct neighbour *neighbour;
    struct random random;
    uint64_t seed;
    uint64_t lives;
    uint64_t killed;
    uint64_t growth; // pages of services
};

// ---- Faults of workers --------------------------------------------------------------------------

static bool is_in_arena(uint64_t address)
{
    return address >= FUZZ_ARENA_BASE && address < FUZZ_ARENA_END;
}

// Gives the thread of `process` a page where it faulted; false when it had one and yet may not do
// what it wants.
static bool fault_resolve(struct campaign *campaign, nx_handle process, uint64_t address)
{
    static uint64_t last;
    uint64_t page = address & ~(NX_PAGE_SIZE - 1);
    enum nx_status status = nx_memory_map(process, campaign->scratch, 0, NX_PAGE_SIZE,
                                          NX_PROT_READ | NX_PROT_WRITE, &page);
    bool again = page == last;
    last = page;
    return status == NX_OK || (status == NX_ERR_ALREADY_EXISTS && !again);
}

// Faults that are never answered: their threads wait until they are killed. The oldest right is
// closed in the end, and so ends the worker if its thread still waits. Either this sees that the
// worker is over, or faults_forget finds the right: both look after they have written.
static void fault_keep(struct campaign *campaign, nx_handle process)
{
    nx_handle reply;
    if (nx_reply_save(&reply) == NX_OK) {
        _Atomic nx_handle *place = &campaign->replies[campaign->next_reply++ % REPLIES_KEPT];
        nx_handle_drop(atomic_exchange(place, reply));
        if (atomic_load(&campaign->worker) != process) {
            nx_handle_drop(atomic_exchange(place, NX_HANDLE_NONE));
        }
    }
}

// They hold on to the threads of a worker, and those to its process.
static void faults_forget(struct campaign *campaign)
{
    for (uint32_t i = 0; i < REPLIES_KEPT; i++) {
        nx_handle_drop(atomic_exchange(&campaign->replies[i], NX_HANDLE_NONE));
    }
}

static void supervise(void *argument)
{
    struct campaign *campaign = argument;
    struct nx_message message;
    while (nx_endpoint_receive(campaign->faults, NX_DEADLINE_NEVER, &message) == NX_OK) {
        uint64_t address = message.words[NX_FAULT_ADDRESS];
        const struct nx_message resume = {.words = {NX_FAULT_RESUME}};
        const struct nx_message end = {.words = {0}};
        nx_handle process = atomic_load_explicit(&campaign->worker, memory_order_acquire);
        if (process == NX_HANDLE_NONE || !is_in_arena(address)) {
            (void)!nx_endpoint_reply(NX_HANDLE_NONE, &end); // dead already, or by this
        } else if (fault_resolve(campaign, process, address)) {
            atomic_fetch_add_explicit(&campaign->answered, 1, memory_order_relaxed);
            (void)!nx_endpoint_reply(NX_HANDLE_NONE, &resume); // killed meanwhile, perhaps
        } else {
            fault_keep(campaign, process);
        }
    }
}

// ---- One worker ---------------------------------------------------------------------------------

static enum nx_status worker_start(struct campaign *campaign, uint64_t limit,
                                   struct nx_child *child)
{
    char words[3][TEXT_BYTES];
    (void)snprintf(words[0], TEXT_BYTES, "%llu", (unsigned long long)campaign->seed);
    (void)snprintf(words[1], TEXT_BYTES, "%llu", (unsigned long long)campaign->lives);
    (void)snprintf(words[2], TEXT_BYTES, "%llu", (unsigned long long)limit);
    const struct copy_options options = {
        .role = "fuzz",
        .words = {words[0], words[1], words[2]},
        .grants = {{(enum nx_start_id)ATTACK_SHARED, campaign->counts_memory, NX_RIGHTS_ALL},
                   {(enum nx_start_id)ATTACK_ECHO, neighbour_server(campaign->neighbour),
                    NX_RIGHTS_ALL},
                   {NX_START_REGISTRY, nx_start_handle(NX_START_REGISTRY), NX_RIGHTS_ALL},
                   {NX_START_PACKAGES, nx_start_handle(NX_START_PACKAGES), NX_RIGHTS_ALL},
                   {NX_START_BLOCK, nx_start_handle(NX_START_BLOCK), NX_RIGHTS_ALL},
                   {NX_START_CONSOLE, nx_start_handle(NX_START_CONSOLE), NX_RIGHTS_ALL},
                   {NX_START_MACHINE, nx_start_handle(NX_START_MACHINE), NX_RIGHTS_ALL},
                   {NX_START_LOG, nx_start_handle(NX_START_LOG), NX_RIGHTS_ALL}},
        .budget_pages = WORKER_PAGES,
        .faults = campaign->faults,
    };
    enum nx_status status = copy_start(&options, child);
    atomic_store_explicit(&campaign->worker, child->process, memory_order_release);
    return status;
}

// Waits until the worker has ended or made so many calls. False: neither, for a long time.
static bool worker_works(const struct campaign *campaign, const struct nx_child *child,
                         uint64_t limit)
{
    uint64_t last = 0;
    uint64_t deadline = nx_deadline_after(STUCK_TIME);
    for (;;) {
        uint64_t calls = atomic_load_explicit(&campaign->counts->calls, memory_order_relaxed);
        if (calls >= limit || copy_is_dead(child)) {
            return true;
        }
        nx_sleep(NX_MILLISECOND);
        if (calls != last) {
            last = calls;
            deadline = nx_deadline_after(STUCK_TIME);
        } else if (nx_clock_now() > deadline) {
            return false;
        }
    }
}

// All harts, which workers may have stopped.
static bool harts_are_online(void *context)
{
    uint32_t harts = *(const uint32_t *)context;
    struct nx_info_system system;
    for (uint64_t hart = 1; hart < harts; hart++) {
        (void)!nx_hart_control(nx_start_handle(NX_START_MACHINE), hart, NX_HART_START);
    }
    return nx_machine_record(NX_INFO_SYSTEM, 0, &system, sizeof(system)) == NX_OK &&
           system.harts_online == harts;
}

static bool worker_live(struct report *report, struct campaign *campaign, uint64_t share)
{
    struct nx_child child;
    uint32_t harts = machine_harts();
    uint64_t limit = atomic_load_explicit(&campaign->counts->calls, memory_order_relaxed) + share;
    // Every other worker is killed at some moment of its life.
    bool kill = campaign->lives % 2 == 1;
    uint64_t wait_for = kill ? limit - random_below(&campaign->random, share) : UINT64_MAX;
    EXPECT_OK(report, worker_start(campaign, limit, &child));
    bool works = worker_works(campaign, &child, wait_for);
    bool ended = copy_end(&child);
    atomic_store(&campaign->worker, NX_HANDLE_NONE);
    faults_forget(campaign);
    EXPECT_OK(report, fuzz_services_forget());
    campaign->lives++;
    campaign->killed += kill;
    EXPECT(report, works, "worker %llu: no call returned for 30 s",
           (unsigned long long)campaign->lives);
    EXPECT(report, ended, "worker %llu does not die", (unsigned long long)campaign->lives);
    EXPECT(report, nx_wait_until(harts_are_online, &harts, STUCK_TIME),
           "a hart does not come back");
    return neighbour_is_well(report, campaign->neighbour);
}

// ---- The campaign -------------------------------------------------------------------------------

static enum nx_status campaign_open(struct campaign *campaign)
{
    void *counts;
    enum nx_status status = nx_memory_new(NX_PAGE_ROUND_UP(sizeof(*campaign->counts)), 0,
                                          &campaign->counts_memory, &counts);
    campaign->counts = counts;
    if (status == NX_OK) {
        // All of it, so that this process has later what it has now.
        memset(counts, 0, NX_PAGE_ROUND_UP(sizeof(*campaign->counts)));
        status = nx_memory_create(NX_PAGE_SIZE, 0, &campaign->scratch);
    }
    if (status == NX_OK) {
        status = nx_memory_commit(campaign->scratch, 0, NX_PAGE_SIZE);
    }
    if (status == NX_OK) {
        status = nx_endpoint_create(&campaign->faults);
    }
    if (status == NX_OK) {
        status = nx_thread_spawn(NULL, supervise, campaign, &campaign->supervisor);
    }
    if (status == NX_OK) {
        status = fuzz_services_warm_up();
    }
    return status == NX_OK ? neighbour_start(&campaign->neighbour) : status;
}

static bool campaign_close(struct campaign *campaign)
{
    bool ended = neighbour_end(campaign->neighbour);
    nx_handle_drop(campaign->faults);
    ended = nx_thread_join(&campaign->supervisor) == NX_OK && ended;
    nx_handle_drop(campaign->scratch);
    nx_handle_drop(campaign->counts_memory);
    nx_unmap(campaign->counts);
    return ended;
}

// The first two workers make everybody have what they keep for good; from then on nothing may be
// missing after a worker's end.
static bool campaign_counts(struct report *report, struct campaign *campaign,
                            struct machine_state *before)
{
    EXPECT(report, neighbour_rests(campaign->neighbour, true), "the neighbour is stuck");
    if (campaign->lives == WARM_UP_LIVES) {
        EXPECT(report, machine_look_settled(before, before->count), "workers leave processes");
    } else if (campaign->lives > WARM_UP_LIVES &&
               !machine_settles(report, before, &campaign->growth)) {
        return false;
    }
    EXPECT(report, neighbour_rests(campaign->neighbour, false), "the neighbour is stuck");
    return true;
}

static bool campaign_run(struct report *report, struct campaign *campaign, uint64_t calls)
{
    static struct machine_state before;
    uint64_t share = calls / 200 < LIFE_CALLS ? LIFE_CALLS : calls / 200;
    share = share < LIFE_CALLS_TOP ? share : LIFE_CALLS_TOP;
    share = calls / LIVES_LEAST < share ? calls / LIVES_LEAST + 1 : share;
    uint64_t told = 0;
    EXPECT_OK(report, machine_look(&before)); // how many processes there are
    uint64_t made = 0;
    while (made < calls) {
        if (!worker_live(report, campaign, share)) {
            return false;
        }
        made = atomic_load_explicit(&campaign->counts->calls, memory_order_relaxed);
        if (!campaign_counts(report, campaign, &before)) {
            return false;
        }
        if (made * PROGRESS_PARTS / calls > told) {
            told = made * PROGRESS_PARTS / calls;
            nx_log("attack: fuzz calls=%llu of %llu workers=%llu", (unsigned long long)made,
                   (unsigned long long)calls, (unsigned long long)campaign->lives);
        }
    }
    return true;
}

bool attack_fuzz(struct report *report, uint64_t calls, uint64_t seed)
{
    static struct campaign campaign;
    campaign = (struct campaign){.seed = seed != 0 ? seed : nx_clock_ticks() | 1};
    campaign.random = random_fork(campaign.seed, 0, UINT32_MAX);
    nx_log("attack: fuzz seed=%llu calls=%llu", (unsigned long long)campaign.seed,
           (unsigned long long)calls);
    EXPECT_OK(report, campaign_open(&campaign));
    bool contained = campaign_run(report, &campaign, calls);
    const struct fuzz_counts *counts = campaign.counts;
    fuzz_table_print(counts);
    nx_log("attack: fuzz workers=%llu killed=%llu thread_restarts=%llu touches=%llu "
           "faults_answered=%llu neighbour_checks=%llu service_pages=%llu",
           (unsigned long long)campaign.lives, (unsigned long long)campaign.killed,
           (unsigned long long)counts->restarts, (unsigned long long)counts->touches,
           (unsigned long long)campaign.answered,
           (unsigned long long)neighbour_checks(campaign.neighbour),
           (unsigned long long)campaign.growth);
    contained = contained && fuzz_table_is_full(report, counts);
    if (!campaign_close(&campaign) && contained) {
        return report_fail(report, "a thread of the campaign does not end");
    }
    return contained;
}
