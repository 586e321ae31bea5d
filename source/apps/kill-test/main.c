// SPDX-License-Identifier: Apache-2.0
// kill-test: kills services at random instants while programs use them, and proves that these
// notice nothing but time.
//
//   kill-test SERVICE[+SERVICE...] COUNT SEED   COUNT kills of each: `block`, `packages`, `console`
//   kill-test --reader N                        one reader's pass, for kill-test itself
//   kill-test --crowd                           calls a packagefsd that crashes: crowd.c
//
// While it kills, four processes, started from pkg:// again and again, hash every file of pkg://
// and compare; one thread keeps raw reads of the disk in flight and compares; with `console` among
// the services two more write lines. Before and after, with fresh services and no load, it counts
// the frames of the machine and what each process holds. That these are the same is asked only of
// runs with a full warm-up: a lock makes the notification that it needs when two threads first meet
// at it, and in a shorter one they may not have met.
//
// At which instants: nexus-init kills when the request comes, after a random time, from whichever
// hart it runs on. The kernel sets a bit in each thread and interrupts the hart that runs it: the
// thread ends before its next user instruction, wherever that is, or at the end of the system call
// that it is in. So with more than one hart every instruction boundary is reachable.
#include "kill_test.h"
#include "nexus/log.h"
#include <stdlib.h>

#define WARM_UP_MAX   20u // kills of each service before the first count of memory
#define REPORTS       20u
#define CALM_LONGEST  (24 * NX_MILLISECOND) // from a recovery to the next kill
#define CALM_SHORT    (2 * NX_MILLISECOND)  // most often, while a caller's work is under way
#define HASTY_ONE_IN  8u                    // kills while the service has not recovered yet
#define HASTY_LONGEST (8 * NX_MILLISECOND)

struct experiment {
    enum victim victims[VICTIM_COUNT];
    uint32_t victim_count;
    uint32_t count;
    uint64_t random;
    char reason[REASON_BYTES];

    struct board *board;
    nx_handle board_memory;

    uint32_t hasty;
    uint64_t readers_inside; // over all kills
    uint64_t raw_in_flight;
    uint32_t kills[VICTIM_COUNT];
};

// ---- Chance -------------------------------------------------------------------------------------

// xorshift64*: the same series for the same seed.
static uint64_t random_next(struct experiment *experiment)
{
    uint64_t x = experiment->random;
    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    experiment->random = x;
    return (x * 0x2545f4914f6cdd1dull) >> 16;
}

static uint64_t random_below(struct experiment *experiment, uint64_t bound)
{
    return random_next(experiment) % bound;
}

// One of those that have kills left, more likely the more it has: each gets `count` in all.
static enum victim random_victim(struct experiment *experiment, uint32_t left)
{
    uint64_t chosen = random_below(experiment, left);
    uint32_t i = 0;
    for (;;) {
        uint32_t of_this = experiment->count - experiment->kills[experiment->victims[i]];
        if (chosen < of_this) {
            return experiment->victims[i];
        }
        chosen -= of_this;
        i++;
    }
}

// ---- One kill -----------------------------------------------------------------------------------

// How a kill is meant.
enum purpose {
    WARMING, // everything that grows once has grown then: stacks, tables of handles
    MEASURED,
    SETTLING, // for a fresh process
};

static bool kill_once(struct experiment *experiment, enum victim victim, enum purpose purpose)
{
    bool measured = purpose == MEASURED;
    uint64_t restarts = victim_restarts(victim);
    uint32_t inside = load_readers_inside();
    uint32_t in_flight = load_raw_in_flight();
    uint64_t before = nx_clock_now();

    if (!victim_kill(victim, experiment->reason)) {
        return false;
    }
    if (measured) {
        experiment->kills[victim]++;
        experiment->readers_inside += inside;
        experiment->raw_in_flight += in_flight;
    }
    if (purpose != SETTLING && random_below(experiment, HASTY_ONE_IN) == 0) {
        experiment->hasty += measured;
        nx_sleep(random_below(experiment, HASTY_LONGEST));
        return true;
    }
    if (!victim_recovered(victim, restarts, experiment->reason)) {
        return false;
    }
    if (measured) {
        recovery_note(victim, nx_clock_now() - before);
    }
    bool soon = random_below(experiment, 2) == 0;
    nx_sleep(random_below(experiment, soon ? CALM_SHORT : CALM_LONGEST));
    return true;
}

