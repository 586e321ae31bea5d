// SPDX-License-Identifier: Apache-2.0
// The neighbour: an innocent process beside the attackers. Its three threads check memory, timers,
// and the answers of a server, of packagefsd and of the disk, all the time.
//
// Here: the process itself in its role, and what the attacking program knows of it: counters in a
// page that both map, and the server, a thread of the attacking program.
#include "attack.h"
#include "nexus/block.h"
#include "nexus/clock.h"
#include "nexus/memory.h"
#include "nexus/packages.h"
#include "nexus/thread.h"
#include "random.h"
#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>

#define BUDGET_PAGES   1024u
#define THREADS        3u
#define MEMORY_PAGES   32u
#define TIMER_LONGEST  (2 * NX_MILLISECOND)
#define READ_SECTORS   8u
#define FILE_PATH      "pkg://fixtures/hello.txt"
#define FILE_BYTES_MAX 4096u
#define WELL_PATIENCE  (20 * NX_SECOND)
#define PAUSE          (500 * NX_MICROSECOND)

// Badges on the server's endpoint.
#define BADGE_NEIGHBOUR 0x6e656967ull
#define BADGE_STRANGER  0x73747261ull

// What the words of the neighbour's calls have in common.
#define SIGNATURE 0x1234567890abcdefull

enum part { PART_MEMORY, PART_TIMER, PART_SERVER, PART_FILE, PART_DISK, PART_COUNT };

static_assert(PART_COUNT == NEIGHBOUR_PARTS, "as in attack.h");

static const char *const part_names[] = {"memory", "timer", "server", "file", "disk"};

struct counters {
    _Atomic uint64_t right[PART_COUNT];
    _Atomic uint64_t wrong[PART_COUNT];
    _Atomic uint32_t rest; // its threads shall rest
    _Atomic uint32_t resting;
};

struct neighbour {
    struct nx_child child;
    struct counters *counters;
    nx_handle memory;
    nx_handle endpoint; // all rights
    nx_handle stranger; // to call, badged so that the server knows
    struct nx_thread server;
    // Messages with the neighbour's badge that it has not sent, with a badge that nobody was given,
    // or that say they are a notification: none is bound.
    _Atomic uint64_t forged;
    _Atomic uint64_t strangers; // other messages, by strangers
    _Atomic uint64_t known;     // and by the neighbour
    _Atomic uint64_t faults;    // of all: marked as faults
    uint64_t seen[PART_COUNT];
};

static struct neighbour the_neighbour;
static struct counters *counters; // of this process, in its role

// ---- The process --------------------------------------------------------------------------------

static void count(enum part part, bool right)
{
    atomic_fetch_add_explicit(right ? &counters->right[part] : &counters->wrong[part], 1,
                              memory_order_relaxed);
}

// While it shall rest it asks nothing of any service, so that what those have can be counted.
static void rest_if_told(void)
{
    if (atomic_load_explicit(&counters->rest, memory_order_relaxed) == 0) {
        return;
    }
    atomic_fetch_add_explicit(&counters->resting, 1, memory_order_relaxed);
    while (atomic_load_explicit(&counters->rest, memory_order_relaxed) != 0) {
        nx_sleep(PAUSE);
    }
    atomic_fetch_sub_explicit(&counters->resting, 1, memory_order_relaxed);
}

// Fills memory with a series, and finds it the same; then with another one.
static void check_memory(void *argument)
{
    uint64_t words = MEMORY_PAGES * NX_PAGE_SIZE / sizeof(uint64_t);
    volatile uint64_t *memory = argument;
    for (uint64_t round = 1;; round++) {
        struct random filled = random_fork(round, 0, 0);
        struct random found = filled;
        bool right = true;
        rest_if_told();
        for (uint64_t i = 0; i < words; i++) {
            memory[i] = random_next(&filled);
        }
        nx_sleep(PAUSE);
        for (uint64_t i = 0; i < words; i++) {
            right = memory[i] == random_next(&found) && right;
        }
        count(PART_MEMORY, right);
    }
}

// No timer comes early.
static void check_timers(void *argument)
{
    struct random random = {1};
    (void)argument;
    for (;;) {
        uint64_t bits;
        rest_if_told();
        uint64_t deadline = nx_deadline_after(random_below(&random, TIMER_LONGEST));
        enum nx_status status = nx_notification_wait(NX_HANDLE_NONE, deadline, &bits);
        count(PART_TIMER, status == NX_ERR_TIMED_OUT && nx_clock_now() >= deadline);
    }
}

static bool server_answers(nx_handle endpoint, struct random *random)
{
    struct nx_message message = {.words = {random_next(random)}};
    uint64_t sent = message.words[0];
    message.words[1] = sent ^ SIGNATURE;
    return nx_endpoint_call(endpoint, &message) == NX_OK && message.words[0] == sent &&
           message.words[1] == (sent ^ SIGNATURE);
}

