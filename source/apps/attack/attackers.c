// SPDX-License-Identifier: Apache-2.0
// Attackers that take: processes, memory, handles, interrupts between harts, time. See attackers.h.
#include "attackers.h"

#include "nexus/memory.h"
#include "nexus/thread.h"

#include <stdlib.h>

#define BOMB_WORD "fork-bomb"

#define BOMB_PAGES 96u // that are worth another copy
#define HOG_PAGES  64u // of one memory object at first
#define ALL_BITS   1u

struct tally *attacker_tally;
static const char *tally_role; // the word that this process was started with

void attacker_count(enum nx_status status, enum nx_status refusal)
{
    count_up(&attacker_tally->tries);
    if (status == NX_OK) {
        count_up(&attacker_tally->got);
    } else if (status == refusal) {
        count_up(&attacker_tally->refused);
    } else {
        uint64_t none = NX_OK;
        (void)atomic_compare_exchange_strong(&attacker_tally->first, &none, status);
        count_up(&attacker_tally->wrong);
    }
}

void attacker_must_fail(enum nx_status status, enum nx_status refusal)
{
    if (status == NX_OK) {
        count_up(&attacker_tally->wrong);
    }
    attacker_count(status == NX_OK ? NX_ERR_UNSUPPORTED : status, refusal);
}

// ---- A fork-bomb --------------------------------------------------------------------------------

// Starts copies of itself, each with half of what is left; what the last one would leave it needs
// itself. Then it goes on asking for more than there is.
static void fork_bomb(void)
{
    for (;;) {
        struct nx_process_facts facts;
        struct nx_child child;
        if (nx_process_info(NX_HANDLE_NONE, &facts) != NX_OK) {
            continue;
        }
        uint64_t left = facts.pages_budget - facts.pages_used;
        const struct copy_options options = {
            .role = "attacker",
            .words = {tally_role},
            .grants = {{(enum nx_start_id)ATTACK_SHARED,
                        nx_start_handle((enum nx_start_id)ATTACK_SHARED), NX_RIGHTS_ALL},
                       {NX_START_PACKAGES, nx_start_handle(NX_START_PACKAGES), NX_RIGHTS_ALL}},
            .budget_pages = left > BOMB_PAGES ? left / 2 : left + 1,
        };
        attacker_count(copy_start(&options, &child), NX_ERR_NO_MEMORY);
    }
}

// ---- A memory hog -------------------------------------------------------------------------------

// Takes memory in ever smaller pieces, scattered, in one piece, and mapped far apart, so that their
// tables take memory too; then keeps asking.
static void memory_hog(void)
{
    uint64_t pages = HOG_PAGES;
    uint64_t place = NX_USER_END / 2 & ~(NX_PAGE_SIZE - 1);
    for (uint64_t turn = 0;; turn++) {
        nx_handle memory;
        uint64_t bytes = pages * NX_PAGE_SIZE;
        bool whole = turn % 2 != 0 && bytes <= NX_MEMORY_CONTIGUOUS_MAX;
        enum nx_status status = nx_memory_create(bytes, whole ? NX_MEMORY_CONTIGUOUS : 0, &memory);
        if (status == NX_OK) {
            uint64_t address = place;
            status = nx_memory_map(NX_HANDLE_NONE, memory, 0, NX_PAGE_SIZE,
                                   NX_PROT_READ | NX_PROT_WRITE | NX_PROT_POPULATE, &address);
            place += status == NX_OK ? 512 * NX_PAGE_SIZE : 0;
            if (status == NX_OK || status == NX_ERR_NO_MEMORY) {
                status = nx_memory_commit(memory, 0, bytes);
            }
        }
        attacker_count(status, NX_ERR_NO_MEMORY);
        if (status == NX_ERR_NO_MEMORY && pages > 1) {
            pages /= 2;
        }
    }
}

// ---- A handle hog -------------------------------------------------------------------------------

static void handle_hog(void)
{
    nx_handle first = NX_HANDLE_NONE;
    nx_handle handle;
    attacker_count(nx_notification_create(&first), NX_ERR_NO_MEMORY);
    for (uint64_t turn = 0;; turn++) {
        enum nx_status status = turn % 4 == 0 ? nx_endpoint_create(&handle)
                                : turn % 4 == 1
                                    ? nx_notification_create(&handle)
                                    : nx_handle_duplicate(first, NX_RIGHTS_ALL, 0, &handle);
        attacker_count(status, NX_ERR_NO_MEMORY);
    }
}

// ---- A flood of signals, and of interrupts between harts ----------------------------------------

struct flooder {
    uint32_t hart;
    nx_handle mine;  // that this hart's waiter waits on
    nx_handle other; // that the next hart's does
};