// ---- The experiment -----------------------------------------------------------------------------

static bool load_is_well(struct experiment *experiment)
{
    if (load_reason()[0] == '\0') {
        return true;
    }
    strlcpy(experiment->reason, load_reason(), sizeof(experiment->reason));
    return false;
}

// Brings everything to a state that depends on nothing that was before: services that have just
// started, of which every file was read once, and no file of dead ones in this process.
static bool settle(struct experiment *experiment, struct snapshot *snapshot)
{
    nx_package_trim();
    for (enum victim victim = 0; victim < VICTIM_COUNT; victim++) {
        if (!kill_once(experiment, victim, SETTLING)) {
            return false;
        }
    }
    if (!board_verify(experiment->board, experiment->reason)) {
        return false;
    }
    nx_package_trim();
    if (!snapshot_take(snapshot)) {
        strlcpy(experiment->reason, "memory does not settle", sizeof(experiment->reason));
        return false;
    }
    return true;
}

static bool load_begin(struct experiment *experiment)
{
    bool lines = false;
    for (uint32_t i = 0; i < experiment->victim_count; i++) {
        lines = lines || experiment->victims[i] == VICTIM_CONSOLE;
    }
    enum nx_status status = load_start(experiment->board, experiment->board_memory, lines);
    if (status != NX_OK) {
        strlcpy(experiment->reason, nx_status_text(status), sizeof(experiment->reason));
    }
    return status == NX_OK;
}

static bool load_end(struct experiment *experiment)
{
    if (!load_stop()) {
        strlcpy(experiment->reason, "a reader does not end", sizeof(experiment->reason));
        return false;
    }
    return load_is_well(experiment);
}

static bool warm_up(struct experiment *experiment)
{
    uint32_t kills = experiment->count < WARM_UP_MAX ? experiment->count : WARM_UP_MAX;
    bool fine = load_begin(experiment);
    for (uint32_t i = 0; fine && i < kills * experiment->victim_count; i++) {
        fine = kill_once(experiment, experiment->victims[i % experiment->victim_count], WARMING);
    }
    return fine && load_end(experiment);
}

static bool kill_all(struct experiment *experiment)
{
    uint32_t total = experiment->count * experiment->victim_count;
    uint32_t step = (total + REPORTS - 1) / REPORTS;
    bool fine = load_begin(experiment);

    for (uint32_t done = 0; fine && done < total; done++) {
        fine = kill_once(experiment, random_victim(experiment, total - done), MEASURED) &&
               load_is_well(experiment);
        if (fine && ((done + 1) % step == 0 || done + 1 == total)) {
            nx_log("kills: done=%u of=%u", (unsigned)(done + 1), (unsigned)total);
        }
    }
    return fine && load_end(experiment);
}

// ---- The report ---------------------------------------------------------------------------------

static void reader_report(uint32_t number, const struct board_reader *reader,
                          struct board_reader *sum)
{
    nx_log("kills: reader=%u passes=%llu files=%llu mapped=%llu retried=%llu", (unsigned)number,
           (unsigned long long)reader->passes, (unsigned long long)reader->files,
           (unsigned long long)reader->mapped, (unsigned long long)reader->retried);
    sum->passes += reader->passes;
    sum->files += reader->files;
    sum->bytes += reader->bytes;
    sum->wrong += reader->wrong;
    sum->failed += reader->failed;
    sum->longest_ns = reader->longest_ns > sum->longest_ns ? reader->longest_ns : sum->longest_ns;
    if (sum->reason[0] == '\0' && reader->wrong + reader->failed > 0) {
        strlcpy(sum->reason, reader->reason, sizeof(sum->reason));
    }
}

