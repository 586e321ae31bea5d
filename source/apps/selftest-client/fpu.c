// SPDX-License-Identifier: Apache-2.0
// Self-test of the floating-point state: registers and rounding mode survive switches between
// threads on every hart, and threads never see each other's.
#include "selftest.h"
#include <stdatomic.h>

#define FPU_THREADS 3u // per hart: more than one, so that they alternate
#define FPU_TIME    (30 * NX_MILLISECOND)
#define FPU_SWITCH  64u // checks between two voluntary switches

struct fpu_worker {
    uint64_t seed;
    uint64_t rounds; // completed checks
    bool broken;
    struct nx_thread thread;
};

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

static void fpu_thread(void *argument)
{
    struct fpu_worker *worker = argument;
    uint64_t deadline = nx_deadline_after(FPU_TIME);

    while (!worker->broken && nx_clock_now() < deadline) {
        worker->broken = !fpu_check(worker->seed << 32 | worker->rounds << 8, worker->seed % 5);
        worker->rounds++;
        if (worker->rounds % FPU_SWITCH == 0) {
            worker->broken |= nx_thread_yield(NX_HART_ANY) != NX_OK;
        }
    }
}

static enum test_outcome fpu_on_hart(struct test_report *report, uint64_t hart)
{
    struct fpu_worker workers[FPU_THREADS] = {0};
    struct nx_thread_options options = {.affinity = 1ull << hart, .class = -1};
    enum nx_status status = NX_OK;
    size_t started = 0;

    while (started < FPU_THREADS) {
        workers[started].seed = hart * FPU_THREADS + started + 1;
        status = nx_thread_spawn(&options, fpu_thread, &workers[started], &workers[started].thread);
        if (status != NX_OK) {
            break;
        }
        started++;
    }
    bool ended = true;
    for (size_t i = 0; i < started; i++) {
        ended = thread_ends(&workers[i].thread) && ended;
    }
    EXPECT_OK(report, status);
    EXPECT(report, ended, "hart %d: a thread never ended", (int)hart);
    for (size_t i = 0; i < FPU_THREADS; i++) {
        EXPECT(report, !workers[i].broken, "hart %d thread %d: registers changed after %llu rounds",
               (int)hart, (int)i, (unsigned long long)workers[i].rounds);
        EXPECT(report, workers[i].rounds > FPU_SWITCH, "hart %d thread %d: only %llu rounds",
               (int)hart, (int)i, (unsigned long long)workers[i].rounds);
    }
    return TEST_PASS;
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