static struct flooder flooders[NX_HARTS_MAX];

static void flood_wait(void *argument)
{
    const struct flooder *flooder = argument;
    uint64_t bits;
    for (;;) {
        if (nx_notification_wait(flooder->mine, NX_DEADLINE_NEVER, &bits) != NX_OK) {
            count_up(&attacker_tally->wrong);
        }
    }
}

// Signals a thread of another hart, and has itself moved there and back now and then.
static void flood_signal(void *argument)
{
    const struct flooder *flooder = argument;
    uint32_t harts = machine_harts();
    for (uint64_t turn = 0;; turn++) {
        attacker_count(nx_notification_signal(flooder->other, ALL_BITS), NX_ERR_UNSUPPORTED);
        if (turn % 64 == 0) {
            (void)!nx_thread_control(NX_HANDLE_NONE, NX_THREAD_SET_AFFINITY, (1u << harts) - 1, 0);
            (void)!nx_thread_yield((flooder->hart + 1) % harts); // refused when it is not online
            (void)!nx_thread_control(NX_HANDLE_NONE, NX_THREAD_SET_AFFINITY, 1u << flooder->hart,
                                     0);
        }
    }
}

static void threads_on_all_harts(void (*entry)(void *), bool all)
{
    uint32_t harts = machine_harts();
    struct nx_thread thread;
    for (uint32_t hart = 0; hart < harts; hart++) {
        const struct nx_thread_options options = {.affinity = 1u << hart, .class = -1};
        if ((all || hart + 1 < harts) &&
            nx_thread_spawn(&options, entry, &flooders[hart], &thread) != NX_OK) {
            count_up(&attacker_tally->wrong);
        }
    }
}

static void notification_flood(void)
{
    uint32_t harts = machine_harts();
    for (uint32_t hart = 0; hart < harts; hart++) {
        flooders[hart].hart = hart;
        if (nx_notification_create(&flooders[hart].mine) != NX_OK) {
            count_up(&attacker_tally->wrong);
        }
    }
    for (uint32_t hart = 0; hart < harts; hart++) {
        flooders[hart].other = flooders[(hart + 1) % harts].mine;
    }
    threads_on_all_harts(flood_wait, true);
    threads_on_all_harts(flood_signal, false);
    flood_signal(&flooders[harts - 1]);
}

// ---- Threads that spin --------------------------------------------------------------------------

static void spin_on(void *argument)
{
    (void)argument;
    for (;;) {
        count_up(&attacker_tally->got);
    }
}

// One thread on each hart, at the highest class that it may use; higher ones are refused, to itself
// and to a process that it would start.
static void spin(void)
{
    nx_handle process;
    for (uint32_t class = NX_CLASS_SERVICE; class < NX_CLASS_COUNT; class ++) {
        attacker_must_fail(nx_thread_control(NX_HANDLE_NONE, NX_THREAD_SET_CLASS, class, 0),
                           NX_ERR_ACCESS_DENIED);
        attacker_must_fail(nx_process_create(8, "higher", (enum nx_class) class, &process),
                           NX_ERR_ACCESS_DENIED);
    }
    if (nx_thread_control(NX_HANDLE_NONE, NX_THREAD_SET_CLASS, NX_CLASS_NORMAL, 0) != NX_OK) {
        count_up(&attacker_tally->wrong);
    }
    threads_on_all_harts(spin_on, false);
    spin_on(NULL);
}

// ---- The process --------------------------------------------------------------------------------

// Adding an attacker is one row, and one in programs.c.
static const struct {
    const char *name;
    void (*run)(void);
} attackers[] = {
    {BOMB_WORD, fork_bomb},
    {"memory-hog", memory_hog},
    {"handle-hog", handle_hog},
    {"notification-flood", notification_flood},
    {"spin", spin},
    {"silent-server", attack_by_silence},
    {"double-reply", attack_by_two_replies},
    {"forged-sender", attack_by_forgery},
    {"queue-hog", attack_by_queues},
};

int attacker_main(int argc, char **argv)
{
    void *shared;
    if (argc != 1 || nx_map(nx_start_handle((enum nx_start_id)ATTACK_SHARED), 0, NX_PAGE_SIZE,
                            NX_PROT_READ | NX_PROT_WRITE, &shared) != NX_OK) {
        return EXIT_FAILURE;
    }
    attacker_tally = shared;
    tally_role = argv[0];
    for (size_t i = 0; i < sizeof(attackers) / sizeof(attackers[0]); i++) {
        if (strcmp(attackers[i].name, argv[0]) == 0) {
            attackers[i].run();
        }
    }
    return EXIT_FAILURE;
}