static bool report(struct experiment *experiment)
{
    struct load_facts load = load_facts();
    struct board_reader sum = {0};

    for (uint32_t i = 0; i < READERS; i++) {
        reader_report(i + 1, &experiment->board->readers[i], &sum);
    }
    for (uint32_t i = 0; i < experiment->victim_count; i++) {
        recovery_report(experiment->victims[i], experiment->kills[experiment->victims[i]]);
    }
    nx_log("kills: hasty=%u readers_inside=%llu raw_in_flight=%llu", (unsigned)experiment->hasty,
           (unsigned long long)experiment->readers_inside,
           (unsigned long long)experiment->raw_in_flight);
    nx_log(
        "kills: readers passes=%llu files=%llu bytes=%llu wrong=%llu failed=%llu longest_us=%llu",
        (unsigned long long)sum.passes, (unsigned long long)sum.files,
        (unsigned long long)sum.bytes, (unsigned long long)sum.wrong,
        (unsigned long long)sum.failed, (unsigned long long)(sum.longest_ns / NX_MICROSECOND));
    nx_log("kills: programs started=%llu failed=%llu", (unsigned long long)load.programs,
           (unsigned long long)load.programs_failed);
    nx_log("kills: raw reads=%llu wrong=%llu failed=%llu reopened=%llu",
           (unsigned long long)load.raw_reads, (unsigned long long)load.raw_wrong,
           (unsigned long long)load.raw_failed, (unsigned long long)load.raw_reopened);
    nx_log("kills: lines=%llu failed=%llu", (unsigned long long)load.lines,
           (unsigned long long)load.lines_failed);
    if (sum.reason[0] != '\0') {
        strlcpy(experiment->reason, sum.reason, sizeof(experiment->reason));
    }
    return experiment->reason[0] == '\0' && sum.passes >= READERS;
}

static bool experiment_run(struct experiment *experiment)
{
    static struct snapshot before;
    static struct snapshot after;
    // Pages come with their first byte: these are there before anything is counted.
    memset(&before, UINT8_MAX, sizeof(before));
    memset(&after, UINT8_MAX, sizeof(after));
    recovery_begin();
    char digest[SHA256_HEX_BYTES];
    uint64_t bytes;

    if (!board_create(&experiment->board, &experiment->board_memory, experiment->reason)) {
        return false;
    }
    board_digest(experiment->board, &bytes, digest);
    nx_log("kills: content files=%u bytes=%llu sha256=%s", (unsigned)experiment->board->file_count,
           (unsigned long long)bytes, digest);
    bool fine = warm_up(experiment) && settle(experiment, &before) && kill_all(experiment) &&
                settle(experiment, &after);
    bool reported = report(experiment);
    if (!fine || !reported) {
        return false;
    }
    if (!snapshot_compare(&before, &after) && experiment->count >= WARM_UP_MAX) {
        strlcpy(experiment->reason, "memory has not all come back", sizeof(experiment->reason));
        return false;
    }
    return true;
}

// ---- Arguments ----------------------------------------------------------------------------------

static bool number_read(const char *text, uint64_t most, uint64_t *number)
{
    char *end;
    *number = strtoull(text, &end, 10);
    return end != text && *end == '\0' && *number > 0 && *number <= most;
}

static bool victim_is_chosen(const struct experiment *experiment, enum victim victim)
{
    for (uint32_t i = 0; i < experiment->victim_count; i++) {
        if (experiment->victims[i] == victim) {
            return true;
        }
    }
    return false;
}

static bool victims_read(const char *text, struct experiment *experiment)
{
    for (;;) {
        size_t length = strcspn(text, "+");
        enum victim victim;
        if (!victim_find(text, length, &victim) || victim_is_chosen(experiment, victim)) {
            return false;
        }
        experiment->victims[experiment->victim_count++] = victim;
        if (text[length] == '\0') {
            return true;
        }
        text += length + 1;
    }
}

int main(int argc, char **argv)
{
    static struct experiment experiment;
    uint64_t number;

    if (argc == 3 && strcmp(argv[1], "--reader") == 0 && number_read(argv[2], READERS, &number)) {
        return reader_main((uint32_t)number - 1);
    }
    if (argc == 2 && strcmp(argv[1], "--crowd") == 0) {
        return crowd_main();
    }
    if (argc != 4 || !victims_read(argv[1], &experiment) ||
        !number_read(argv[2], KILLS_MAX, &number) ||
        !number_read(argv[3], UINT64_MAX, &experiment.random)) {
        nx_log("usage: kill-test SERVICE[+SERVICE...] COUNT SEED   (block, packages, console; at "
               "most %u)",
               KILLS_MAX);
        return EXIT_FAILURE;
    }
    experiment.count = (uint32_t)number;
    nx_log("kills: begin services=%s count=%u seed=%s", argv[1], (unsigned)number, argv[3]);
    if (!experiment_run(&experiment)) {
        nx_log("kills: FAIL reason=%s", experiment.reason);
        return EXIT_FAILURE;
    }
    nx_log("kills: ok");
    return EXIT_SUCCESS;
}
