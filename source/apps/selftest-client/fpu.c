// SPDX-License-Identifier: Apache-2.0
// Self-test of the floating-point state: registers and rounding mode survive switches between
// threads on every hart, and threads never see each other's.
#include "selftest.h"
#include <stdatomic.h>

#define FPU_THREADS     3u // per hart: more than one, so that they alternate
#define FPU_ROUNDS      1024u
#define FPU_PREEMPTIONS 2u  // of each thread: switches that it did not ask for
#define FPU_SWITCH      64u // checks between two voluntary switches
// However slow the machine is. Nothing else here depends on time.
#define FPU_DEADLINE (20 * NX_SECOND)

// The threads of one hart. Each of them goes on until all have done enough, so that none runs out
// of others to be switched with.
struct fpu_team {
    atomic_uint runner;  // who made the last check, by seed
    atomic_uint unready; // workers that have not done enough
    atomic_bool stop;
    uint64_t deadline; // constant; the workers end by themselves then
};

struct fpu_worker {
    struct fpu_team *team;
    unsigned seed;              // not 0, and another for each thread
    _Atomic uint64_t rounds;    // completed checks
    _Atomic uint64_t preempted; // times that another one ran without a yield of this one
    atomic_bool broken;
    struct nx_thread thread;
};

static uint64_t count_of(const _Atomic uint64_t *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

static void count_up(_Atomic uint64_t *counter)
{
    atomic_store_explicit(counter, count_of(counter) + 1, memory_order_relaxed); // one writer
}

// Register contract: loads f0..f31 from `pattern` + index and the rounding mode, spins a while,
// stores all registers to `out` and returns the rounding mode that it finds. One block, so that
// nothing between load and store can use the registers.
static uint64_t fpu_hold(uint64_t pattern, uint64_t mode, uint64_t out[32])
{
    uint64_t found;
    uint64_t spins = 200;
    __asm__ volatile("fsrm   %[mode]\n"
                     ".altmacro\n"
                     ".macro fpu_load n\n"
                     "fmv.d.x f\\n, %[pattern]\n"
                     "addi   %[pattern], %[pattern], 1\n"
                     ".endm\n"
                     ".macro fpu_store n\n"
                     "fsd    f\\n, (\\n * 8)(%[out])\n"
                     ".endm\n"
                     ".set   n, 0\n"
                     ".rept  32\n"
                     "fpu_load %%n\n"
                     ".set   n, n + 1\n"
                     ".endr\n"
                     "1: addi %[spins], %[spins], -1\n"
                     "bnez   %[spins], 1b\n"
                     ".set   n, 0\n"
                     ".rept  32\n"
                     "fpu_store %%n\n"
                     ".set   n, n + 1\n"
                     ".endr\n"
                     ".purgem fpu_load\n"
                     ".purgem fpu_store\n"
                     "frrm   %[found]\n"
                     "fsrmi  0\n"
                     : [found] "=&r"(found), [pattern] "+&r"(pattern), [spins] "+&r"(spins)
                     : [mode] "r"(mode), [out] "r"(out)
                     : "f0", "f1", "f2", "f3", "f4", "f5", "f6", "f7", "f8", "f9", "f10", "f11",
                       "f12", "f13", "f14", "f15", "f16", "f17", "f18", "f19", "f20", "f21", "f22",
                       "f23", "f24", "f25", "f26", "f27", "f28", "f29", "f30", "f31", "memory");
    return found;
}

static bool fpu_check(uint64_t pattern, uint64_t mode)
{
    uint64_t held[32];
    if (fpu_hold(pattern, mode, held) != mode) {
        return false;
    }
    for (uint64_t i = 0; i < 32; i++) {
        if (held[i] != pattern + i) {
            return false;
        }
    }
    return true;
}

// One check, then a note of whether others ran since the last one. False: something is wrong.
static bool fpu_round(struct fpu_worker *worker, bool yielded)
{
    uint64_t rounds = count_of(&worker->rounds);
    if (!fpu_check((uint64_t)worker->seed << 32 | rounds << 8, worker->seed % 5)) {
        return false;
    }
    count_up(&worker->rounds);
    unsigned last =
        atomic_exchange_explicit(&worker->team->runner, worker->seed, memory_order_relaxed);
    if (last != worker->seed && !yielded && rounds > 0) {
        count_up(&worker->preempted);
    }
    return true;
}

// Leaves switching to the tick until that has happened often enough, then yields now and then.
static void fpu_thread(void *argument)
{
    struct fpu_worker *worker = argument;
    struct fpu_team *team = worker->team;
    bool yielded = false;
    bool ready = false;

    // Without preemption, the one that would stop them never runs.
    while (!atomic_load_explicit(&team->stop, memory_order_relaxed) &&
           nx_clock_now() < team->deadline) {
        if (!fpu_round(worker, yielded)) {
            atomic_store_explicit(&worker->broken, true, memory_order_relaxed);
            atomic_store_explicit(&team->stop, true, memory_order_relaxed);
            return;
        }
        bool preempted = count_of(&worker->preempted) >= FPU_PREEMPTIONS;
        yielded = preempted && count_of(&worker->rounds) % FPU_SWITCH == 0 &&
                  nx_thread_yield(NX_HART_ANY) == NX_OK;
        if (!ready && preempted && count_of(&worker->rounds) >= FPU_ROUNDS) {
            ready = true;
            atomic_fetch_sub_explicit(&team->unready, 1, memory_order_relaxed);
        }
    }
}

static bool team_is_done(void *context)
{
    struct fpu_team *team = context;
    return atomic_load_explicit(&team->unready, memory_order_relaxed) == 0 ||
           atomic_load_explicit(&team->stop, memory_order_relaxed);
}

static enum test_outcome team_did_enough(struct test_report *report, uint64_t hart,
                                         const struct fpu_worker *workers)
{
    for (size_t i = 0; i < FPU_THREADS; i++) {
        EXPECT(report, !atomic_load_explicit(&workers[i].broken, memory_order_relaxed),
               "hart %d thread %d: registers changed after %llu rounds", (int)hart, (int)i,
               (unsigned long long)count_of(&workers[i].rounds));
    }
    for (size_t i = 0; i < FPU_THREADS; i++) {
        uint64_t rounds = count_of(&workers[i].rounds);
        uint64_t preempted = count_of(&workers[i].preempted);
        EXPECT(report, rounds >= FPU_ROUNDS && preempted >= FPU_PREEMPTIONS,
               "hart %d thread %d: only %llu rounds and %llu preemptions in %d s", (int)hart,
               (int)i, (unsigned long long)rounds, (unsigned long long)preempted,
               (int)(FPU_DEADLINE / NX_SECOND));
    }
    return TEST_PASS;
}

static enum test_outcome fpu_on_hart(struct test_report *report, uint64_t hart)
{
    struct fpu_team team = {.unready = FPU_THREADS, .deadline = nx_deadline_after(FPU_DEADLINE)};
    struct fpu_worker workers[FPU_THREADS] = {0};
    struct nx_thread_options options = {.affinity = 1ull << hart, .class = -1};
    enum nx_status status = NX_OK;
    size_t started = 0;

    while (started < FPU_THREADS) {
        workers[started].team = &team;
        workers[started].seed = (unsigned)(hart * FPU_THREADS + started + 1);
        status = nx_thread_spawn(&options, fpu_thread, &workers[started], &workers[started].thread);
        if (status != NX_OK) {
            break;
        }
        started++;
    }
    if (status == NX_OK) {
        (void)nx_wait_until(team_is_done, &team, FPU_DEADLINE); // the counts tell
    }
    atomic_store_explicit(&team.stop, true, memory_order_relaxed);
    bool ended = true;
    for (size_t i = 0; i < started; i++) {
        ended = thread_ends(&workers[i].thread) && ended;
    }
    EXPECT_OK(report, status);
    EXPECT(report, ended, "hart %d: a thread never ended", (int)hart);
    return team_did_enough(report, hart, workers);
}

enum test_outcome test_fpu(struct test_report *report)
{
    struct nx_info_system system;
    struct nx_info_hart before;
    struct nx_info_hart after;

    EXPECT_OK(report, machine_system(&system));
    for (uint64_t hart = 0; hart < system.harts; hart++) {
        EXPECT_OK(report, machine_hart(hart, &before));
        if (before.state != NX_HART_ONLINE) {
            continue;
        }
        enum test_outcome outcome = fpu_on_hart(report, hart);
        if (outcome != TEST_PASS) {
            return outcome;
        }
        EXPECT_OK(report, machine_hart(hart, &after));
        EXPECT(report, after.switches >= before.switches + 2 * FPU_THREADS,
               "hart %d: %llu switches", (int)hart,
               (unsigned long long)(after.switches - before.switches));
    }
    return TEST_PASS;
}