// Reads a whole small file; the number of bytes, 0 on a failure.
static size_t file_read(uint8_t *bytes)
{
    struct nx_package_file *file;
    size_t length = 0;
    if (nx_package_open(FILE_PATH, &file) != NX_OK) {
        return 0;
    }
    if (nx_package_read(file, 0, bytes, FILE_BYTES_MAX, &length) != NX_OK) {
        length = 0;
    }
    nx_package_close(file);
    return length;
}

static bool file_is_same(void)
{
    static uint8_t first[FILE_BYTES_MAX];
    static uint8_t again[FILE_BYTES_MAX];
    static size_t length;
    if (length == 0) {
        length = file_read(first);
        return length != 0;
    }
    return file_read(again) == length && memcmp(first, again, length) == 0;
}

static bool disk_is_same(nx_handle memory, const uint8_t *bytes)
{
    static uint8_t first[READ_SECTORS * NX_BLOCK_SECTOR_BYTES];
    static bool has_first;
    if (nx_block_read(0, READ_SECTORS, memory, 0, NULL) != NX_OK) {
        return false;
    }
    if (!has_first) {
        memcpy(first, bytes, sizeof(first));
        has_first = true;
    }
    return memcmp(first, bytes, sizeof(first)) == 0;
}

int neighbour_main(int argc, char **argv)
{
    nx_handle endpoint = nx_start_handle((enum nx_start_id)ATTACK_ECHO);
    struct nx_thread threads[THREADS - 1];
    struct random random = {2};
    nx_handle disk_memory;
    void *shared;
    void *memory;
    void *disk;
    (void)argc;
    (void)argv;

    enum nx_status status = nx_map(nx_start_handle((enum nx_start_id)ATTACK_SHARED), 0,
                                   NX_PAGE_SIZE, NX_PROT_READ | NX_PROT_WRITE, &shared);
    counters = shared;
    if (status == NX_OK) {
        status = nx_memory_new(MEMORY_PAGES * NX_PAGE_SIZE, 0, NULL, &memory);
    }
    if (status == NX_OK) {
        status = nx_memory_new(NX_PAGE_SIZE, 0, &disk_memory, &disk);
    }
    if (status == NX_OK) {
        status = nx_thread_spawn(NULL, check_memory, memory, &threads[0]);
    }
    if (status == NX_OK) {
        status = nx_thread_spawn(NULL, check_timers, NULL, &threads[1]);
    }
    if (status != NX_OK) {
        return EXIT_FAILURE;
    }
    for (;;) {
        rest_if_told();
        count(PART_SERVER, server_answers(endpoint, &random));
        count(PART_FILE, file_is_same());
        count(PART_DISK, disk_is_same(disk_memory, disk));
        nx_sleep(PAUSE);
    }
}

// ---- Its server ---------------------------------------------------------------------------------

static bool is_forged(const struct nx_message *message)
{
    bool known = message->badge == BADGE_NEIGHBOUR;
    return (message->info & NX_INFO_NOTIFICATION) != 0 ||
           (!known && message->badge != BADGE_STRANGER) ||
           (known && message->words[1] != (message->words[0] ^ SIGNATURE));
}

// Answers with what it got; handles that come along are closed.
static void serve(void *argument)
{
    struct neighbour *neighbour = argument;
    struct nx_message message;
    enum nx_status status = nx_endpoint_receive(neighbour->endpoint, NX_DEADLINE_NEVER, &message);
    while (status == NX_OK || status == NX_ERR_CANCELLED) {
        if (status == NX_OK) {
            atomic_fetch_add_explicit(&neighbour->faults, (message.info & NX_INFO_FAULT) != 0,
                                      memory_order_relaxed);
            atomic_fetch_add_explicit(is_forged(&message)               ? &neighbour->forged
                                      : message.badge == BADGE_STRANGER ? &neighbour->strangers
                                                                        : &neighbour->known,
                                      1, memory_order_relaxed);
        }
        for (uint32_t i = 0; status == NX_OK && i < NX_INFO_HANDLES(message.info); i++) {
            nx_handle_drop(nx_page()->handles[i]);
        }
        if (status == NX_ERR_CANCELLED) {
            status = nx_endpoint_receive(neighbour->endpoint, NX_DEADLINE_NEVER, &message);
            continue;
        }
        message.info = 0;
        status = nx_endpoint_reply_receive(neighbour->endpoint, &message);
    }
}

static enum nx_status server_start(struct neighbour *neighbour)
{
    enum nx_status status = nx_endpoint_create(&neighbour->endpoint);
    if (status == NX_OK) {
        status = nx_handle_duplicate(neighbour->endpoint,
                                     NX_RIGHT_CALL | NX_RIGHT_TRANSFER | NX_RIGHT_DUPLICATE,
                                     BADGE_STRANGER, &neighbour->stranger);
    }
    if (status == NX_OK) {
        status = nx_thread_spawn(NULL, serve, neighbour, &neighbour->server);
    }
    return status;
}

nx_handle neighbour_server(const struct neighbour *neighbour)
{
    return neighbour->stranger;
}

// ---- What others see of it ----------------------------------------------------------------------

enum nx_status neighbour_start(struct neighbour **neighbour)
{
    struct neighbour *made = &the_neighbour;
    nx_handle mine = NX_HANDLE_NONE;
    void *shared;
    *made = (struct neighbour){0};
    *neighbour = made;
    enum nx_status status = nx_memory_new(NX_PAGE_SIZE, 0, &made->memory, &shared);
    made->counters = shared;
    if (status == NX_OK) {
        status = server_start(made);
    }
    if (status == NX_OK) {
        status = nx_handle_duplicate(made->endpoint, NX_RIGHT_CALL | NX_RIGHT_TRANSFER,
                                     BADGE_NEIGHBOUR, &mine);
    }
    if (status == NX_OK) {
        const struct copy_options options = {
            .role = "neighbour",
            .grants = {{(enum nx_start_id)ATTACK_SHARED, made->memory, NX_RIGHTS_ALL},
                       {(enum nx_start_id)ATTACK_ECHO, mine, NX_RIGHT_CALL},
                       {NX_START_PACKAGES, nx_start_handle(NX_START_PACKAGES), NX_RIGHTS_ALL},
                       {NX_START_BLOCK, nx_start_handle(NX_START_BLOCK), NX_RIGHTS_ALL}},
            .budget_pages = BUDGET_PAGES,
        };
        status = copy_start(&options, &made->child);
    }
    nx_handle_drop(mine);
    return status;
}

struct wanted_rest {
    const struct neighbour *neighbour;
    uint32_t threads; // that shall rest
};

static bool as_many_rest(void *context)
{
    const struct wanted_rest *wanted = context;
    return atomic_load_explicit(&wanted->neighbour->counters->resting, memory_order_relaxed) ==
           wanted->threads;
}

bool neighbour_rests(struct neighbour *neighbour, bool rest)
{
    struct wanted_rest wanted = {neighbour, rest ? THREADS : 0};
    atomic_store_explicit(&neighbour->counters->rest, rest, memory_order_relaxed);
    return nx_wait_until(as_many_rest, &wanted, WELL_PATIENCE);
}

static bool all_got_on(void *context)
{
    const struct neighbour *neighbour = context;
    for (uint32_t i = 0; i < PART_COUNT; i++) {
        if (atomic_load_explicit(&neighbour->counters->right[i], memory_order_relaxed) ==
                neighbour->seen[i] &&
            atomic_load_explicit(&neighbour->counters->wrong[i], memory_order_relaxed) == 0) {
            return false;
        }
    }
    return true;
}

bool neighbour_is_well(struct report *report, struct neighbour *neighbour)
{
    bool got_on = nx_wait_until(all_got_on, neighbour, WELL_PATIENCE);
    for (uint32_t i = 0; i < PART_COUNT; i++) {
        uint64_t right = atomic_load_explicit(&neighbour->counters->right[i], memory_order_relaxed);
        uint64_t wrong = atomic_load_explicit(&neighbour->counters->wrong[i], memory_order_relaxed);
        EXPECT(report, wrong == 0 && (got_on || right != neighbour->seen[i]),
               "the neighbour's %s: right=%llu (%llu before) wrong=%llu", part_names[i],
               (unsigned long long)right, (unsigned long long)neighbour->seen[i],
               (unsigned long long)wrong);
        neighbour->seen[i] = right;
    }
    EXPECT(report, atomic_load_explicit(&neighbour->forged, memory_order_relaxed) == 0,
           "somebody sent in the neighbour's name");
    return true;
}

void neighbour_counts(const struct neighbour *neighbour, uint64_t counts[NEIGHBOUR_PARTS])
{
    for (uint32_t i = 0; i < NEIGHBOUR_PARTS; i++) {
        counts[i] = atomic_load_explicit(&neighbour->counters->right[i], memory_order_relaxed);
    }
}

const char *neighbour_part_name(uint32_t part)
{
    return part_names[part];
}

uint64_t neighbour_strangers(const struct neighbour *neighbour)
{
    return atomic_load_explicit(&neighbour->strangers, memory_order_relaxed);
}

uint64_t neighbour_faults(const struct neighbour *neighbour)
{
    return atomic_load_explicit(&neighbour->faults, memory_order_relaxed);
}

uint64_t neighbour_checks(const struct neighbour *neighbour)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < PART_COUNT; i++) {
        sum += neighbour->seen[i];
    }
    return sum;
}

bool neighbour_end(struct neighbour *neighbour)
{
    bool ended = copy_end(&neighbour->child);
    // The server's receive fails with its right, and its thread ends.
    nx_handle_drop(neighbour->stranger);
    nx_handle_drop(neighbour->endpoint);
    ended = nx_thread_join(&neighbour->server) == NX_OK && ended;
    nx_unmap(neighbour->counters);
    nx_handle_drop(neighbour->memory);
    return ended;
}
